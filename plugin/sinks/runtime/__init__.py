"""What only a process that delivers needs, because it takes megabytes to load.

The registry imports every module of ``plugin.sinks`` to read what sinks declare, in every process; those in here are
imported when a sink is made.
"""
