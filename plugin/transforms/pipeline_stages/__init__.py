"""Promtail's pipeline stages, run over records (``plugin.config.pipeline_stages`` reads them)."""
