"""The sink `journald`."""
