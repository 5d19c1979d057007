"""What a sink makes of a container, where its records have labels that a transform can change."""

from collections.abc import Mapping
from typing import Protocol, Self, runtime_checkable


@runtime_checkable
class Labelled(Protocol):
    """The ``prepared`` of records whose labels can be changed.

    ``change`` is what was made of them with `relabelled`, the labels and the tenant; None where nothing was.
    """

    change: tuple[Mapping[str, str], str] | None

    def labels_of(self, source: str) -> Mapping[str, str]:
        """Return the labels of records of ``stdout`` or ``stderr``, the source included where it is one."""

    def relabelled(self, source: str, labels: Mapping[str, str], tenant: str) -> Self:
        """Return what records of a source have for ``prepared`` with other labels, and a tenant unless it is empty."""
