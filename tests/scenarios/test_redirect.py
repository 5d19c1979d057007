"""``peavey redirect`` with the real processes: containers that exist go elsewhere, and come back."""

import subprocess

from tests.scenarios.test_profiles import END, say, sinks, status, to, wait_for_sinks
from tests.sinks.receiving.process import Receivers
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server, run_to_end
from tests.testbed.standin import Engine


def redirect(server: Server, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run_to_end([*server.command()[:3], "redirect", "--data", str(server.data), *arguments])


def log_opts(options: dict[str, str]) -> list[str]:
    return [part for name, text in options.items() for part in ("--log-opt", f"{name}={text}")]


def test_a_redirect_outlives_restarts_and_is_undone(server: Server, engine: Engine, receivers: Receivers) -> None:
    first, second = receivers.up("http"), receivers.up("loki")
    container = engine.run(to(first))
    say(container, b"one")
    first.wait_for(container.name, b"one")
    assert not redirect(server, container.id, *log_opts(to(second))).returncode
    wait_for_sinks(server, container, "redirect-1.loki")
    say(container, b"two")
    assert second.wait_for(container.name, b"two") == [b"two"]

    server.kill()
    server.start()
    container.stop()
    container.start()
    say(container, b"three")
    assert second.wait_for(container.name, b"three") == [b"two", b"three"]
    assert sinks(server, container) == ["redirect-1.loki"]
    assert status(server).faults == []

    done = redirect(server, container.id, "--undo")
    assert (done.returncode, b"its own log-opts hold again" in done.stdout) == (0, True)
    wait_for_sinks(server, container, "http")
    say(container, END)
    assert first.wait_for(container.name, END) == [b"one", b"two", b"three", END]
    assert redirect(server, container.id, "--undo").returncode == 1


def test_it_may_begin_earlier_and_each_begins_anew(server: Server, engine: Engine, receivers: Receivers) -> None:
    first, second = receivers.up("http"), receivers.up("loki")
    container = engine.run({})
    container.print(b"".join(numbered(1_000)))
    say(container, b"printed")
    container.stop()
    for receiver in (first, second):
        done = redirect(server, container.id, *log_opts(to(receiver)), "--start", "beginning")
        assert done.returncode == 0, done.stderr
        assert receiver.wait_for(container.name, b"printed") == [*plain(numbered(1_000)), b"printed"]
    assert sinks(server, container) == ["redirect-2.loki"]


def test_faulty_log_opts_change_nothing(server: Server, engine: Engine) -> None:
    container = engine.run({"tag": "x"})
    say(container, b"one")
    container.stop()
    for arguments, told in (
        (["--log-opt", "loki-ur=http://x"], b"did you mean 'loki-url'?"),
        (["--log-opt", "profile=none"], b"unknown profile 'none'"),
        (["--log-opt", "loki-url=http://x", "--start", "soon"], b"--start: 'soon' is not now, beginning or a duration"),
        ([], b"give either --log-opt"),
    ):
        done = redirect(server, container.id, *arguments)
        assert done.returncode == 1
        assert told in done.stderr
    assert sinks(server, container) == []


def test_files_are_looked_at_where_the_plugin_runs(server: Server, engine: Engine, receivers: Receivers) -> None:
    """The command sees other files under these paths than a managed plugin does, or none."""
    receiver = receivers.up("http")
    token = server.data.parent.parent / "token"
    container = engine.run({})
    say(container, b"one")
    container.stop()
    options = to(receiver) | {"http-bearer-token-file": str(token)}
    done = redirect(server, container.id, *log_opts(options), "--start", "beginning")
    assert done.returncode == 1
    assert b"redirected; sinks: redirect-1.http" in done.stdout
    told = done.stderr.decode()
    assert f"{container.id[:12]} redirect-1.http: " in told
    assert f"cannot read '{token}': No such file or directory" in told

    token.write_text("sesame", encoding="utf-8")
    done = redirect(server, container.id, *log_opts(options), "--start", "beginning")
    assert (done.returncode, done.stderr) == (0, b"")
    assert receiver.wait_for(container.name, b"one") == [b"one"]

    server.kill()
    server.kill_delivery()
    token.unlink()
    done = redirect(server, container.id, *log_opts(options))
    assert done.returncode == 0
    assert b"the plugin does not run; files that log-opts name are looked at when it does" in done.stderr
