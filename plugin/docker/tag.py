"""Tags: the names that containers have in log systems, written as Go templates over ``Info`` as in Docker."""

from dataclasses import dataclass

from plugin.docker.info import Info
from plugin.docker.tag_data import CONTAINER, container
from plugin.errors import PeaveyError
from plugin.gotemplate import Template, TemplateError, compile_template

__all__ = ["Tag", "TagError", "compile_tag", "render_tag"]


class TagError(PeaveyError):
    """A template that cannot be compiled or rendered; the message names the action that is at fault."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag's template, known to be right for containers."""

    text: str
    template: Template

    def render(self, info: Info) -> str:
        """Return the tag of a container; raises ``TagError`` for what cannot be done with this container."""
        try:
            return self.template.render(container(info))
        except TemplateError as error:
            raise TagError(str(error)) from None


def compile_tag(text: str) -> Tag:
    """Compile the value of ``tag``, or of another option that is a template over the container.

    Raises ``TagError``, whose message names the action at fault and where there is one the closest known name.
    """
    try:
        return Tag(text, compile_template(text, CONTAINER))
    except TemplateError as error:
        raise TagError(str(error)) from None


def render_tag(text: str, info: Info) -> str:
    """Compile and render in one step; raises ``TagError`` as both do."""
    return compile_tag(text).render(info)
