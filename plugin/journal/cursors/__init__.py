"""Cursors: how far each sink has got in a journal. Everything that makes, places, repairs and moves one."""
