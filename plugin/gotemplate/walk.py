"""The walk over pipelines and operands that checking and rendering share: variables, calls, fields and arguments.

The checker walks with types, the evaluator with values; what differs between the two is in the abstract methods.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from plugin.gotemplate.arguments import check_count, unknown_member
from plugin.gotemplate.errors import ActionError, did_you_mean, shown
from plugin.gotemplate.nodes import Access, Call, Command, Constant, Dot, Operand, Pipe, Variable
from plugin.gotemplate.values import STRING_MAP, Function, GoType

WITH_INDEX = 2
"""Variables of a ``range`` that asks for the index or key as well."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CallInputs(Generic[_T]):
    """What a function or method gets: operands, not walked yet, and what comes through the pipe."""

    operands: tuple[Operand, ...]
    piped: tuple[_T, ...]
    dot: _T

    def refuse(self, name: str) -> None:
        """Raise ``ActionError`` when there is anything, for what is not a method."""
        if self.operands or self.piped:
            raise ActionError(f"'{name}' takes no arguments")


class Walk(ABC, Generic[_T]):
    """The variables at a point of a template, and what its pipelines come to.

    Variables are a stack, the innermost last; a block drops its own at its end.
    """

    def __init__(self, root: _T, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._root_type = self._type(root)
        self._names: list[str] = []
        self._values: list[_T] = []
        self._declare("$", root)

    @abstractmethod
    def _type(self, value: _T) -> GoType:
        """Return the type of a value."""

    @abstractmethod
    def _constant(self, constant: Constant) -> _T:
        """Return what a literal is by itself."""

    @abstractmethod
    def _conform_constant(self, constant: Constant, wanted: GoType) -> _T:
        """Return what a literal is as an argument of a type; raises ``ActionError`` when it does not fit."""

    @abstractmethod
    def _conform(self, value: _T, wanted: GoType) -> _T:
        """Return a value as an argument of a type; raises ``ActionError`` when it does not fit."""

    @abstractmethod
    def _field(self, owner: _T, name: str) -> _T:
        """Return a field that the owner's type has, or the item of a map."""

    @abstractmethod
    def _invoke(self, owner: _T, method: Function, arguments: list[_T], /) -> _T:
        """Return the result of a method."""

    @abstractmethod
    def _apply(self, function: Function, arguments: list[_T], /) -> _T:
        """Return the result of a function."""

    def _is_decided(self, _function: Function, _argument: _T, /) -> bool:
        """Return whether the arguments after this one are not looked at."""
        return False

    @contextlib.contextmanager
    def _scope(self) -> Iterator[None]:
        mark = len(self._names)
        yield
        self._drop(mark)

    def _drop(self, mark: int) -> None:
        del self._names[mark:]
        del self._values[mark:]

    def _declare(self, name: str, value: _T) -> None:
        self._names.append(name)
        self._values.append(value)

    def _assign(self, name: str, value: _T, /) -> None:
        self._values[self._position(name)] = value

    def _position(self, name: str) -> int:
        for position in reversed(range(len(self._names))):
            if self._names[position] == name:
                return position
        known = (*self._members("$."), *self._names[1:])
        raise ActionError(f"unknown variable {shown(name)}", did_you_mean(name, known))

    def _members(self, prefix: str) -> Iterator[str]:
        return (f"{prefix}{member}" for member in (*self._root_type.methods, *self._root_type.fields))

    def _pipeline(self, pipeline: Pipe, dot: _T) -> _T:
        piped: tuple[_T, ...] = ()
        for command in pipeline.commands:
            piped = (self._command(command, CallInputs(command.arguments, piped, dot)),)
        (value,) = piped
        for name in pipeline.variables:
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._declare(name, value)
        return value

    def _command(self, command: Command, inputs: CallInputs[_T]) -> _T:
        match command.first:
            case Call(name):
                return self._call(name, inputs)
            case Access():
                return self._access(command.first, inputs)
            case Constant(text, None, _):
                raise ActionError(f"{text} cannot stand alone")
            case _ if inputs.operands or inputs.piped:
                raise ActionError(f"{_named(command.first)} is not a function and takes no arguments")
            case _:
                return self._operand(command.first, inputs.dot)

    def _operand(self, operand: Operand, dot: _T) -> _T:
        match operand:
            case Constant():
                return self._constant(operand)
            case Dot():
                return dot
            case Variable(name):
                return self._values[self._position(name)]
            case Call(name):
                return self._call(name, CallInputs((), (), dot))
            case Access():
                return self._access(operand, CallInputs((), (), dot))
            case Pipe():
                return self._pipeline(operand, dot)

    def _access(self, access: Access, inputs: CallInputs[_T]) -> _T:
        value = self._operand(access.base, inputs.dot)
        for name in access.names[:-1]:
            value = self._member(value, name, CallInputs((), (), inputs.dot))
        return self._member(value, access.names[-1], inputs)

    def _member(self, owner: _T, name: str, inputs: CallInputs[_T]) -> _T:
        kind = self._type(owner)
        method = kind.methods.get(name)
        if method is not None:
            return self._invoke(owner, method, self._arguments(f".{name}", method, inputs))
        if kind is not STRING_MAP and name not in kind.fields:
            raise unknown_member(kind, name)
        inputs.refuse(f".{name}")
        return self._field(owner, name)

    def _call(self, name: str, inputs: CallInputs[_T]) -> _T:
        function = self._functions.get(name)
        if function is None:
            known = (*self._members("."), *self._functions)
            raise ActionError(f"unknown function {shown(name)}", did_you_mean(name, known))
        return self._apply(function, self._arguments(name, function, inputs))

    def _arguments(self, name: str, function: Function, inputs: CallInputs[_T]) -> list[_T]:
        check_count(name, function, len(inputs.operands) + len(inputs.piped))
        arguments: list[_T] = []
        for position, operand in enumerate(inputs.operands):
            arguments.append(self._argument(operand, function.parameter(position), inputs.dot))
            if self._is_decided(function, arguments[-1]):
                return arguments
        return arguments + [self._conform(value, function.parameter(len(arguments))) for value in inputs.piped]

    def _argument(self, operand: Operand, wanted: GoType, dot: _T) -> _T:
        if isinstance(operand, Constant):
            return self._conform_constant(operand, wanted)
        return self._conform(self._operand(operand, dot), wanted)


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
