"""Tests under a real Docker engine. A package, so that the engine ends with the last of them."""
