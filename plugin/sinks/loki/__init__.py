"""The sink `loki`."""
