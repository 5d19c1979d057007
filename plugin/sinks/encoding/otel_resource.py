"""The resource of a container: OpenTelemetry's semantic conventions for services, containers and hosts."""

from collections.abc import Mapping

from plugin.docker.image import split_image_name
from plugin.sinks.base import Origin

_LABEL = "container.label."
_COMPOSE_AND_SWARM = (
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.stack.namespace",
    "com.docker.swarm.service.name",
)


def container_attributes(origin: Origin, service_name: str | None, given: Mapping[str, str]) -> dict[str, object]:
    """Return the attributes of a container's resource; what it does not have is left out.

    ``service_name`` is its service unless it is empty; otherwise that is the service in Compose, that in Swarm or the
    container's name. Chosen labels, and those that Compose and Swarm set, are ``container.label.NAME``; chosen
    environment variables have their own names. ``given`` wins over all others.
    """
    info, services, labels = origin.info, origin.services, origin.labels
    image = split_image_name(info.container_image_name)
    name = service_name or services.get("compose_service") or services.get("swarm_service") or info.name or info.id
    attributes: dict[str, object] = {
        "service.name": name,
        "service.namespace": services.get("compose_project") or services.get("swarm_stack"),
        "container.id": info.container_id,
        "container.name": info.name,
        "container.runtime": "docker",
        "container.image.id": info.container_image_id,
        "container.image.name": image.name,
        "container.image.tags": [image.tag] if image.tag else None,
        "host.name": origin.host,
        "tag": origin.tag if origin.tag != info.id else None,
    }
    attributes |= {_LABEL + label: labels[label] for label in _COMPOSE_AND_SWARM if label in labels}
    for key, value in origin.attributes.items():
        attributes[_LABEL + key if labels.get(key) == value else key] = value
    attributes |= given
    return {key: value for key, value in attributes.items() if value and key}
