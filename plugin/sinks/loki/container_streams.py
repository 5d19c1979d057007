"""The streams of one container: those that it has by its labels alone, and those that pipeline stages make of them."""

from collections import OrderedDict
from collections.abc import Mapping

from plugin.sinks.encoding.bounds import Bounds, fitting
from plugin.sinks.loki.encoder import ContainerStream, labels_field, metadata_fields
from plugin.sinks.loki.labels import part_labels

_MOST_REMEMBERED = 1_000
_FURTHER = Bounds(size=60_000, value=60_000, count=120)


class ContainerStreams:
    """What a container's records are sent with, by source; a rule that drops the container leaves none.

    ``labels`` are those of each source, at most ``most`` of which Loki takes. ``change`` is what stages have made of
    them: the labels, and the tenant where it is another than the destination's; None for the container's own.
    """

    def __init__(
        self,
        labels: Mapping[str, Mapping[str, str]],
        metadata: bytes,
        most: int,
        change: tuple[Mapping[str, str], str] | None = None,
    ) -> None:
        self.change = change
        self._labels = labels
        self._metadata = metadata
        self._most = most
        tenant = change[1] if change else ""
        self._streams = {source: ContainerStream(labels_field(own), metadata, tenant) for source, own in labels.items()}
        self._made: OrderedDict[tuple[object, ...], ContainerStreams] = OrderedDict()

    def get(self, source: str) -> ContainerStream | None:
        """Return what records of a source are sent with; None if they are not sent."""
        return self._streams.get(source)

    def labels_of(self, source: str) -> Mapping[str, str]:
        """Return the labels of records of a source."""
        return self._labels.get(source, {})

    def relabelled(self, source: str, labels: Mapping[str, str], tenant: str) -> "ContainerStreams":
        """Return what records of a source are sent with that have other labels, and a tenant unless it is empty.

        What Loki would refuse, too many labels and values above 2 KiB, goes along as structured metadata. The thousand
        last ones are remembered.
        """
        if source not in self._labels:
            return self
        key = (source, tenant, *sorted(labels.items()))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(source, labels, tenant)
            if len(self._made) > _MOST_REMEMBERED:
                self._made.popitem(last=False)
        else:
            self._made.move_to_end(key)
        return made

    def _make(self, source: str, labels: Mapping[str, str], tenant: str) -> "ContainerStreams":
        new = [name for name in labels if name not in self._labels[source]]
        taken, others = part_labels(labels, new, self._most)
        metadata = self._metadata
        if metadata:  # without any, it is not wanted
            metadata += metadata_fields(fitting({name: value for name, value in others.items() if value}, _FURTHER))
        return ContainerStreams({source: taken}, metadata, self._most, (dict(labels), tenant))
