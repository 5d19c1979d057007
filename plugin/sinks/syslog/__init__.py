"""The sink `syslog`."""
