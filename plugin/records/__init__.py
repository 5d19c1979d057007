"""Records: decoded log entries on their way to a sink."""
