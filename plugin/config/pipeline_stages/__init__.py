"""Promtail's pipeline stages, as Grafana's Docker driver takes them in ``loki-pipeline-stages``: read and checked."""

from plugin.config.pipeline_stages.model import PipelineStages, makes_metadata
from plugin.config.pipeline_stages.parser import parse_stages, read_stages

__all__ = ["PipelineStages", "makes_metadata", "parse_stages", "read_stages"]
