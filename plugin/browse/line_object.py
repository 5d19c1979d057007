"""A line as the JSON object that ``peavey logs --json`` and the web page's API return."""

from plugin.browse.levels import level_name
from plugin.browse.selection import Journal
from plugin.docker.times import format_time
from plugin.journal.lines import Line


def line_object(journal: Journal, line: Line) -> dict[str, object]:
    """Return a line as an object whose fields are described in ``docs/looking.md``."""
    shown: dict[str, object] = {
        "time": format_time(line.time_nano),
        "container_id": journal.id,
        "container_name": journal.name,
        "stream": line.source,
    }
    if found := level_name(line):
        shown["level"] = found
    shown["line"] = line.text.decode("utf-8", "replace")
    if not line.complete:
        shown["incomplete"] = True
    return shown
