"""What goes wrong in a template: the error that callers see, and the one that does not know its place yet."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator

_SHOWN_LENGTH = 80
_READ_LENGTH = 4 * _SHOWN_LENGTH
_LONGEST_GUESSED = 64
_SHORTEST_PART = 3
_LIKENESS = 0.55


class TemplateError(Exception):
    """A template that cannot be compiled or rendered; the message names the action that is at fault."""


class ActionError(Exception):
    """What is wrong with an action, raised where it is not known which action it is.

    Whoever knows the action's text turns it into a ``TemplateError`` with ``at``.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def at(self, source: str) -> TemplateError:
        """Return the error with its place: the text of an action, from ``{{`` to ``}}``."""
        return TemplateError(f"{self.what} in {shown(source)}{self.hint}")


@contextlib.contextmanager
def placed(source: str) -> Iterator[None]:
    """Turn an ``ActionError`` from inside into the ``TemplateError`` that names the action."""
    try:
        yield
    except ActionError as error:
        raise error.at(source) from None


def shown(text: str) -> str:
    """Quote a piece of a template for a message: on one line, and not longer than a person reads."""
    line = " ".join(text[:_READ_LENGTH].split())
    is_whole = len(text) <= _READ_LENGTH and len(line) <= _SHOWN_LENGTH
    return f"'{line}'" if is_whole else f"'{line[:_SHOWN_LENGTH]}…'"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that proposes the known name closest to a wrong one; empty when none is close.

    Upper and lower case, underscores and what comes before the first letter do not count.
    """
    if len(name) > _LONGEST_GUESSED:
        return ""
    plain = _plain(name)
    candidates = {_plain(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(plain, candidates, n=1, cutoff=_LIKENESS)
    if not found and len(plain) >= _SHORTEST_PART:
        found = [candidate for candidate in candidates if plain in candidate]
    return f" (did you mean '{candidates[found[0]]}'?)" if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").lstrip("$.")
