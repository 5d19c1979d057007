"""One rendering of a template: its tree walked over a value, as Go's ``text/template`` executes it."""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import cast

from plugin.gotemplate.arguments import conform, conform_constant
from plugin.gotemplate.errors import ActionError, TemplateError, placed
from plugin.gotemplate.limits import Output, Work
from plugin.gotemplate.nodes import (
    Action,
    Break,
    Conditional,
    Constant,
    Continue,
    Loop,
    Node,
    Operand,
    Pipe,
    Text,
)
from plugin.gotemplate.sprint import display
from plugin.gotemplate.values import (
    Function,
    GoType,
    StringMap,
    Strings,
    Struct,
    TypedInt,
    Value,
    described,
    to_bytes,
    truth,
    type_of,
    weight,
)
from plugin.gotemplate.walk import WITH_INDEX, CallInputs, Walk


def evaluate(nodes: tuple[Node, ...], root: Value, functions: Mapping[str, Function]) -> bytes:
    """Render a tree over a value; it can call ``functions``.

    Raises ``TemplateError`` for what cannot be done with the values at hand, and for too much work or output.
    """
    evaluation = _Evaluation(root, functions)
    try:
        evaluation.run(nodes, root)
    except ActionError as error:
        raise TemplateError(error.what) from None
    return evaluation.output.getvalue()


class _Flow(Enum):
    """How a list of nodes ended."""

    NEXT = auto()
    BREAK = auto()
    CONTINUE = auto()


class _Evaluation(Walk[Value]):
    """The variables, output and work of one rendering."""

    def __init__(self, root: Value, functions: Mapping[str, Function]) -> None:
        self.output = Output()
        self._work = Work()
        super().__init__(root, functions)

    def run(self, nodes: tuple[Node, ...], dot: Value) -> _Flow:
        for node in nodes:
            match node:
                case Text():
                    self.output.write(node.data)
                case Action():
                    self._action(node, dot)
                case Break():
                    return _Flow.BREAK
                case Continue():
                    return _Flow.CONTINUE
                case Conditional() | Loop():
                    with self._scope():
                        flow = self._conditional(node, dot) if isinstance(node, Conditional) else self._loop(node, dot)
                    if flow is not _Flow.NEXT:
                        return flow
        return _Flow.NEXT

    def _action(self, node: Action, dot: Value) -> None:
        with placed(node.source):
            value = self._pipeline(node.pipeline, dot)
            if not node.pipeline.variables:
                self._work.spend(weight(value))
                self.output.write(display(value))

    def _conditional(self, node: Conditional, dot: Value) -> _Flow:
        for branch in node.branches:
            with placed(branch.source):
                value = self._pipeline(branch.pipeline, dot)
            if truth(value):
                return self.run(branch.body, value if node.rebinds else dot)
        return self.run(node.otherwise, dot)

    def _loop(self, node: Loop, dot: Value) -> _Flow:
        with placed(node.source):
            items = _items(self._pipeline(node.pipeline, dot), len(node.pipeline.variables))
        mark = len(self._names)
        is_empty = True
        for index, item in items:
            is_empty = False
            with placed(node.source):
                self._work.spend(0)
                self._next_item(node.pipeline, index, item)
            flow = self.run(node.body, item)
            self._drop(mark)
            if flow is _Flow.BREAK:
                break
        return self.run(node.otherwise, dot) if is_empty else _Flow.NEXT

    def _next_item(self, pipeline: Pipe, index: Value, item: Value) -> None:
        values = (index, item)[-len(pipeline.variables) :] if pipeline.variables else ()
        for position, (name, value) in enumerate(zip(pipeline.variables, values, strict=True)):
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._values[position - len(values)] = value

    def _position(self, name: str) -> int:
        position = super()._position(name)
        self._work.spend(len(self._names) - position)
        return position

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self._work.spend(0)
        return super()._operand(operand, dot)

    def _member(self, owner: Value, name: str, inputs: CallInputs[Value]) -> Value:
        self._work.spend(0)
        return None if owner is None else super()._member(owner, name, inputs)

    def _type(self, value: Value) -> GoType:
        return type_of(value)

    def _constant(self, constant: Constant) -> Value:
        return constant.value

    def _conform_constant(self, constant: Constant, wanted: GoType) -> Value:
        return conform_constant(constant, wanted)

    def _conform(self, value: Value, wanted: GoType) -> Value:
        return conform(value, wanted)

    def _field(self, owner: Value, name: str) -> Value:
        if isinstance(owner, StringMap):
            return owner.items.get(to_bytes(name))
        return cast(Struct, owner).fields[name]  # no other type has fields

    def _invoke(self, owner: Value, method: Function, arguments: list[Value], /) -> Value:
        receiver = cast(Struct | TypedInt, owner)  # no other type has methods
        return self._result(method.call(receiver.source, *arguments))

    def _apply(self, function: Function, arguments: list[Value], /) -> Value:
        self._work.spend(sum(map(weight, arguments)))
        return self._result(function.call(*arguments))

    def _is_decided(self, function: Function, argument: Value, /) -> bool:
        return truth(argument) == function.until

    def _result(self, value: Value) -> Value:
        self._work.spend(weight(value))
        return value


def _items(value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
    """Return what ``range`` goes over: pairs of an index or key and an item."""
    match value:
        case None:
            return ()
        case Strings():
            return enumerate(value.items)
        case StringMap():
            return value.items.items()
        case bool() | float() | bytes() | Struct():
            raise ActionError(f"'range' over {described(type_of(value))}")
        case _ if variables == WITH_INDEX:
            raise ActionError(f"'range' over {described(type_of(value))} with two variables")
        case TypedInt():
            return ((None, TypedInt(value.type, number)) for number in range(value.source))
        case int():
            return ((None, number) for number in range(value))
