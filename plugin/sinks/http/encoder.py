"""What the objects of the sink ``http`` hold; `join_objects` writes them."""

from dataclasses import dataclass

from plugin.sinks.base import Origin
from plugin.sinks.encoding.bounds import cut
from plugin.sinks.encoding.json_objects import fields_after_line

_LONGEST_COMMAND = 65_536


@dataclass(frozen=True, slots=True)
class PreparedObjects:
    """What is the same for all records of a container: what follows the line, by source."""

    after_line: dict[str, bytes]


def prepare_objects(origin: Origin) -> PreparedObjects:
    """Make what is the same for all records of a container; what it does not have is left out."""
    info = origin.info
    fields = {
        "container_id": info.container_id,
        "container_name": info.name,
        "container_created": info.container_created,
        "image": info.container_image_name,
        "image_id": info.container_image_id,
        "command": cut(info.command, _LONGEST_COMMAND),
        "tag": origin.tag,
        "host": origin.host,
        **origin.services,
        "attributes": dict(origin.attributes),
    }
    return PreparedObjects(fields_after_line(origin, {name: value for name, value in fields.items() if value}))
