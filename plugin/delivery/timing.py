"""How often delivery looks at things, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds; the defaults are what runs, tests take shorter ones.

    ``list`` and ``survey``
        between two listings of the data folder, and between two looks at every journal whatever has grown
    ``look``
        between two looks at the info.json of a container that prints
    ``lively``
        for which a container that has printed is looked at again and again
    ``patience``
        until a line whose rest does not come is delivered as it is
    ``report``
        between two writings of the status
    ``retry``
        until what cannot be used as it is set up is tried again
    """

    list: float = 1.0
    survey: float = 30.0
    look: float = 1.0
    lively: float = 10.0
    patience: float = 5.0
    report: float = 1.0
    retry: float = 30.0
