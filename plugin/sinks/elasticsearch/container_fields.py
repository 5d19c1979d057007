"""What documents say of a container, in the names of the Elastic Common Schema (ECS 8)."""

from collections.abc import Mapping
from typing import Any

from plugin.docker.image import split_image_name
from plugin.sinks.base import Origin
from plugin.sinks.elasticsearch.index_names import data_stream
from plugin.sinks.encoding.bounds import cut

_ECS_VERSION = "8.11.0"
_LONGEST_NAME = 256  # bytes


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
        "labels": _labels({**services, **origin.attributes}),
    }
    return _given(fields)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Name labels as ECS wants them: no dots, which would make objects of them."""
    return {key: value for name, value in labels.items() if (key := cut(name.replace(".", "_"), _LONGEST_NAME).strip())}
