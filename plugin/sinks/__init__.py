"""Sinks: one folder per destination. ``base`` is the contract, the registry finds them."""
