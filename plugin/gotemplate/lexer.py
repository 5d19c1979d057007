"""From the text of a template to its pieces: plain text, and actions cut into tokens.

Follows the lexer of Go's ``text/template/parse``: comments are dropped and trim markers applied here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from plugin.gotemplate.errors import ActionError, TemplateError, shown

_SPACE = " \t\r\n"
_KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"))
_TERMINATORS = frozenset(" \t\r\n.,|:()")

_OPENING = re.compile(r"\{\{(?P<trim>-[ \t\r\n])?(?P<comment>/\*)?")
_CLOSING = re.compile(r"(?P<trim>[ \t\r\n]+-)?\}\}")
_COMMENT_CLOSING = re.compile(r"(?P<trim>[ \t\r\n]-)?\}\}")
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<string>"(?:\\[^\n]|[^"\\\n])*")
    | (?P<raw_string>`[^`]*`)
    | (?P<character>'(?:\\[^\n]|[^'\\\n])*')
    | (?P<declare>:=)
    | (?P<symbol>[=|(),])
    | (?P<variable>\$\w*)
    | (?P<number>(?=[-+]|\.?[0-9])[-+]?(?:
          0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][-+]?[0-9_]*)?
        | 0[oO][0-7_]*(?:\.[0-7_]*)?
        | 0[bB][01_]*(?:\.[01_]*)?
        | [0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]*)?)i?)
    | (?P<field>\.\w+)
    | (?P<dot>\.)
    | (?P<word>\w+)
    """,
    re.VERBOSE,
)


class TokenKind(StrEnum):
    """What a token is; the values are the words for it in messages."""

    STRING = "string"
    RAW_STRING = "raw string"
    CHARACTER = "character"
    NUMBER = "number"
    BOOL = "bool"
    NIL = "nil"
    DOT = "dot"
    FIELD = "field"
    VARIABLE = "variable"
    WORD = "function"
    KEYWORD = "keyword"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    """The smallest part of an action; ``spaced`` tells whether white space comes before it."""

    kind: TokenKind
    text: str
    spaced: bool


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text that is printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class ActionPiece:
    """An action: its text from ``{{`` to ``}}``, and its tokens."""

    source: str
    tokens: tuple[Token, ...]


Piece = TextPiece | ActionPiece


def split(text: str) -> Iterator[Piece]:
    """Cut a template into pieces, in order.

    Raises ``TemplateError`` for an action or comment that is not closed and for what cannot be a token.
    """
    position = 0
    trim = False
    while opening := _OPENING.search(text, position):
        before = text[position : opening.start()]
        before = before.lstrip(_SPACE) if trim else before
        before = before.rstrip(_SPACE) if opening["trim"] else before
        if before:
            yield TextPiece(before)
        if opening["comment"]:
            closing = _end_of_comment(text, opening)
        else:
            tokens, closing = _tokens(text, opening)
            yield ActionPiece(text[opening.start() : closing.end()], tokens)
        position = closing.end()
        trim = closing["trim"] is not None
    rest = text[position:].lstrip(_SPACE) if trim else text[position:]
    if rest:
        yield TextPiece(rest)


def _end_of_comment(text: str, opening: re.Match[str]) -> re.Match[str]:
    end = text.find("*/", opening.end())
    if end < 0:
        raise TemplateError(f"comment without its '*/' in {shown(text[opening.start() :])}")
    closing = _COMMENT_CLOSING.match(text, end + 2)
    if closing is None:
        raise TemplateError(f"'*/' without '}}}}' after it in {shown(text[opening.start() : end + 2])}")
    return closing


def _tokens(text: str, opening: re.Match[str]) -> tuple[tuple[Token, ...], re.Match[str]]:
    tokens: list[Token] = []
    position = opening.end()
    spaced = False
    while (closing := _CLOSING.match(text, position)) is None:
        if position == len(text):
            raise TemplateError(f"action without its '}}}}' in {shown(text[opening.start() :])}")
        try:
            kind, end = _token(text, position)
        except ActionError as error:
            raise error.at(_rest_of_action(text, opening.start(), position)) from None
        if kind is not None:
            tokens.append(Token(kind, text[position:end], spaced))
        spaced = kind is None
        position = end
    return tuple(tokens), closing


def _token(text: str, start: int) -> tuple[TokenKind | None, int]:
    """Return kind and end of the token at a position; no kind for white space."""
    found = _TOKEN.match(text, start)
    if found is None or found.lastgroup is None:
        raise ActionError(_unknown(text[start]))
    end = found.end()
    match found.lastgroup:
        case "space":
            return None, end
        case "declare" | "symbol":
            return TokenKind.SYMBOL, end
        case "string" | "raw_string" | "character" as group:
            return TokenKind[group.upper()], end
        case "number":
            _check_number(text, found)
            return TokenKind.NUMBER, end
        case "dot":
            _check_terminated(text, end)
            return TokenKind.DOT, end
        case "field" | "variable" as group:
            _check_word(found[0][1:])
            _check_terminated(text, end)
            return TokenKind[group.upper()], end
        case _:
            _check_word(found[0])
            _check_terminated(text, end)
            return _kind_of_word(found[0]), end


def _kind_of_word(word: str) -> TokenKind:
    if word in _KEYWORDS:
        return TokenKind.KEYWORD
    if word == "nil":
        return TokenKind.NIL
    return TokenKind.BOOL if word in {"true", "false"} else TokenKind.WORD


def _check_number(text: str, found: re.Match[str]) -> None:
    after = text[found.end() : found.end() + 1]
    if after and (after in "+-" or _alphanumeric(after)):
        raise ActionError(f"bad number {shown(found[0] + after)}")


def _check_word(word: str) -> None:
    for character in word:
        if not _alphanumeric(character):
            raise ActionError(_unknown(character))


def _check_terminated(text: str, end: int) -> None:
    """Refuse two tokens that touch; Go keeps that room free for operators."""
    after = text[end : end + 1]
    if after and after not in _TERMINATORS and not text.startswith("}}", end):
        raise ActionError(_unknown(after))


def _alphanumeric(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()


def _unknown(character: str) -> str:
    if character in "\"'`":
        return f"unexpected or unclosed {character!r}"
    return f"unexpected {character!r}" if character.isprintable() else f"unexpected U+{ord(character):04X}"


def _rest_of_action(text: str, start: int, position: int) -> str:
    """Return an action that is at fault from its start to what is likely its end."""
    end = text.find("}}", position)
    return text[start : end + 2] if end >= 0 else text[start:]
