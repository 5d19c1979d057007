"""The sink `json-file`."""
