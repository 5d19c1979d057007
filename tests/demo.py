"""The demonstration: kill the driver under a printing container, and count what `docker logs` gives back.

    python -m tests.demo

The exit code is 0 only if no line was lost, repeated or moved.
"""

import signal
import sys
import time

from tests.testbed.dockerd import EngineError
from tests.testbed.server import ServerError
from tests.testbed.stages import Stage, best_stage
from tests.testbed.tally import Tally, tally
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, decode_all, encode

LINES = 200_000
KILLS = 3
DOWN_SECONDS = 0.5
BYTES_PER_LINE = len(encode(LogEntry("stdout", time.time_ns(), b"%d" % LINES)))

INTRODUCTION = f"""\
Peavey is a log driver for Docker. A container now prints {LINES:,} numbered lines, and meanwhile the driver is
killed with SIGKILL, {KILLS} times. Every line must come back: once, and in order.
"""


def main() -> int:
    """Run the demonstration; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(INTRODUCTION, flush=True)
    try:
        with best_stage() as stage:
            return play(stage)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (EngineError, ServerError, AssertionError) as error:
        print(f"The demonstration could not be completed: {error}", file=sys.stderr)
        return 1


def play(stage: Stage) -> int:
    """Let the container print, kill the driver meanwhile, and report; return the exit code."""
    say("engine", stage.description)
    say("driver", f"process of its own; the engine knows it as --log-driver {stage.driver.name}")
    container = stage.start(LINES)
    say("container", f"started: {container[:12]}")
    try:
        kills = [kill_in_mid_stream(stage, container, number) for number in range(1, KILLS + 1)]
        stage.wait()
        say("container", "ended by itself, all printed")
        kept = len(decode_all(stage.driver.data.journal(container)))
        counted = tally(stage.read_back(), LINES)
    except (EngineError, AssertionError):
        print(f"The driver's log:\n{stage.driver.server.log[-4000:]}", file=sys.stderr)
        raise
    in_mid_stream = all(0 < lines < LINES for lines in kills)
    print(summary(counted, kept, kills))
    if not in_mid_stream:
        print("A kill came when the container had printed everything already: this run proves nothing.")
    elif counted.is_clean and kept == LINES:
        print("Nothing was lost.")
    return 0 if in_mid_stream and counted.is_clean and kept == LINES else 1


def kill_in_mid_stream(stage: Stage, container: str, number: int) -> int:
    """Kill the driver when its share of the lines is in the journal, and start it again a moment later.

    Gives how many lines the journal held when the driver was dead.
    """
    server, data = stage.driver.server, stage.driver.data
    goal = LINES * number // (KILLS + 1) * BYTES_PER_LINE
    wait_until(
        lambda: sum(file.stat().st_size for file in data.segments(container)) >= goal,
        f"the journal holds {goal:,} bytes",
    )
    server.kill()
    lines = count_frames(data.journal(container))
    time.sleep(DOWN_SECONDS)
    server.start()
    say(f"kill {number}", f"the journal held {lines:,} lines; the driver is up again {DOWN_SECONDS:g} s later")
    return lines


def count_frames(journal: bytes) -> int:
    """Count whole frames; a kill may have torn the last one, which the restarted driver completes."""
    count = position = 0
    while position + 4 <= len(journal):
        position += 4 + int.from_bytes(journal[position : position + 4], "big")
        count += position <= len(journal)
    return count


def summary(counted: Tally, kept: int, kills: list[int]) -> str:
    """Put the figures together."""
    figures = {
        "printed by the container": counted.printed,
        "kept in the journal": kept,
        "read back by docker logs": counted.read,
        "lost": counted.lost,
        "repeated": counted.repeated,
        "out of order": counted.out_of_order,
        "damaged": counted.foreign,
        "kills of the driver": len(kills),
    }
    return "\n" + "".join(f"  {name:<26}{figure:>9,}\n" for name, figure in figures.items())


def say(subject: str, text: str) -> None:
    """Print a line of the report."""
    print(f"{subject:<11}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
