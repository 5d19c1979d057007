"""Format quantities for people."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND = 1_000_000_000


def show_bytes(count: float) -> str:
    """Show bytes with a unit to the base 1000: ``950 B``, ``1.2 MB``."""
    size = float(count)
    for unit in _UNITS:
        if size < 999.5 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"


def show_count(count: float) -> str:
    """Show a number with commas: ``1,234``."""
    return f"{round(count):,}"


def show_short_count(count: float) -> str:
    """Show a number in at most seven characters: ``999,999``, ``1.2 M``, ``3.4 G``."""
    if round(count) < 1_000_000:
        return show_count(count)
    size = count / 1_000_000
    unit = "M"
    for larger in ("G", "T", "P"):
        if size < 999.5:
            break
        size /= 1000
        unit = larger
    return f"{size:.0f} {unit}" if size >= 99.95 else f"{size:.1f} {unit}"


def show_seconds(seconds: float) -> str:
    """Show a duration by its two largest units: ``0.4s``, ``12s``, ``3m 20s``, ``5h 2m``, ``2d 3h``."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes == 0:
        return f"{whole}s"
    if hours == 0:
        return f"{minutes}m {whole % 60}s"
    if days == 0:
        return f"{hours}h {minutes % 60}m"
    return f"{days}d {hours % 24}h"


def show_age(moment: int, now: int) -> str:
    """Show how long ago a time was (both nanoseconds since 1970 UTC); 0 is never."""
    return f"{show_seconds(max(0, now - moment) / _SECOND)} ago" if moment else "never"
