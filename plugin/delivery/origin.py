"""Make a container's origin: what sinks learn of it."""

from plugin.config.options import SinkChoice
from plugin.docker.attributes import extra_attributes
from plugin.docker.info import Info
from plugin.docker.tag import render_tag
from plugin.sinks.base import Origin


def make_origin(info: Info, choice: SinkChoice, birth: int) -> Origin:
    """Make the origin of a container's records for one of its sinks, whose ``tag``, ``labels`` and ``env`` hold.

    Raises ``PeaveyError`` if the tag cannot be rendered for this container, ``ValueError`` for a bad pattern.
    """
    chosen = choice.records
    options = {
        "labels": chosen.labels,
        "labels-regex": chosen.labels_regex,
        "env": chosen.env,
        "env-regex": chosen.env_regex,
    }
    return Origin(
        info=info,
        host=info.hostname,
        tag=render_tag(chosen.tag, info) if chosen.tag else "",
        attributes=extra_attributes(info, options),
        birth=birth,
    )
