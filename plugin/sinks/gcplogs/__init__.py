"""The sink `gcplogs`."""
