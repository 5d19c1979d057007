"""Severities by name: OpenTelemetry's SeverityNumber, 1 to 24, has four shades of each.

Source: "Displaying Severity" in OpenTelemetry's logs data model.
"""

from typing import Final

_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

SEVERITY_NAMES: Final = ("", *(name for name in _NAMES for _ in range(4)))
"""By number: the name without the shade, ``ERROR`` for 17 to 20; empty for 0, which is unknown."""

LARGEST_SEVERITY: Final = len(SEVERITY_NAMES) - 1


def severity_name(number: int) -> str:
    """Return the name of a severity in capitals, empty for what is none."""
    return SEVERITY_NAMES[number] if 0 <= number <= LARGEST_SEVERITY else ""
