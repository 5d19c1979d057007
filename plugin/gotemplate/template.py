"""Templates as a whole: compiled once, rendered over any number of values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plugin.gotemplate.checker import check
from plugin.gotemplate.errors import TemplateError
from plugin.gotemplate.evaluator import evaluate
from plugin.gotemplate.functions import FUNCTIONS
from plugin.gotemplate.nodes import Node, Text
from plugin.gotemplate.parser import parse
from plugin.gotemplate.values import (
    ANY,
    Function,
    GoType,
    StringMap,
    Struct,
    Value,
    to_bytes,
    to_string_map,
    to_strings,
)

Data = Struct | str | bool | int | list[str] | Mapping[str, str] | None
"""What a template can be rendered over: a struct, or values as Go has them."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose syntax and names are known to be right."""

    nodes: tuple[Node, ...]
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS, compare=False, repr=False)

    @property
    def constant(self) -> bytes | None:
        """What it renders to whatever the value; None if that depends on it."""
        if not all(isinstance(node, Text) for node in self.nodes):
            return None
        return b"".join(node.data for node in self.nodes if isinstance(node, Text))

    def render(self, data: Data) -> str:
        """Render over a value; bytes that are not UTF-8 in the end become U+FFFD.

        Raises ``TemplateError`` for what cannot be done with this value, and for too much work or output.
        """
        return evaluate(self.nodes, _value(data), self.functions).decode("utf-8", "replace")

    def render_bytes(self, items: Mapping[bytes, bytes]) -> bytes:
        """Render over a map of Go's strings, as bytes. Raises ``TemplateError`` as `render` does."""
        return evaluate(self.nodes, StringMap(items), self.functions)


def compile_template(text: str, over: GoType = ANY, functions: Mapping[str, Function] = FUNCTIONS) -> Template:
    """Compile a template; ``over`` is the type of what it will be rendered over, for more faults to be found at once.

    ``functions`` are those that it can call, Docker's and Go's own unless others are given.

    Raises ``TemplateError`` for wrong syntax, unknown functions, variables and fields, and arguments that cannot fit.
    """
    nodes = parse(text)
    check(nodes, over, functions)
    return Template(nodes, functions)


def _value(data: Data) -> Value:
    match data:
        case str():
            return to_bytes(data)
        case list():
            return to_strings(data)
        case Mapping():
            return to_string_map(data)
        case None | bool() | int() | Struct():
            return data
    raise TemplateError(f"a {type(data).__name__} cannot be rendered")
