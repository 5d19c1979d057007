"""The sink `s3`."""
