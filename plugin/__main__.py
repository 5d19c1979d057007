"""The command line: ``peavey`` or ``python -m plugin``."""

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from plugin import __version__
from plugin.config.parsing import hint, quote
from plugin.config.settings import add_arguments
from plugin.errors import PeaveyError

_DESCRIPTION = """\
Peavey is a Docker log driver: it takes the output of containers from the engine, keeps it in a journal on disk
and reads it back for 'docker logs'. A container never waits for its logs, and no line is lost.
"""

_EPILOG = """\
examples:
  docker run --log-driver peavey …                  use it; 'peavey options' lists what --log-opt accepts
  peavey status                                     what needs attention, what came in, went out and waits
  peavey status --watch 'web*'                      the same of some containers, live; q quits
  peavey ls                                         whose logs are kept
  peavey logs -n 100 -f web                         read a journal without the engine
  peavey logs --all -g 'time(d )?out' --since 1h    search them all
  peavey check --log-opt loki-url=http://loki:3100  connect, authenticate, send one line
  peavey try web --log-opt multiline=java           what log-opts make of its lines
  peavey config show web                            its log-opts in force, and where each comes from
  peavey dead                                       what destinations refused for good

'peavey COMMAND --help' has the flags of each. --json prints JSON (docs/json.md); into a pipe there are no colours, on a
terminal none with NO_COLOR=1. 'peavey completion bash|zsh|fish' completes all of it.
"""

_COMMANDS = (
    "serve",
    "deliver",
    "status",
    "ls",
    "logs",
    "check",
    "dead",
    "options",
    "try",
    "config",
    "redirect",
    "replay",
    "forget",
    "console",
    "completion",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 1 for an error that was printed, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:  # a person who looks what this is, for whom a driver on the real socket would be a surprise
        _parser(_COMMANDS).print_help()
        return 0
    if given[0].startswith("-") and given[0] not in ("-h", "--help", "--version"):
        given.insert(0, "serve")
    if not given[0].startswith("-") and given[0] not in _COMMANDS:
        known = f"(expected: {', '.join(_COMMANDS)})"
        _parser(()).error(f"{quote(given[0])} is not a command{hint(given[0], _COMMANDS)} {known}")
    parsed = _parser([given[0]] if given[0] in _COMMANDS else _COMMANDS).parse_args(given)
    parsed.commands, parsed.parser_of = _COMMANDS, _parser  # for completion
    command: Callable[[argparse.Namespace], int] = parsed.run
    try:
        status = command(parsed)
        sys.stdout.flush()  # here, where a reader that has gone is not an error
    except PeaveyError as error:
        print(f"peavey: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone, as in 'peavey logs … | head'
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"peavey: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser(names: Iterable[str]) -> argparse.ArgumentParser:
    """Make the parser for some commands; those of others are not loaded, which a long-lived process would keep."""
    parser = argparse.ArgumentParser(
        prog="peavey", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"peavey {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names:
        module = importlib.import_module(f"plugin.commands.{name}{'_' * keyword.iskeyword(name)}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(command, module.SETTINGS)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
