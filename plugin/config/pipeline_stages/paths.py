"""Ways into a JSON document, in the part of JMESPath (https://jmespath.org/specification.html) that is supported."""

import json
import re

from plugin.config.parsing import quote
from plugin.config.pipeline_stages.model import Path

_TOKEN = re.compile(
    r'\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<place>\[\s*-?[0-9]{1,9}\s*\])'
    r"|(?P<dot>\.)|(?P<or>\|\|)|(?P<whole>@))"
)
_MOST_STEPS = 50


def parse_path(text: str) -> Path:
    """Read ``a.b``, ``"a.b"[0].c``, ``a || b``; raises ``ValueError`` for anything else, also of JMESPath."""
    paths: list[tuple[str | int, ...]] = []
    steps: list[str | int] = []
    position, end = 0, len(text.rstrip())
    follows = ""  # what came before: nothing, a "step" or a "dot"
    count = 0
    while position < end:
        token = _TOKEN.match(text, position, end)
        kind = token.lastgroup if token else None
        if token is None or not _may_follow(kind, follows) or count == _MOST_STEPS:
            raise _unsupported(text)
        position = token.end()
        count += 1
        match kind:
            case "name":
                steps.append(token["name"])
            case "quoted":
                steps.append(_unquoted(token["quoted"], text))
            case "place":
                steps.append(int(token["place"][1:-1]))
            case "or":
                paths.append(tuple(steps))
                steps = []
        follows = {"dot": "dot", "or": ""}.get(kind or "", "step")
    if follows != "step":
        raise _unsupported(text)
    return (*paths, tuple(steps))


def _may_follow(kind: str | None, follows: str) -> bool:
    match kind:
        case "name" | "quoted":
            return follows != "step"
        case "whole":
            return not follows
        case "place":
            return follows != "dot"
    return follows == "step"


def _unquoted(quoted: str, text: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        raise _unsupported(text) from None


def _unsupported(text: str) -> ValueError:
    return ValueError(
        f'{quote(text)} is not a path (of JMESPath there are names, "quoted names", dots, [places] and ||; for more,'
        " take the object, and its values in further stages)"
    )
