"""The sink `http`."""
