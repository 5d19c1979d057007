"""Faults of the file system: any error from any call on any file, switched on and off while the server runs."""
