"""The commands of the command line, one module each: ``SUMMARY``, ``DESCRIPTION``, ``SETTINGS``, flags, ``run``."""
