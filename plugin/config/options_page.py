"""The reference of log-opts, rendered from their declarations: for a terminal, and as the page ``docs/log-opts.md``.

``peavey options --markdown > docs/log-opts.md`` regenerates the page.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

from plugin.config.common_options import JOURNAL_ONLY
from plugin.config.schema import Group, Option, Schema, SinkOptions

_TITLES: dict[Group, tuple[str, str]] = {
    "journal": (
        "The journal",
        "What is kept on this host, and read back by docker logs.",
    ),
    "records": (
        "What goes along",
        "Names and attributes that sinks receive with each record. Also for one sink alone: NAME.tag=…",
    ),
    "shaping": (
        "Shaping",
        (
            "How records are shaped on their way to sinks, in the order of this list; docs/shaping.md has a recipe for "
            "each common case. docker logs shows what was printed. Also for one sink alone: NAME.redact=…"
        ),
    ),
    "sinks": (
        "Choosing sinks",
        "An option with a sink's prefix chooses that sink. Without any, logs stay in the journal and on the host.",
    ),
    "delivery": (
        "Delivery",
        "For every sink; a sink's own option wins. Also for one sink alone: NAME.batch-wait=…",
    ),
    "engine": (
        "The engine's",
        "Accepted, and acted upon by the Docker engine itself.",
    ),
}

_VALUES = (
    "Sizes, durations, booleans and lists are read as Docker and Go read them. Sizes (20m, 512k, 1.5g, 64kB) count by "
    "1000 unless an option says otherwise; durations (500ms, 10s, 1m30s, 168h) have no unit above the hour; true may "
    "be written 1 t T TRUE true True, and false 0 f F FALSE false False. An empty value stands for the default."
)

_WIDTH = 100
_INDENT = 18


def describe(schema: Schema = JOURNAL_ONLY) -> Iterator[dict[str, object]]:
    """Yield what there is to say of each log-opt, as values for JSON; described in ``docs/json.md``."""
    options: list[tuple[str | None, Option[Any]]] = [(None, option) for option in schema.common]
    options += [(sink.name, option) for sink in schema.sinks for option in sink.options]
    for sink, option in options:
        yield {
            "name": option.name,
            "sink": sink,
            "default": option.default,
            "accepts": option.kind.accepts,
            "allowed": list(option.kind.allowed) or None,
            "secret": option.kind.secret,
            "from_file": option.twin,
            "help": option.help,
        }


def render_terminal(schema: Schema = JOURNAL_ONLY, width: int = _WIDTH) -> str:
    """Render the reference as plain text of at most ``width`` columns, where names and URLs allow that."""
    paragraphs = [
        "Log-opts: docker run --log-driver peavey --log-opt NAME=VALUE …\n",
        _fill(_VALUES, width),
    ]
    for title, text, options in _sections(schema):
        paragraphs.append(f"{title}\n{_fill(text, width, '  ')}")
        paragraphs.extend(_terminal_entry(option, width) for option in options)
    return "\n".join(paragraphs)


def _terminal_entry(option: Option[Any], width: int) -> str:
    facts = "; ".join(_facts(option))
    head = f"  {_shown_name(option)}".ljust(_INDENT)
    if len(head) > _INDENT or head[-1] != " ":
        head += "\n" + " " * _INDENT
    body = _fill(f"{facts}.", width, " " * _INDENT).lstrip() + _fill(option.help, width, " " * _INDENT)
    return head + body


def _fill(text: str, width: int, indent: str = "") -> str:
    wrapped = textwrap.fill(
        text,
        max(width, len(indent) + 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped + "\n"


def _facts(option: Option[Any]) -> Iterator[str]:
    """Yield what can be said in a few words of an option: what it accepts, its default, its twin."""
    yield option.kind.accepts
    if option.required:
        yield "required"
    elif default := _default(option):
        yield f"default: {default}"
    if option.twin:
        yield f"secret, or {option.twin} with the path of a file that holds it"


def _default(option: Option[Any]) -> str:
    return option.shown_default or option.default or ""


def _shown_name(option: Option[Any]) -> str:
    return option.name.replace("*", "…")


def _sections(schema: Schema) -> Iterator[tuple[str, str, tuple[Option[Any], ...]]]:
    """Yield the title, the introduction and the options of each section."""
    for group, (title, text) in _TITLES.items():
        options = tuple(option for option in schema.common if option.group == group)
        if options:
            yield title, text, options
    for sink in schema.sinks:
        yield f"Sink {sink.name}", _sink_text(sink), sink.options


def _sink_text(sink: type[SinkOptions]) -> str:
    differing = ", ".join(f"{name} {value or '(empty)'}" for name, value in sink.defaults.items())
    acknowledged = f" Acknowledgement: {sink.acknowledged}" if sink.acknowledged else ""
    return sink.help + acknowledged + (f" Defaults that differ here: {differing}." if differing else "")


_PAGE_START = """\
<!-- Generated from the declarations in plugin/config and plugin/sinks; `peavey options --markdown` regenerates it. -->

# Log-opts

Every option of a container's logging. None is needed: without any, a container's lines are kept in its journal on this
host, within the bounds below, and `docker logs` reads them back. An option of a sink sends them to a destination as
well. A bad option makes `docker run` fail with a message that names it and says what is accepted; all faults are
reported at once. `peavey options` prints this reference.

What each sink promises is in [guarantees](guarantees.md), and how the options of other drivers carry over in
[migrating](migrating.md).

## How to give them

For one container:

```sh
docker run --log-driver peavey --log-opt max-size=50m --log-opt max-file=10 IMAGE
docker run --log-driver peavey --log-opt loki-url=http://loki.example.com:3100 IMAGE
```

To two destinations at once, and to two of a kind, of which the second has a name and takes its options under it:

```sh
docker run --log-driver peavey --log-opt loki-url=http://loki.example.com:3100 \\
    --log-opt syslog-address=tcp://logs.example.com:514 IMAGE
docker run --log-driver peavey --log-opt sink=loki,audit=loki --log-opt loki-url=http://loki.example.com:3100 \\
    --log-opt audit.loki-url=http://audit.example.com:3100 IMAGE
```

In a Compose file; values that YAML would take for numbers or booleans need quotes:

```yaml
services:
  web:
    image: nginx
    logging:
      driver: peavey
      options:
        max-size: 50m
        max-file: "10"
        labels: com.docker.compose.project,com.docker.compose.service
```

For all containers that the engine creates from now on, in its `/etc/docker/daemon.json`, where every value is a text:

```json
{
  "log-driver": "peavey",
  "log-opts": {
    "max-size": "50m",
    "max-file": "10"
  }
}
```

Or with the plugin, for whatever a container leaves open. The engine changes settings only while the plugin is disabled.
No line is lost meanwhile; a running container that prints much waits until the plugin is back:

```sh
docker plugin disable --force peavey
docker plugin set peavey 'PEAVEY_LOG_OPTS={"max-size": "50m", "labels": "team,app"}'
docker plugin enable --timeout 0 peavey
```

Values of a container's own win over those, option by option. A sink that is added like this is sent what running
containers print from then on, and nothing of what was printed before; a stopped container is delivered to it from its
next start on. For a plugin that runs unmanaged, `PEAVEY_LOG_OPTS` is an environment variable or the flag `--log-opts`
([settings](settings.md)).

## Values

"""


def render_markdown(schema: Schema = JOURNAL_ONLY) -> str:
    """Render the reference as a page of documentation."""
    parts = [_PAGE_START + _VALUES + "\n"]
    for title, text, options in _sections(schema):
        rows = "\n".join(_markdown_row(option) for option in options)
        parts.append(
            f"## {title}\n\n{text}\n\n| option | default | accepts | meaning |\n| --- | --- | --- | --- |\n{rows}\n"
        )
    return "\n".join(parts)


def _markdown_row(option: Option[Any]) -> str:
    names = f"`{_shown_name(option)}`" + (f", `{option.twin}`" if option.twin else "")
    default = "**required**" if option.required else _markdown_default(option)
    meaning = option.help + (" Secret; the twin names a file that holds it." if option.twin else "")
    return "| " + " | ".join(map(escape_cell, (names, default, option.kind.accepts, meaning))) + " |"


def _markdown_default(option: Option[Any]) -> str:
    if option.shown_default:
        return option.shown_default
    return f"`{option.default}`" if option.default else "–"


def escape_cell(text: str) -> str:
    """Make a text fit for one cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
