"""What can be said against a template before it is rendered: unknown names, and types as far as they are certain.

A type that only rendering tells is ``ANY`` here: that of a map's item taken as a field (which may be missing), of what
``index`` or ``and`` gives, and of a variable that is assigned to. Branches that may never be taken are checked too.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from plugin.gotemplate.arguments import check_count, check_type, conform_constant, unknown_member
from plugin.gotemplate.errors import ActionError, did_you_mean, placed, shown
from plugin.gotemplate.functions import FUNCTIONS
from plugin.gotemplate.nodes import (
    Access,
    Action,
    Call,
    Command,
    Conditional,
    Constant,
    Dot,
    Loop,
    Node,
    Operand,
    Pipeline,
    Variable,
    pipelines,
)
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

_WITH_INDEX = 2


def check(nodes: tuple[Node, ...], over: GoType) -> None:
    """Check a tree that will be rendered over a value of a type.

    Raises ``TagError`` for the first fault.
    """
    assigned = {name for pipeline in pipelines(nodes) if pipeline.assigns for name in pipeline.variables}
    _Checker(over, frozenset(assigned)).run(nodes, over)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a function or method is given: operands, and the type of what comes through the pipe."""

    operands: tuple[Operand, ...]
    piped: tuple[GoType, ...]
    dot: GoType


class _Checker:
    """The variables that are known at a point of the template, innermost last, with their types."""

    def __init__(self, over: GoType, assigned: frozenset[str]) -> None:
        self._over = over
        self._assigned = assigned
        self._variables: list[tuple[str, GoType]] = []
        self._declare("$", over)

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

    @contextlib.contextmanager
    def _scope(self) -> Iterator[None]:
        mark = len(self._variables)
        yield
        del self._variables[mark:]

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

    def _declare(self, name: str, kind: GoType) -> None:
        self._variables.append((name, ANY if name in self._assigned else kind))

    def _variable(self, name: str) -> GoType:
        for known, kind in reversed(self._variables):
            if known == name:
                return kind
        variables = (known for known, _ in self._variables[1:])
        raise ActionError(f"unknown variable {shown(name)}", did_you_mean(name, (*self._members("$."), *variables)))

    def _members(self, prefix: str) -> Iterator[str]:
        return (f"{prefix}{member}" for member in (*self._over.methods, *self._over.fields))

    def _pipeline(self, pipeline: Pipeline, dot: GoType) -> GoType:
        piped: tuple[GoType, ...] = ()
        for command in pipeline.commands:
            piped = (self._command(command, _Given(command.arguments, piped, dot)),)
        (kind,) = piped
        for name in pipeline.variables:
            if pipeline.assigns:
                self._variable(name)
            else:
                self._declare(name, kind)
        return kind

    def _command(self, command: Command, given: _Given) -> GoType:
        match command.first:
            case Call(name):
                return self._call(name, given)
            case Access():
                return self._access(command.first, given)
            case Constant(text, None, _):
                raise ActionError(f"{text} cannot stand alone")
            case _ if given.operands or given.piped:
                raise ActionError(f"{_named(command.first)} is no function and takes no arguments")
            case _:
                return self._operand(command.first, given.dot)

    def _operand(self, operand: Operand, dot: GoType) -> GoType:
        match operand:
            case Constant():
                return type_of(operand.value)
            case Dot():
                return dot
            case Variable(name):
                return self._variable(name)
            case Call(name):
                return self._call(name, _Given((), (), dot))
            case Access():
                return self._access(operand, _Given((), (), dot))
            case Pipeline():
                return self._pipeline(operand, dot)

    def _access(self, access: Access, given: _Given) -> GoType:
        kind = self._operand(access.base, given.dot)
        for name in access.names[:-1]:
            kind = self._member(kind, name, _Given((), (), given.dot))
        return self._member(kind, access.names[-1], given)

    def _member(self, owner: GoType, name: str, given: _Given) -> GoType:
        if owner is ANY:
            for operand in given.operands:
                self._argument(operand, ANY, given.dot)
            return ANY
        method = owner.methods.get(name)
        if method is not None:
            self._arguments(f".{name}", method, given)
            return method.result
        if owner is not STRING_MAP and name not in owner.fields:
            raise unknown_member(owner, name)
        if given.operands or given.piped:
            raise ActionError(f"'.{name}' takes no arguments")
        return owner.fields.get(name, ANY)

    def _call(self, name: str, given: _Given) -> GoType:
        function = FUNCTIONS.get(name)
        if function is None:
            known = (*self._members("."), *FUNCTIONS)
            raise ActionError(f"unknown function {shown(name)}", did_you_mean(name, known))
        self._arguments(name, function, given)
        return function.result

    def _arguments(self, name: str, function: Function, given: _Given) -> None:
        count = len(given.operands)
        check_count(name, function, count + len(given.piped))
        for position, operand in enumerate(given.operands):
            self._argument(operand, function.parameter(position), given.dot)
        for kind in given.piped:
            check_type(kind, function.parameter(count))

    def _argument(self, operand: Operand, wanted: GoType, dot: GoType) -> None:
        if isinstance(operand, Constant):
            conform_constant(operand, wanted)
        else:
            check_type(self._operand(operand, dot), wanted)


def _named(operand: Operand) -> str:
    match operand:
        case Constant(text, _, _):
            return shown(text)
        case Variable(name):
            return shown(name)
        case Dot():
            return "'.'"
        case _:
            return "what is in parentheses"


def _item_types(kind: GoType, variables: int) -> tuple[GoType, GoType]:
    """Give the types of what ``range`` goes over: of the index or key, and of an item."""
    if kind is ANY:
        return ANY, ANY
    if kind in {STRINGS, STRING_MAP}:
        return (INT if kind is STRINGS else STRING), STRING
    if kind not in INTEGERS:
        raise ActionError(f"'range' over {described(kind)}")
    if variables == _WITH_INDEX:
        raise ActionError(f"'range' over {described(kind)} with two variables")
    return kind, kind
