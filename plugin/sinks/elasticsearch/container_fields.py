"""What documents say of a container, in the names of the Elastic Common Schema (ECS 8)."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from plugin.docker.image import split_image_name
from plugin.sinks.base import Origin
from plugin.sinks.elasticsearch.index_names import data_stream

logger = logging.getLogger(__name__)

_ECS_VERSION = "8.11.0"
# An index takes 1,000 fields (index.mapping.total_fields.limit), and a keyword 32,766 bytes: a container whose options
# choose more would have all of its lines refused.
_MOST_LABELS = 128
_LONGEST_LABEL = 8_000
_LONGEST_NAME = 256


def container_fields(origin: Origin, index: str) -> dict[str, Any]:
    """Return the fields that all lines of a container have; what it does not have is left out."""
    info = origin.info
    image = split_image_name(info.container_image_name)
    services = origin.services
    container = {
        "id": info.container_id,
        "name": info.name,
        "runtime": "docker",
        "image": _given({"name": image.name, "tag": [image.tag] if image.tag else None}),
    }
    stream = data_stream(index)
    fields: dict[str, Any] = {
        "ecs": {"version": _ECS_VERSION},
        "data_stream": stream._asdict() if stream else None,
        "host": _given({"name": origin.host}),
        "container": _given(container),
        "service": _given({"name": services.get("compose_service") or services.get("swarm_service")}),
        "tags": [origin.tag] if origin.tag and origin.tag != info.id else None,
        "labels": _labels({**services, **origin.attributes}, info.id),
    }
    return _given(fields)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _labels(labels: Mapping[str, str], container: str) -> dict[str, str]:
    """Name labels as ECS wants them: no dots, which would make objects of them, and no more than an index can take."""
    named: dict[str, str] = {}
    left_out: list[str] = []
    for name, value in labels.items():
        key = name.replace(".", "_").strip()
        if not key or len(key) > _LONGEST_NAME or len(named) >= _MOST_LABELS:
            left_out.append(name)
            continue
        content = value.encode("utf-8", "replace")
        if len(content) > _LONGEST_LABEL:
            left_out.append(f"{name} beyond {_LONGEST_LABEL} bytes")
        named[key] = content[:_LONGEST_LABEL].decode("utf-8", "ignore")
    if left_out:
        logger.warning(
            "container %s: sink elasticsearch leaves out labels and variables that an index would refuse: %s",
            container,
            _listed(left_out),
        )
    return named


def _listed(names: Iterable[str]) -> str:
    listed = [name[:80] for name in names]
    return ", ".join(listed[:10]) + (f" and {len(listed) - 10} more" if len(listed) > 10 else "")
