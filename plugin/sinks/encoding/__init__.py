"""Encoding that sinks share: JSON strings, timestamps, text."""
