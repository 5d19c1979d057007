"""One rendering of a template: its tree walked over a value, as Go's ``text/template`` executes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from plugin.gotemplate.arguments import check_count, conform, conform_constant, unknown_member
from plugin.gotemplate.errors import ActionError, TagError, placed, shown
from plugin.gotemplate.functions import FUNCTIONS
from plugin.gotemplate.limits import Output, Work
from plugin.gotemplate.nodes import (
    Access,
    Action,
    Break,
    Call,
    Command,
    Conditional,
    Constant,
    Continue,
    Dot,
    Loop,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
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

_WITH_INDEX = 2


def evaluate(nodes: tuple[Node, ...], root: Value) -> bytes:
    """Render a tree over a value.

    Raises ``TagError`` for what cannot be done with the values at hand, and for too much work or output.
    """
    evaluation = _Evaluation(root)
    try:
        evaluation.run(nodes, root)
    except ActionError as error:
        raise TagError(error.what) from None
    return evaluation.output.getvalue()


class _Flow(Enum):
    """How a list of nodes ended."""

    NEXT = auto()
    BREAK = auto()
    CONTINUE = auto()


@dataclass(frozen=True, slots=True)
class _Given:
    """What a function or method is given: operands, not evaluated yet, and what comes through the pipe."""

    operands: tuple[Operand, ...]
    piped: tuple[Value, ...]
    dot: Value

    def refuse(self, name: str) -> None:
        """Raise ``ActionError`` when there is anything, for what is no method."""
        if self.operands or self.piped:
            raise ActionError(f"'{name}' takes no arguments")


class _Evaluation:
    """The variables, output and work of one rendering.

    Variables are a stack, the innermost last; a block drops its own at its end.
    """

    def __init__(self, root: Value) -> None:
        self.output = Output()
        self._work = Work()
        self._names = ["$"]
        self._values = [root]

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
                    mark = len(self._names)
                    flow = self._conditional(node, dot) if isinstance(node, Conditional) else self._loop(node, dot)
                    self._drop(mark)
                    if flow is not _Flow.NEXT:
                        return flow
        return _Flow.NEXT

    def _drop(self, mark: int) -> None:
        del self._names[mark:]
        del self._values[mark:]

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

    def _next_item(self, pipeline: Pipeline, index: Value, item: Value) -> None:
        values = (index, item)[-len(pipeline.variables) :] if pipeline.variables else ()
        for position, (name, value) in enumerate(zip(pipeline.variables, values, strict=True)):
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._values[position - len(values)] = value

    def _assign(self, name: str, value: Value) -> None:
        self._values[self._position(name)] = value

    def _position(self, name: str) -> int:
        for position in reversed(range(len(self._names))):
            if self._names[position] == name:
                self._work.spend(len(self._names) - position)
                return position
        raise ActionError(f"unknown variable {shown(name)}")

    def _pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        piped: tuple[Value, ...] = ()
        for command in pipeline.commands:
            piped = (self._command(command, dot, piped),)
        (value,) = piped
        for name in pipeline.variables:
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._names.append(name)
                self._values.append(value)
        return value

    def _command(self, command: Command, dot: Value, piped: tuple[Value, ...]) -> Value:
        given = _Given(command.arguments, piped, dot)
        match command.first:
            case Call(name):
                return self._call(name, given)
            case Access():
                return self._access(command.first, given)
            case _:
                return self._operand(command.first, dot)

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self._work.spend(0)
        match operand:
            case Constant():
                return operand.value
            case Dot():
                return dot
            case Variable(name):
                return self._values[self._position(name)]
            case Call(name):
                return self._call(name, _Given((), (), dot))
            case Access():
                return self._access(operand, _Given((), (), dot))
            case Pipeline():
                return self._pipeline(operand, dot)

    def _access(self, access: Access, given: _Given) -> Value:
        value = self._operand(access.base, given.dot)
        for name in access.names[:-1]:
            value = self._member(value, name, _Given((), (), given.dot))
        return self._member(value, access.names[-1], given)

    def _member(self, owner: Value, name: str, given: _Given) -> Value:
        self._work.spend(0)
        if owner is None:
            return None
        method = type_of(owner).methods.get(name)
        if method is not None and isinstance(owner, Struct | TypedInt):
            arguments = self._arguments(f".{name}", method, given)
            return self._result(method.call(owner.source, *arguments))
        if isinstance(owner, StringMap) or (isinstance(owner, Struct) and name in owner.fields):
            given.refuse(f".{name}")
            return owner.items.get(to_bytes(name)) if isinstance(owner, StringMap) else owner.fields[name]
        raise unknown_member(type_of(owner), name)

    def _call(self, name: str, given: _Given) -> Value:
        function = FUNCTIONS[name]
        arguments = self._arguments(name, function, given)
        self._work.spend(sum(map(weight, arguments)))
        return self._result(function.call(*arguments))

    def _arguments(self, name: str, function: Function, given: _Given) -> list[Value]:
        check_count(name, function, len(given.operands) + len(given.piped))
        arguments: list[Value] = []
        for position, operand in enumerate(given.operands):
            arguments.append(self._argument(operand, function.parameter(position), given.dot))
            if truth(arguments[-1]) == function.until:
                return arguments
        return arguments + [conform(value, function.parameter(len(arguments))) for value in given.piped]

    def _argument(self, operand: Operand, wanted: GoType, dot: Value) -> Value:
        if isinstance(operand, Constant):
            return conform_constant(operand, wanted)
        return conform(self._operand(operand, dot), wanted)

    def _result(self, value: Value) -> Value:
        self._work.spend(weight(value))
        return value


def _items(value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
    """Give what ``range`` goes over: pairs of an index or key and an item."""
    match value:
        case None:
            return ()
        case Strings():
            return enumerate(value.items)
        case StringMap():
            return value.items.items()
        case bool() | float() | bytes() | Struct():
            raise ActionError(f"'range' over {described(type_of(value))}")
        case _ if variables == _WITH_INDEX:
            raise ActionError(f"'range' over {described(type_of(value))} with two variables")
        case TypedInt():
            return ((None, TypedInt(value.type, number)) for number in range(value.source))
        case int():
            return ((None, number) for number in range(value))
