"""Connections that sinks share: streams, datagrams, HTTP, TLS."""
