"""What can be said against a template before it is rendered: unknown names, and types as far as they are certain.

A type that only rendering knows is ``ANY`` here: that of a map's item taken as a field (which may be missing), of what
``index`` or ``and`` returns, and of a variable that is assigned to. Branches that may never be taken are checked too.
"""

from collections.abc import Mapping

from plugin.gotemplate.arguments import check_type, conform_constant
from plugin.gotemplate.errors import ActionError, placed
from plugin.gotemplate.nodes import Action, Conditional, Constant, Loop, Node, pipelines
from plugin.gotemplate.values import (
    ANY,
    INT,
    INTEGERS,
    STRING,
    STRING_MAP,
    STRINGS,
    Function,
    GoType,
    described,
    type_of,
)
from plugin.gotemplate.walk import WITH_INDEX, CallInputs, Walk


def check(nodes: tuple[Node, ...], over: GoType, functions: Mapping[str, Function]) -> None:
    """Check a tree that will be rendered over a value of a type; it can call ``functions``.

    Raises ``TemplateError`` for the first fault.
    """
    assigned = {name for pipeline in pipelines(nodes) if pipeline.assigns for name in pipeline.variables}
    _Checker(over, functions, frozenset(assigned)).run(nodes, over)


class _Checker(Walk[GoType]):
    """A walk through all branches with types; a variable that is ``assigned`` to somewhere can be of any."""

    def __init__(self, over: GoType, functions: Mapping[str, Function], assigned: frozenset[str]) -> None:
        self._assigned = assigned
        super().__init__(over, functions)

    def run(self, nodes: tuple[Node, ...], dot: GoType) -> None:
        for node in nodes:
            match node:
                case Action():
                    with placed(node.source):
                        self._pipeline(node.pipeline, dot)
                case Conditional():
                    with self._scope():
                        self._conditional(node, dot)
                case Loop():
                    with self._scope():
                        self._loop(node, dot)

    def _conditional(self, node: Conditional, dot: GoType) -> None:
        for branch in node.branches:
            with placed(branch.source):
                kind = self._pipeline(branch.pipeline, dot)
            with self._scope():
                self.run(branch.body, kind if node.rebinds else dot)
        self.run(node.otherwise, dot)

    def _loop(self, node: Loop, dot: GoType) -> None:
        names = node.pipeline.variables
        with placed(node.source):
            key, item = _item_types(self._pipeline(node.pipeline, dot), len(names))
        with self._scope():
            if names and not node.pipeline.assigns:
                self._declare(names[0], key)
                self._declare(names[-1], item)
            self.run(node.body, item)
        self.run(node.otherwise, dot)

    def _declare(self, name: str, value: GoType) -> None:
        super()._declare(name, ANY if name in self._assigned else value)

    def _assign(self, name: str, _value: GoType, /) -> None:
        """Check that the variable exists: its type stays ``ANY``, as the assignment may not be reached."""
        self._position(name)

    def _type(self, value: GoType) -> GoType:
        return value

    def _constant(self, constant: Constant) -> GoType:
        return type_of(constant.value)

    def _conform_constant(self, constant: Constant, wanted: GoType) -> GoType:
        return type_of(conform_constant(constant, wanted))

    def _conform(self, value: GoType, wanted: GoType) -> GoType:
        check_type(value, wanted)
        return value

    def _member(self, owner: GoType, name: str, inputs: CallInputs[GoType]) -> GoType:
        if owner is not ANY:
            return super()._member(owner, name, inputs)
        for operand in inputs.operands:
            self._argument(operand, ANY, inputs.dot)
        return ANY

    def _field(self, owner: GoType, name: str) -> GoType:
        return owner.fields.get(name, ANY)

    def _invoke(self, _owner: GoType, method: Function, _arguments: list[GoType], /) -> GoType:
        return method.result

    def _apply(self, function: Function, _arguments: list[GoType], /) -> GoType:
        return function.result


def _item_types(kind: GoType, variables: int) -> tuple[GoType, GoType]:
    """Return the types of what ``range`` goes over: of the index or key, and of an item."""
    if kind is ANY:
        return ANY, ANY
    if kind in {STRINGS, STRING_MAP}:
        return (INT if kind is STRINGS else STRING), STRING
    if kind not in INTEGERS:
        raise ActionError(f"'range' over {described(kind)}")
    if variables == WITH_INDEX:
        raise ActionError(f"'range' over {described(kind)} with two variables")
    return kind, kind
