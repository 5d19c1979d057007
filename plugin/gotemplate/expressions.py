"""The grammar inside an action: pipelines, commands and operands, as Go's ``text/template/parse`` has it."""

from plugin.gotemplate import literals
from plugin.gotemplate.errors import ActionError, shown
from plugin.gotemplate.lexer import Token, TokenKind
from plugin.gotemplate.limits import NESTING_LIMIT
from plugin.gotemplate.nodes import Access, Call, Command, Constant, Dot, Operand, Pipe, Variable

_MOST_LOOP_VARIABLES = 2
_END = Token(TokenKind.SYMBOL, "", spaced=True)


class TokenReader:
    """The tokens of one action, read one after the other."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._position = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without taking it; a symbol with no text at the end."""
        position = self._position + ahead
        return self._tokens[position] if position < len(self._tokens) else _END

    def take(self) -> Token:
        """Return the next token and go on to the one after it."""
        token = self.peek()
        self._position += 1
        return token

    def at_end(self) -> bool:
        """Return whether no token is left."""
        return self._position >= len(self._tokens)

    def expect_end(self) -> None:
        """Raise ``ActionError`` when a token is left."""
        if not self.at_end():
            raise _unexpected(self.peek())


def parse_pipeline(reader: TokenReader, context: str, depth: int = 0) -> Pipe:
    """Parse all that is left of an action as one pipeline.

    ``context`` is the keyword that it belongs to, or ``action``; ``depth`` is the number of blocks around it. Raises
    ``ActionError`` for what follows no rule of the grammar.
    """
    pipeline = _pipeline(reader, context, depth)
    reader.expect_end()
    return pipeline


def _pipeline(reader: TokenReader, context: str, depth: int) -> Pipe:
    if depth > NESTING_LIMIT:
        raise ActionError(f"more than {NESTING_LIMIT} blocks and parentheses inside one another")
    variables, assigns = _declaration(reader, context)
    commands: list[Command] = []
    while True:
        if reader.at_end() or reader.peek().text == ")":
            if not commands:
                raise ActionError(f"no value for {_named(context)}")
            return Pipe(tuple(commands), variables, assigns)
        command = _command(reader, depth)
        if commands and isinstance(command.first, Constant | Dot):
            raise ActionError(f"{_shown_operand(command.first)} cannot take what comes through '|'")
        commands.append(command)
        if reader.peek().text == "|":
            reader.take()


def _declaration(reader: TokenReader, context: str) -> tuple[tuple[str, ...], bool]:
    """Parse ``$x :=``, ``$x =`` and, for a loop, ``$i, $x :=``; nothing when the pipeline starts otherwise."""
    names: list[str] = []
    while reader.peek().kind is TokenKind.VARIABLE:
        after = reader.peek(1)
        if after.kind is not TokenKind.SYMBOL or after.text not in {":=", "=", ","}:
            break
        names.append(reader.take().text)
        if reader.take().text != ",":
            return tuple(names), after.text == "="
        if context != "range" or len(names) == _MOST_LOOP_VARIABLES:
            raise ActionError(f"too many variables for {_named(context)}")
    if names:
        raise ActionError("variables with a comma between them, but no ':=' after them")
    return (), False


def _command(reader: TokenReader, depth: int) -> Command:
    operands = [_operand(reader, depth)]
    while not reader.at_end() and reader.peek().text not in {"|", ")"}:
        if not reader.peek().spaced:
            raise _unexpected(reader.peek())
        operands.append(_operand(reader, depth))
    return Command(operands[0], tuple(operands[1:]))


def _operand(reader: TokenReader, depth: int) -> Operand:
    term = _term(reader, depth)
    names: list[str] = []
    while reader.peek().kind is TokenKind.FIELD and not reader.peek().spaced:
        names.append(reader.take().text[1:])
    if not names:
        return term
    if isinstance(term, Constant | Dot):
        raise ActionError(f"unexpected '.{names[0]}' after {_shown_operand(term)}")
    if isinstance(term, Access):
        return Access(term.base, (*term.names, *names))
    return Access(term, tuple(names))


def _term(reader: TokenReader, depth: int) -> Operand:
    token = reader.take()
    match token.kind:
        case TokenKind.WORD:
            return Call(token.text)
        case TokenKind.DOT:
            return Dot()
        case TokenKind.FIELD:
            return Access(Dot(), (token.text[1:],))
        case TokenKind.VARIABLE:
            return Variable(token.text)
        case TokenKind.SYMBOL if token.text == "(":
            inner = _pipeline(reader, "parentheses", depth + 1)
            if reader.take().text != ")":
                raise ActionError("'(' without its ')'")
            return inner
        case TokenKind.SYMBOL | TokenKind.KEYWORD:
            raise _unexpected(token)
        case _:
            return _constant(token)


def _constant(token: Token) -> Constant:
    match token.kind:
        case TokenKind.NIL:
            return Constant(token.text, None)
        case TokenKind.BOOL:
            return Constant(token.text, token.text == "true")
        case TokenKind.STRING:
            return Constant(token.text, literals.read_string(token.text))
        case TokenKind.RAW_STRING:
            return Constant(token.text, literals.read_raw_string(token.text))
        case TokenKind.CHARACTER:
            code = literals.read_character(token.text)
            return Constant(token.text, code, code)
        case _:
            number = literals.read_number(token.text)
            is_whole = int(number) == number and -(2**63) <= number < 2**63
            return Constant(token.text, number, int(number) if is_whole else None)


def _named(context: str) -> str:
    return context if context in {"action", "parentheses"} else f"'{context}'"


def _shown_operand(operand: Constant | Dot) -> str:
    return shown(operand.text if isinstance(operand, Constant) else ".")


def _unexpected(token: Token) -> ActionError:
    return ActionError(f"unexpected {shown(token.text)}" if token.text else "unexpected end")
