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
  peavey serve                          answer the engine (what the plugin does)
  docker run --log-driver peavey …      use it
  peavey status                         what came in, what went out, what waits or fails
  peavey options                        what --log-opt accepts
  peavey logs -n 100 -f CONTAINER       read a journal without the engine
  peavey try CONTAINER --log-opt …      what log-opts make of its lines
  peavey config show CONTAINER          its log-opts in force, and where each comes from
"""

_COMMANDS = ("serve", "deliver", "status", "ls", "logs", "dead", "options", "try", "config", "redirect", "console")


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
    command: Callable[[argparse.Namespace], int] = parsed.run
    try:
        return command(parsed)
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
