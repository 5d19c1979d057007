"""Sinks: one file per destination. ``base`` says what a sink is, the registry finds them."""
