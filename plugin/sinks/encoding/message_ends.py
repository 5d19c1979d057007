"""Where messages end that hold several objects. Also runs compiled (see ``message_ends.pxd``)."""

from collections.abc import Sequence


def ends_of_messages(objects: Sequence[bytes], most: int, room: int) -> list[int]:
    """Return where messages end that hold ``most`` objects each; one ends early once it fills ``room`` bytes."""
    if most == 1:
        return list(range(1, len(objects) + 1))
    ends: list[int] = []
    start = size = 0
    for number, text in enumerate(objects):
        if number - start == most or size >= room:
            ends.append(number)
            start, size = number, 0
        size += len(text)
    if objects:
        ends.append(len(objects))
    return ends
