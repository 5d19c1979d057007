"""Templates as a whole: compiled once, rendered over any number of values."""

from collections.abc import Mapping
from dataclasses import dataclass

from plugin.gotemplate.checker import check
from plugin.gotemplate.errors import TemplateError
from plugin.gotemplate.evaluator import evaluate
from plugin.gotemplate.nodes import Node
from plugin.gotemplate.parser import parse
from plugin.gotemplate.values import ANY, GoType, Struct, Value, to_bytes, to_string_map, to_strings

Data = Struct | str | bool | int | list[str] | Mapping[str, str] | None
"""What a template can be rendered over: a struct, or values as Go has them."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose syntax and names are known to be right."""

    nodes: tuple[Node, ...]

    def render(self, data: Data) -> str:
        """Render over a value; bytes that are not UTF-8 in the end become U+FFFD.

        Raises ``TemplateError`` for what cannot be done with this value, and for too much work or output.
        """
        return evaluate(self.nodes, _value(data)).decode("utf-8", "replace")


def compile_template(text: str, over: GoType = ANY) -> Template:
    """Compile a template; ``over`` is the type of what it will be rendered over, for more faults to be found at once.

    Raises ``TemplateError`` for wrong syntax, unknown functions, variables and fields, and arguments that cannot fit.
    """
    nodes = parse(text)
    check(nodes, over)
    return Template(nodes)


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
