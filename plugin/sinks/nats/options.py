"""The options of the sink ``nats``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final
from urllib.parse import unquote

from plugin.config import types
from plugin.config.parsing import parse_int, quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.tag import Tag, compile_tag
from plugin.sinks.transport.address import split_host
from plugin.sinks.transport.dial import Address
from plugin.sinks.transport.tls.options import TlsOptions

_DEFAULT_PORT = 4222
_LAST_PORT = 65_535
_EXAMPLE = "nats://nats.example.com:4222"
_DEFAULT_SUBJECT = "logs.{{.Hostname}}.{{.Name}}"


@final
@dataclass(frozen=True, slots=True)
class NatsUrl:
    """Servers and how to log in, taken apart so that they can be shown without what is secret in them."""

    addresses: tuple[Address, ...]
    tls: bool = False
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    """The user's; without a user, a token."""

    def __repr__(self) -> str:
        """Show the addresses alone."""
        return f"NatsUrl('{self}')"

    def __str__(self) -> str:
        """Show the addresses alone."""
        return ",".join(map(str, self.addresses))


def parse_nats_url(text: str) -> NatsUrl:
    """Read one URL or several with commas, of which one may hold user and password, or a token.

    Raises `ValueError`, whose message does not show the text.
    """
    addresses: list[Address] = []
    logins: list[str] = []
    schemes: list[str] = []
    for part in text.split(","):
        scheme, separator, rest = part.strip().partition("://")
        if not separator:
            scheme, rest = (schemes[0] if schemes else "nats"), part.strip()
        if scheme not in ("nats", "tls") or any(c.isspace() for c in rest):
            raise ValueError(f"it is not a nats:// or tls:// URL (example: {_EXAMPLE})")
        login, _, place = rest.removesuffix("/").rpartition("@")
        addresses.append(_parse_place(place))
        schemes.append(scheme)
        logins += [login] if login else []
    if len(set(schemes)) > 1:
        raise ValueError("all servers must be nats://, or all tls://")
    user, colon, password = (logins[0] if logins else "").partition(":")
    if user and not colon:
        user, password = "", user
    return NatsUrl(tuple(addresses), schemes[0] == "tls", unquote(user), Secret(unquote(password)))


def _parse_place(text: str) -> Address:
    host, port = split_host(text, f"nats://[::1]:{_DEFAULT_PORT}")
    if not host or "/" in text or (port is not None and not port.isdigit()):
        raise ValueError(f"it does not name host and port of each server (example: {_EXAMPLE})")
    return Address(host, _DEFAULT_PORT if port is None else parse_int(port, 1, _LAST_PORT))


def _parse_subject(text: str) -> Tag:
    literal = text.partition("{{")[0]
    if any(c in "*>" or c.isspace() for c in literal) or literal.startswith((".", "$")) or ".." in literal:
        raise ValueError(f"{quote(text)} is not a subject to publish to (example: {_DEFAULT_SUBJECT})")
    return compile_tag(text)


def _parse_stream(text: str) -> str:
    if any(c in ".*>/\\" or c.isspace() for c in text):
        raise ValueError(f"{quote(text)} is not a stream's name (no spaces, none of . * > / \\)")
    return text


NATS_URL: Kind[NatsUrl] = Kind(
    parse=parse_nats_url,
    accepts="nats://HOST:PORT or tls://HOST:PORT, several with commas",
    # It may hold a password.
    secret=True,
)


class NatsOptions(SinkOptions):
    """Servers, and the subjects there."""

    name = "nats"
    prefix = "nats-"
    help = "Publishes to NATS JetStream."
    acknowledged = "JetStream has stored the message (PubAck), on a majority of the stream's replicas."

    url: Option[NatsUrl] = Option(
        name="nats-url",
        kind=NATS_URL,
        required=True,
        help=(
            "Where the servers listen, such as tls://user:password@nats1.example.com:4222,nats2.example.com; one that "
            "does not answer is passed by."
        ),
    )
    subject: Option[Tag] = Option(
        name="nats-subject",
        kind=Kind(parse=_parse_subject, accepts="a subject, a Go template as tag is"),
        default=_DEFAULT_SUBJECT,
        help=(
            "The subject of a container's messages, as a template like tag; what no subject may contain becomes _. A "
            "stream must take it."
        ),
    )
    stream = Option(
        name="nats-stream",
        kind=Kind(parse=_parse_stream, accepts="a stream's name"),
        default="",
        shown_default="the one that takes the subject",
        help="The stream that must take the messages; with nats-create-stream the one that is made, by default logs.",
    )
    create_stream = Option(
        name="nats-create-stream",
        kind=types.BOOLEAN,
        default="false",
        help=(
            "Whether to make the stream if there is none, for all subjects that begin as nats-subject does up to its "
            "first template. Its limits are then yours to set: it has none."
        ),
    )
    create_replicas = Option(
        name="nats-create-replicas",
        kind=types.integer(low=1, high=5),
        default="1",
        help="How many servers keep each message of a stream that is made: 3 or 5 in a cluster.",
    )
    lines_per_message = Option(
        name="nats-lines-per-message",
        kind=types.integer(low=1, high=100_000),
        default="500",
        help=(
            "How many lines a message holds at most, each an object of JSON on a line of its own (NDJSON); it also "
            "ends at 256 KiB. 1 costs some ten times as much."
        ),
    )
    metadata = Option(
        name="nats-metadata",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether each line carries the container's id, name and image, host, tag, Compose and Swarm names, labels "
            "and environment; the headers of each message name the container in any case."
        ),
    )
    username = Option(
        name="nats-username",
        kind=types.TEXT,
        default="",
        shown_default="the URL's",
        help="The user, if not in the URL.",
    )
    password: Option[Secret | None] = Option(
        name="nats-password", kind=types.SECRET, shown_default="the URL's", help="The user's password."
    )
    token: Option[Secret | None] = Option(
        name="nats-token", kind=types.SECRET, shown_default="none", help="A token, where the servers want one."
    )
    creds: Option[Secret | None] = Option(
        name="nats-creds",
        kind=types.SECRET,
        shown_default="none",
        help="The content of a .creds file (JWT and seed): name the file itself by nats-creds-file.",
    )
    nkey: Option[Secret | None] = Option(
        name="nats-nkey",
        kind=types.SECRET,
        shown_default="none",
        help="The seed of an NKey user, which begins with SU.",
    )
    timeout = Option(
        name="nats-timeout",
        kind=types.duration(minimum=0.001, maximum=3600),
        default="10s",
        help="How long to wait for a connection, and for the acknowledgement of a message.",
    )
    tls = Nested(TlsOptions, "nats-tls-")

    @property
    def destination(self) -> str:
        """Where it sends to: the addresses, without user and password."""
        return str(self.url)

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        declared = NatsOptions
        yield from super().check()
        ways = {
            declared.password.name: self.password or self.url.user,
            declared.token.name: self.token or (self.url.password.reveal() and not self.url.user),
            declared.creds.name: self.creds,
            declared.nkey.name: self.nkey,
        }
        given = [name for name, value in ways.items() if value]
        if len(given) > 1:
            yield f"log-opts {' and '.join(map(quote, given))}: one way to log in is enough"
        if self.username and not (self.password or self.url.user):
            yield f"log-opt {quote(declared.username.name)} needs {quote(declared.password.name)}"
        if self.nkey and not self.nkey.reveal().strip().startswith("SU"):
            yield f"log-opt {quote(declared.nkey.name)}: it is not the seed of a user (it begins with SU)"
        if self.creds and "BEGIN USER NKEY SEED" not in self.creds.reveal():
            yield (
                f"log-opt {quote(declared.creds.name)}: it is not the content of a .creds file; to name the file, set "
                f"{quote(declared.creds.name + '-file')}"
            )
        if self.create_stream and "." not in self.subject.text.partition("{{")[0]:
            yield (
                f"log-opt {quote(declared.create_stream.name)} needs a {quote(declared.subject.name)} that begins with "
                f"a name and a point, such as {_DEFAULT_SUBJECT}"
            )


OPTIONS = NatsOptions
