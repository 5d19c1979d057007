"""Transforms: from entries in a journal to the records that sinks are given."""
