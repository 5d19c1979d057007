"""``nats``: messages in a stream of NATS JetStream."""

import re
from collections.abc import Sequence

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.container_members import members_of_container
from plugin.sinks.nats.connection import Login, NatsConnection
from plugin.sinks.nats.encoder import Container, encode_messages, make_container
from plugin.sinks.nats.options import NatsOptions
from plugin.sinks.nats.publisher import NewStream, Publisher

_NOT_IN_SUBJECTS = re.compile(r"[\s*>\x00-\x1f\x7f]")


# A server takes messages of 1 MiB where nobody has set more, and a line alone must fit.
_ATTRIBUTES = Bounds(size=128 * 1024, value=64 * 1024)


class NatsSink(Sink[Container]):
    """Publishes lines of JSON; acknowledged when the stream has stored them."""

    declaration = NatsOptions

    def __init__(self, options: NatsOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"nats@{options.destination}"
        url = options.url
        user = options.username or url.user
        in_url = url.password if url.password.reveal() else None
        login = Login(
            user,
            options.password or url.password or Secret(""),
            options.token or (None if user else in_url),
            options.creds,
            options.nkey,
        )
        tls = options.tls.open() if url.tls else None
        self._subject = options.subject
        self._metadata = options.metadata
        self._most_lines = options.lines_per_message
        connection = NatsConnection(url.addresses, login, tls, options.timeout)
        new = None
        if options.create_stream:
            prefix = options.subject.text.partition("{{")[0].rpartition(".")[0]
            new = NewStream(options.stream or "logs", f"{prefix}.>", options.create_replicas)
        self._publisher = Publisher(connection, options.stream, new)

    def prepare(self, origin: Origin) -> Container:
        """Make the subject, and the fields that all lines of a container share."""
        origin = bounded(origin, self._label, _ATTRIBUTES)
        info = origin.info
        fields = members_of_container(origin) if self._metadata else {}
        subject = subject_of(self._subject.render(info))
        if not subject:
            raise MisconfiguredError("nats-subject gives no subject for this container: it renders to nothing")
        return make_container(subject, f"{info.container_id}-{origin.birth:x}", info.name, fields)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode messages, container by container."""
        return encode_messages(records, self._most_lines)

    async def send(self, payload: bytes) -> None:
        """Publish the messages; return when JetStream has acknowledged all."""
        await self._publisher.send(payload)

    async def close(self) -> None:
        """Close the connection."""
        await self._publisher.close()


def subject_of(rendered: str) -> str:
    """Make a text a subject: what no subject may contain becomes ``_``, and a token that is empty goes."""
    cleaned = _NOT_IN_SUBJECTS.sub("_", rendered.encode(errors="replace").decode())
    return ".".join(token for token in cleaned.split(".") if token)


SINK = NatsSink
