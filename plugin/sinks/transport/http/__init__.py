"""The HTTP client of sinks, and its options."""
