"""Data folders of older versions: made once with such a version's own server, kept as archives, unpacked by tests.

    python -m tests.testbed.older_data SOURCE ARCHIVE

``SOURCE`` is a checkout of the older version. Paths and ports within the data are placeholders in the archive, since a
test has others.
"""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.folders import DataFolder
from tests.testbed.lifetimes import dying_engine, short_folder, tidy_server
from tests.testbed.ports import HeldPort
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import decode_all

_FOLDER, _UP, _DOWN = b"@FOLDER@", b"@UP@", b"@DOWN@"
_REFUSED = "never taken"
_PART = 16 * 1024


def lines(word: str, count: int, start: int = 0) -> list[str]:
    """Return numbered lines of 100 characters."""
    return [f"{word} {number:04} {'x' * 100}"[:100] for number in range(start, start + count)]


def printed(container: Container, made: list[str]) -> list[str]:
    """Let a container print lines; return them."""
    container.print("".join(line + "\n" for line in made).encode())
    return made


def _make(engine: Engine, server: Server, receiver: Receiver, down: int) -> dict[str, object]:
    """Bring about every state that a container's journal and sinks can be in; describe it for the test."""
    data = DataFolder(server.data)
    up = {"http-url": f"http://127.0.0.1:{receiver.port}/", "batch-wait": "10ms", "retry-max": "100ms"}
    away = up | {"http-url": f"http://127.0.0.1:{down}/"}
    described: dict[str, object] = {}

    def arrived(container: Container, count: int) -> bool:
        return sum(r.container == container.name for r in receiver.received) >= count

    def describe(what: str, container: Container, logs: list[str], waiting: list[str]) -> None:
        described[what] = {"info": container.info, "logs": logs, "waiting": waiting}

    delivered = engine.run(up | {"max-size": "4k", "max-file": "100"})
    made = printed(delivered, lines("delivered", 200))
    wait_until(lambda: arrived(delivered, 200), "all is delivered")
    delivered.stop()
    wait_until(lambda: data.plain(delivered.id) == data.segments(delivered.id)[-1:], "all but one are compressed")
    describe("delivered", delivered, made, [])

    waiting = engine.run(away)
    made = printed(waiting, lines("waiting", 100))
    waiting.stop()
    describe("waiting", waiting, made, made)

    receiver.refused = _REFUSED.encode()
    refused = engine.run(up)
    made = printed(refused, [*lines("before", 2), _REFUSED, *lines("behind", 2)])
    wait_until(lambda: arrived(refused, 4), "all others are delivered")
    wait_until((data.journal_folder(refused.id) / "dead/http.ndjson").exists, "a letter is kept")
    refused.stop()
    describe("dead letter", refused, made, [])

    gap = engine.run(away | {"max-size": "1k", "max-file": "1", "buffer-limit": "4k"})
    made = printed(gap, lines("gap", 100))
    wait_until(lambda: [s for s in data.segments(gap.id)[:1] if int(s.name[:20])], "the oldest lines are dropped")
    gap.stop()
    described["gap"] = {"info": gap.info, "all": made}

    both = engine.run(
        {"sink": "near=http,far=http", "near.http-url": up["http-url"], "far.http-url": away["http-url"]}
        | {"batch-wait": "10ms", "retry-max": "100ms"}
    )
    made = printed(both, lines("both", 50))
    wait_until(lambda: arrived(both, 50), "the near sink has all")
    both.stop()
    describe("two sinks", both, made, made)

    running = engine.run(away)
    made = printed(running, lines("running", 50))
    running.print(b"y" * 2 * _PART)
    wait_until(lambda: len(data.journal(running.id)) > 50 * 100 + 2 * _PART, "the parts are in the journal")
    describe("running", running, made, made)
    assert running.fifo is not None
    described["fifo"] = running.fifo.path.name
    part = decode_all(data.journal(running.id))[-1].part
    assert part is not None
    described["part"] = part.id
    return described


def make(source: Path, archive: Path) -> None:
    """Make the archive with the version in ``source``."""
    with short_folder() as folder, Receiver(PROTOCOLS["http"]) as receiver:
        down = HeldPort()
        server = Server(folder, source=source)
        with dying_engine(folder) as engine, tidy_server(server):
            server.start()
            described = _make(engine, server, receiver, down.number)
            server.terminate()  # delivery saves its cursors, and the attachment stays
            _pack(folder, archive, described, receiver.port, down.number)
        down.release()


def _pack(folder: Path, archive: Path, described: object, up: int, down: int) -> None:
    places = {
        str(folder).encode(): _FOLDER,
        f":{up}/".encode(): b":" + _UP + b"/",
        f":{down}/".encode(): b":" + _DOWN + b"/",
    }
    files = {
        path.relative_to(folder): path.read_bytes()
        for path in sorted((folder / "logging/peavey").rglob("*"))
        if path.is_file() and "reserve" not in path.parts
    }
    files[Path("expected.json")] = json.dumps(described, indent=1).encode()
    with tarfile.open(archive, "w:xz") as tar:
        for name, content in files.items():
            if name.suffix in (".json", ".ndjson"):
                for text, placeholder in places.items():
                    content = content.replace(text, placeholder)  # noqa: PLW2901
            member = tarfile.TarInfo(str(name))
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))


def unpack(archive: Path, folder: Path, up: int, down: int) -> dict[str, object]:
    """Unpack an archive below a folder, for destinations at these ports; return what it describes."""
    places = {_FOLDER: str(folder).encode(), _UP: str(up).encode(), _DOWN: str(down).encode()}
    described: dict[str, object] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name.endswith("json"):
                for placeholder, text in places.items():
                    content = content.replace(placeholder, text)
            if member.name == "expected.json":
                described = json.loads(content)
                continue
            path = folder / member.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as target:
                target.write(content)
    return described


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
