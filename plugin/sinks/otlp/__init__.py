"""The sink `otlp`."""
