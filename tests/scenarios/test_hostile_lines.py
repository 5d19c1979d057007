"""Lines and patterns that are made to take long hold up their own container at most: a neighbour's arrive meanwhile.

Nothing here is timed: the hostile container prints on until the neighbour's lines have arrived.
"""

import itertools
import threading

from tests.sinks.receiving.process import Receivers
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Engine

MEBIBYTE = 1 << 20
PAUSE = 0.5  # seconds between hostile lines, which must all be delivered in the end
DEPTH = 10_000
LINES = [
    b"{" * (MEBIBYTE - 1),
    b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    b"[" * DEPTH + b"]" * DEPTH,
    b"7" * (MEBIBYTE - 1),
    b"a" * (MEBIBYTE - 2) + b"!",  # what nested quantifiers nearly match
    b"=" * (MEBIBYTE - 1),
    b'"' * (MEBIBYTE - 1),
    b'a="' + b"\\" * (MEBIBYTE // 4),
    b"\x1b[31m" * (MEBIBYTE // 20),
    b"1:2:" * (MEBIBYTE // 16),  # what may become an address
    b"password=" * (MEBIBYTE // 36),
]
STAGES = """
- json: {expressions: {a: 'a.a.a || b'}}
- logfmt: {mapping: {a: }}
- regex: {expression: '(?P<x>(a*)*(a|a)*(a+)+)b$'}
- replace: {expression: '((a+)+)$', replace: '{{ .Value | ToUpper }}'}
- template: {source: made, template: '{{ regexReplaceAll "a.*b|a" .Entry "x" }}'}
- match: {selector: '{source="stdout"} |~ "((a*)*(a|aa)+)+c"', stages: [{drop: {expression: '(.*)*(.*)*x$'}}]}
- multiline: {firstline: '^((a|a|[^{])*)*b$'}
"""
OPTIONS = {
    "multiline": "auto",
    "parse": "auto",
    "parse-pattern": r"^(?P<field>((a+)+)+)$",
    "exclude": r"(.*)*(.*)*(.*)*x$",
    "dedupe": "1s",
    "redact": "all",
    "redact-pattern": r"a.*b|((a*)*(a|aa)+)+c",
    "loki-pipeline-stages": STAGES,
}


def test_a_neighbours_lines_arrive_meanwhile(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("loki")
    hostile = engine.run(receiver.options | OPTIONS)
    neighbour = engine.run(receiver.options)
    enough = threading.Event()
    all_printed_once = threading.Event()

    def print_on() -> None:
        for number, line in enumerate(itertools.cycle(LINES), 1):
            hostile.print(line + b"\n")
            if number >= len(LINES):
                all_printed_once.set()
                if enough.wait(PAUSE):
                    return

    printing = threading.Thread(target=print_on)
    printing.start()
    try:
        lines = numbered(1_000)
        neighbour.print(b"".join(lines[:500]))
        assert receiver.wait_for(neighbour.name, plain(lines)[499]) == plain(lines)[:500]
        assert all_printed_once.wait(120)
        neighbour.print(b"".join(lines[500:]))
        assert receiver.wait_for(neighbour.name, plain(lines)[-1]) == plain(lines)
    finally:
        enough.set()
        printing.join()

    hostile.print(b"the end\n")
    hostile.stop()
    arrived = receiver.wait_for(hostile.name, b"the end")
    assert arrived[-1] == b"the end"
    assert len(arrived) > len(LINES)
    assert server.alive
