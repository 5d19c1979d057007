"""The sink `elasticsearch`."""
