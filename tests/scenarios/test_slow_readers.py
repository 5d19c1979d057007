"""A reader of ``docker logs`` that is slow, stuck or gone costs nobody anything."""

from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Engine, ReadConfig
from tests.testbed.waiting import wait_until

MEBIBYTE = 1 << 20
BOUND = 64 * MEBIBYTE
LINES = numbered(20_000, padding=1_000)


def test_a_follower_that_never_reads_holds_nothing_up(server: Server, engine: Engine) -> None:
    container, other = engine.run(), engine.run()
    container.print(b"before\n")
    before = server.resident_bytes
    stuck = [container.follow() for _ in range(5)]

    container.print(b"".join(LINES))
    other.print(b"other\n")
    assert [entry.line for entry in container.logs(tail=10)] == LINES[-10:]
    assert other.output() == b"other\n"
    assert server.resident_bytes - before < BOUND
    container.stop()
    other.stop()

    assert [entry.line for entry in container.logs()] == [b"before\n", *LINES]
    for reader in stuck:
        reader.close()


def test_a_follower_that_wakes_up_late_has_missed_nothing(server: Server, engine: Engine) -> None:
    container = engine.run()
    late = container.follow()
    container.print(b"".join(LINES))
    container.stop()

    assert [entry.line for entry in late.rest()] == LINES
    assert server.alive


def test_a_reader_that_never_reads_costs_bounded_memory(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"".join(LINES))
    before = server.resident_bytes
    stuck = [engine.read_logs(container.info, ReadConfig()) for _ in range(10)]

    assert [entry.line for entry in container.logs(tail=10)] == LINES[-10:]
    assert server.resident_bytes - before < BOUND
    container.stop()
    for reader in stuck:
        reader.close()


def test_stuck_readers_do_not_keep_the_server_from_ending(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"".join(LINES))
    stuck = [container.follow() for _ in range(3)]

    assert server.terminate() == 0
    for reader in stuck:
        reader.close()


def test_a_client_that_leaves_takes_everything_with_it(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"".join(LINES))
    container.logs()
    before = server.open_files
    readers = [container.follow(tail=tail) for tail in (-1, 0, 1) for _ in range(5)]
    for reader in readers[:10]:
        reader.close()
    readers[10].take(1)
    for reader in readers[10:]:
        reader.close()

    wait_until(lambda: server.open_files <= before, "all files are closed")
    container.stop()


def test_a_follower_ends_when_its_container_stops(server: Server, engine: Engine) -> None:
    container, other = engine.run(), engine.run()
    reader, others_reader = container.follow(), other.follow()
    container.print(b"last\n")
    container.stop()

    assert [entry.line for entry in reader.rest()] == [b"last\n"]
    other.print(b"still here\n")
    assert [entry.line for entry in others_reader.take(1)] == [b"still here\n"]
    other.stop()
    assert others_reader.rest() == []
    assert server.alive


def test_followers_end_in_turn_over_several_lives(server: Server, engine: Engine) -> None:
    container = engine.create()
    for life in range(10):
        container.start()
        reader = container.follow(tail=0)
        container.print(b"%d\n" % life)
        container.stop()
        assert [entry.line for entry in reader.rest()] == [b"%d\n" % life]
    assert server.alive
