"""The labels and environment variables that go along with a container's lines, chosen by log-opts as in Docker."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import re2

from plugin.docker.info import Info

_MISSING = re.compile(r"\(\?<?[=!]|\(\?<|\\[1-9]")
_WITHOUT = "RE2 has neither look-around nor back-references, so that every pattern takes linear time"

_QUIET = re2.Options()
_QUIET.log_errors = False


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str) -> object | None:
        """Find the pattern anywhere in a text; None when it is not there."""


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern in RE2 syntax, which is that of Go and so of Docker's options.

    Raises ``ValueError`` for a pattern that is wrong or too large, with a message that says what is wrong with it.
    """
    try:
        pattern: Pattern = re2.compile(text, _QUIET)
    except UnicodeError:
        raise ValueError("a regular expression with characters that are not valid Unicode") from None
    except re2.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {_complaint(error)}") from None
    return pattern


def extra_attributes(info: Info, options: Mapping[str, str]) -> dict[str, str]:
    """Choose labels and environment variables by the options ``labels``, ``labels-regex``, ``env`` and ``env-regex``.

    The name of each is its name in the container. Where several have the same name, an environment variable wins over
    a label. Patterns may match anywhere in a name. Raises ``ValueError`` for a pattern that is wrong.

    Source: ``Info.ExtraAttributes`` in moby's ``daemon/logger/loginfo.go``.
    """
    labels = info.container_labels or {}
    environment = dict(_variables(info.container_env or ()))
    chosen: dict[str, str] = {}
    for values, names, pattern in ((labels, "labels", "labels-regex"), (environment, "env", "env-regex")):
        chosen |= {name: values[name] for name in _listed(values, options.get(names, ""))}
        chosen |= {name: values[name] for name in _matching(values, options.get(pattern, ""))}
    return chosen


def _variables(environment: Iterable[str]) -> Iterator[tuple[str, str]]:
    for variable in environment:
        name, separator, value = variable.partition("=")
        if separator:
            yield name, value


def _listed(names: Iterable[str], option: str) -> list[str]:
    listed = [item.strip() for item in option.split(",")] if option else []
    return [name for name in names if name in listed]


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    if not pattern:
        return []
    compiled = compile_pattern(pattern)
    return [name for name in names if compiled.search(name)]


def _complaint(error: Exception) -> str:
    detail = error.args[0] if error.args else error
    complaint = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    return f"{complaint} ({_WITHOUT})" if _MISSING.search(complaint) else complaint
