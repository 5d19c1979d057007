"""The options of the sink ``journald``."""

from plugin.config import types
from plugin.config.schema import Option, SinkOptions

DEFAULT_SOCKET = "/run/systemd/journal/socket"


class JournaldOptions(SinkOptions):
    """A journal of this host."""

    name = "journald"
    prefix = "journald-"
    help = "Writes entries to systemd's journal on this host, as Docker's journald driver does."
    acknowledged = "journald has read the entries; it writes them to its files at once, and to the disk within minutes."

    socket = Option(
        name="journald-socket",
        kind=types.PATH,
        default=DEFAULT_SOCKET,
        help=(
            "The socket of journald. A managed plugin sees it once 'docker plugin set peavey "
            "journald.source=/run/systemd/journal' has mounted its folder; that of a namespace is "
            "/run/systemd/journal.NAME/socket."
        ),
    )
    timeout = Option(
        name="journald-timeout",
        kind=types.duration(minimum=0.001, maximum=3600),
        default="30s",
        help="How long journald may read nothing before delivery counts as failing, by which nothing is lost.",
    )

    @property
    def destination(self) -> str:
        """Where it sends to: the socket."""
        return str(self.socket)


OPTIONS = JournaldOptions
