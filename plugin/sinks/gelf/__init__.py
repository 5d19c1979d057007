"""The sink `gelf`."""
