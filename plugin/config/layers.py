"""Log-opts as they were given: at the container, and plugin-wide; looked up by what they stand for, and read."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

from plugin.config.parsing import closest_name, printable, quote
from plugin.config.schema import GROUPS, PER_INSTANCE, Known, Option, Schema
from plugin.config.secrets import Secret, read_secret
from plugin.errors import PeaveyError

T = TypeVar("T")

LONGEST_VALUE = 65_536
"""The most characters that one log-opt may have."""
MOST_IN_ALL = 262_144
"""The most characters that all log-opts of one container, names and values, may have."""
_ELSEWHERE = {
    "logentries-": "Docker has no such driver any more either; syslog-address sends to Rapid7's collector",
    "gelf-tls-": "GELF is sent by udp:// or tcp:// only",
}
"""What to do with options of other drivers, by how their names begin, for as long as no sink declares them."""
_MOST_GUESSES = 16  # comparing an unknown name with all known ones takes a millisecond
_LONGEST_FAULT = 1_000
_WORTH_REMEMBERING = 256


@dataclass(frozen=True, slots=True)
class Given:
    """One log-opt that was given, and what it stands for."""

    written: str
    origin: str
    """Where it was given, for messages: empty for the container's own."""
    instance: str
    """The instance of a sink that it is for; empty for all."""
    known: Known
    text: str

    @property
    def label(self) -> str:
        """How messages begin that are about it; the value is not in there."""
        return f"log-opt {quote(self.written)}{self.origin}"

    @property
    def is_blank(self) -> bool:
        """Whether it is empty and so counts as the built-in default, or as missing where it is required."""
        option = self.known.option
        return not self.text and (self.known.is_file or option.required or not option.kind.keeps_empty)

    def read(self) -> Any:
        """Return the typed value, from the file where the option names one.

        Raises `ValueError` with a complete fault, which shows no secret.
        """
        option = self.known.option
        try:
            return self._permitted()
        except (ValueError, PeaveyError) as error:
            if option.kind.secret and not self.known.is_file:
                raise ValueError(f"{self.label}: not accepted (expected: {option.kind.accepts})") from None
            fault = printable(str(error))
            fault = fault if len(fault) <= _LONGEST_FAULT else fault[:_LONGEST_FAULT] + "…"
            raise ValueError(f"{self.label}: {fault}") from error

    def _permitted(self) -> Any:
        """Return the typed value; raise what its kind does, or `ValueError` if it may not be used, without a secret."""
        if len(self.text) > LONGEST_VALUE:  # looked at before anything else is
            raise ValueError(f"its value has {len(self.text):,} characters, at most {LONGEST_VALUE:,} are accepted")
        kind = self.known.option.kind
        value = kind.parse(read_secret(self.text)) if self.known.is_file else self._parsed()
        if kind.permit is not None:
            kind.permit(value)
        return value

    def _parsed(self) -> Any:
        """Return the value that the text is read as; costly ones are read once, whoever gives them."""
        kind = self.known.option.kind
        if kind.secret or len(self.text) < _WORTH_REMEMBERING:
            return kind.parse(self.text)
        outcome = _parse(kind.parse, self.text)
        if isinstance(outcome, _Fault):
            raise ValueError(outcome.text)  # noqa: TRY004 (it is what was at fault with the text)
        return outcome


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a text could not be read."""

    text: str


@lru_cache(maxsize=256)
def _parse(parse: Callable[[str], Any], text: str) -> Any:
    """Parse a text; a fault is an outcome too, and remembered as any other."""
    try:
        return parse(text)
    except (ValueError, PeaveyError) as error:
        return _Fault(str(error))


Layer = dict[tuple[str, str], Given]
"""What was given at one place, by instance (empty for all) and name of the option."""


class Layers:
    """All that was given, in layers, the strongest first; what is wrong with it is added to ``faults``.

    Without ``guess``, what an unknown name was meant to be is not looked for. Layers whose numbers are ``silent`` give
    values, but choose no sinks.
    """

    def __init__(
        self,
        schema: Schema,
        configs: Iterable[tuple[Mapping[str, str], str]],
        *,
        guess: bool = True,
        silent: Container[int] = (),
    ) -> None:
        self.schema = schema
        self.faults: list[str] = []
        self.guessed: set[str] = set()
        """Names that unknown ones were probably meant to be."""
        self._guesses = _MOST_GUESSES if guess else 0
        self._layers = [self._read_layer(config, origin) for config, origin in configs]
        self.choosing = [layer for number, layer in enumerate(self._layers) if number not in silent]
        """The layers that may choose sinks, the strongest first."""

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over the layers, the strongest first."""
        return iter(self._layers)

    def candidates(self, *keys: tuple[str, str]) -> Iterator[Given]:
        """Yield what was given for one purpose, the best first: by layer, then in the order of the keys."""
        for layer in self._layers:
            for key in keys:
                if key in layer:
                    yield layer[key]

    def value(
        self, option: Option[T], *keys: tuple[str, str], default: str | None = None, keeps_empty: bool = False
    ) -> T:
        """Return the value that a common option has, from the first candidate that is not at fault, or its default.

        ``keys`` are those of `candidates`; without any, the option itself. ``default`` stands before the option's own,
        and with ``keeps_empty`` an empty text is a value.
        """
        for given in self.candidates(*(keys or (("", option.name),))):
            if given.is_blank and not keeps_empty:
                break
            try:
                return cast("T", given.read())
            except ValueError as fault:
                self.faults.append(str(fault))
        return option.default_value() if default is None else option.kind.parse(default)

    def family(self, option: Option[T], instance: str) -> Mapping[str, T]:
        """Return what a family has for one sink, by what is behind its dot; what is given empty is left out.

        In each layer, what is given for the instance is stronger than what is given for all.
        """
        beginning = option.name[:-1]
        names = {name: None for layer in self._layers for _, name in layer if name.startswith(beginning)}
        values: dict[str, T] = {}
        for name in names:
            given = next(self.candidates((instance, name), ("", name)), None)
            if given is None or not given.text:
                continue
            if name == beginning:
                self.faults.append(f"{given.label} needs a name behind the dot, such as {quote(beginning + '1')}")
                continue
            try:
                values[name.removeprefix(beginning)] = given.read()
            except ValueError as fault:
                self.faults.append(str(fault))
        return MappingProxyType(values)

    def _read_layer(self, config: Mapping[str, str], origin: str) -> Layer:
        layer: Layer = {}
        size = sum(map(len, config)) + sum(map(len, config.values()))
        if size > MOST_IN_ALL:
            self.faults.append(f"the log-opts{origin} have {size:,} characters, at most {MOST_IN_ALL:,} are accepted")
        for written, text in config.items():
            instance, name = self.schema.split(written)
            known = self.schema.find(name)
            if known is None:
                self.faults.append(self._unknown(written, origin))
                continue
            given = Given(written, origin, instance, known, text)
            if instance and known.option.group not in PER_INSTANCE:
                self.faults.append(f"{given.label}: {name} cannot differ between sinks (write {quote(name)})")
                continue
            key = (instance, name if known.option.is_family else known.option.name)
            other = layer.setdefault(key, given)
            if other is not given:
                self.faults.append(f"{other.label} and {given.label} say the same: give one of them")
        return layer

    def _unknown(self, written: str, origin: str) -> str:
        instance, dot, name = written.rpartition(".")
        for prefix, advice in _ELSEWHERE.items():
            if name.startswith(prefix):
                return f"log-opt {quote(written)}{origin} is for a driver that Peavey has no sink for: {advice}"
        closest = None
        if self._guesses:
            self._guesses -= 1
            closest = closest_name(name, self.schema.names(PER_INSTANCE if instance else GROUPS))
        if closest is None:
            return f"unknown log-opt {quote(written)}{origin}"
        self.guessed.add(closest)
        return f"unknown log-opt {quote(written)}{origin} (did you mean {quote(instance + dot + closest)}?)"


def shown(given: Given) -> str | Secret:
    """Return the text as given, wrapped if it is a secret itself rather than the name of a file that holds one."""
    return Secret(given.text) if given.known.option.kind.secret and not given.known.is_file else given.text
