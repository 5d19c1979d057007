"""From the pieces of a template to its tree: the blocks, ``if``, ``with`` and ``range``, and what is in them."""

from plugin.gotemplate.errors import ActionError, TemplateError, placed, shown
from plugin.gotemplate.expressions import TokenReader, parse_pipeline
from plugin.gotemplate.lexer import ActionPiece, TextPiece, TokenKind, split
from plugin.gotemplate.limits import TEXT_LIMIT
from plugin.gotemplate.nodes import Action, Branch, Break, Conditional, Continue, Loop, Node, Text
from plugin.gotemplate.values import to_bytes

_BLOCKS = frozenset({"if", "with", "range"})
_ENDINGS = frozenset({"else", "end"})
_END_OF_TEXT = ActionPiece("", ())


def parse(text: str) -> tuple[Node, ...]:
    """Parse a template.

    Raises ``TemplateError`` for one that is too long or whose syntax is wrong.
    """
    if len(text) > TEXT_LIMIT:
        raise TemplateError(f"a template of {len(text)} characters is too long (at most {TEXT_LIMIT})")
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._pieces = split(text)
        self._open: list[ActionPiece] = []
        self._loops = 0

    def parse(self) -> tuple[Node, ...]:
        nodes, ending = self._nodes()
        if ending is not _END_OF_TEXT:
            raise _without_block(_keyword(ending)).at(ending.source)
        return nodes

    def _nodes(self) -> tuple[tuple[Node, ...], ActionPiece]:
        """Parse up to the ``else`` or ``end`` of the block around, or to the end of the text; give that too."""
        nodes: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, TextPiece):
                nodes.append(Text(to_bytes(piece.text)))
            elif _keyword(piece) in _ENDINGS:
                return tuple(nodes), piece
            elif _keyword(piece) in _BLOCKS:
                nodes.append(self._block(piece))
            else:
                with placed(piece.source):
                    nodes.append(self._action(piece))
        if self._open:
            raise TemplateError(f"{shown(self._open[-1].source)} without its '{{{{end}}}}'")
        return tuple(nodes), _END_OF_TEXT

    def _action(self, piece: ActionPiece) -> Node:
        reader = TokenReader(piece.tokens)
        keyword = _keyword(piece)
        if not keyword:
            return Action(piece.source, parse_pipeline(reader, "action", len(self._open)))
        if keyword not in {"break", "continue"}:
            raise ActionError(f"'{keyword}' is not supported")
        reader.take()
        reader.expect_end()
        if not self._loops:
            raise ActionError(f"'{keyword}' outside of 'range'")
        return Break() if keyword == "break" else Continue()

    def _block(self, piece: ActionPiece) -> Node:
        keyword = _keyword(piece)
        self._open.append(piece)
        branches, otherwise = self._branches(piece, keyword)
        self._open.pop()
        if keyword == "range":
            return Loop(piece.source, branches[0].pipeline, branches[0].body, otherwise)
        return Conditional(keyword == "with", branches, otherwise)

    def _branches(self, start: ActionPiece, keyword: str) -> tuple[tuple[Branch, ...], tuple[Node, ...]]:
        """Parse a block whose first action is known up to its ``end``.

        ``else if`` and ``else with`` add branches to a block that began with the same word.
        """
        branches: list[Branch] = []
        reader = TokenReader(start.tokens)
        reader.take()
        while True:
            with placed(start.source):
                pipeline = parse_pipeline(reader, keyword, len(self._open))
            self._loops += keyword == "range"
            body, ending = self._nodes()
            self._loops -= keyword == "range"
            branches.append(Branch(start.source, pipeline, body))
            reader = TokenReader(ending.tokens)
            if reader.take().text == "end":
                break
            if reader.at_end():
                otherwise, ending = self._nodes()
                with placed(ending.source):
                    _expect_end(ending)
                return tuple(branches), otherwise
            with placed(ending.source):
                if reader.peek().text != keyword or keyword == "range":
                    raise ActionError(f"unexpected {shown(reader.peek().text)} after 'else'")
            reader.take()
            start = ending
        with placed(ending.source):
            reader.expect_end()
        return tuple(branches), ()


def _expect_end(piece: ActionPiece) -> None:
    reader = TokenReader(piece.tokens)
    if reader.take().text != "end":
        raise ActionError("a second 'else'")
    reader.expect_end()


def _keyword(piece: ActionPiece) -> str:
    first = piece.tokens[:1]
    return first[0].text if first and first[0].kind is TokenKind.KEYWORD else ""


def _without_block(keyword: str) -> ActionError:
    return ActionError(f"'{keyword}' without 'if', 'with' or 'range'")
