"""The sink `clickhouse`."""
