"""What the JSON of several sinks says of a line's container, by the names that they have in common."""

from plugin.sinks.base import Origin


def names_of(origin: Origin) -> dict[str, str]:
    """Return id, name, image, host, tag, and Compose or Swarm names of a container; what it does not have is empty."""
    info = origin.info
    return {
        "container_id": info.container_id,
        "container_name": info.name,
        "image": info.container_image_name,
        "host": origin.host,
        "tag": origin.tag,
        **origin.services,
    }


def members_of_container(origin: Origin) -> dict[str, object]:
    """Return these and the attributes as members of an object; what is empty is left out."""
    members = {**names_of(origin), "attributes": dict(origin.attributes)}
    return {name: value for name, value in members.items() if value}
