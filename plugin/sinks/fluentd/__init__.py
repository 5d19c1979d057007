"""The sink `fluentd`."""
