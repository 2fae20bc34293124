"""ISO 8601 durations as Azure reads them, and as a Linux guest does (azure-facts 1.1)."""

import re
from datetime import timedelta

_ISO = re.compile(
    r"P(?:(?P<days>\d+)D)?"
    r"(?P<time>T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_GUEST = re.compile(r"PT(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?")
_UNITS = ("days", "hours", "minutes", "seconds")
_DAY = timedelta(days=1)


def parse(text: str) -> timedelta | None:
    """Read days, hours, minutes and seconds; None for anything else (years, weeks, signs)."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    parts = {unit: float(match[unit]) for unit in _UNITS if match[unit] is not None}
    dangling = match["time"] == "T"
    return timedelta(**parts) if parts and not dangling else None


def linux_guest_reads(text: str) -> bool:
    """Tell whether the Linux extension can use it: whole PT…H…M…S, below 24 hours."""
    length = parse(text)
    return _GUEST.fullmatch(text) is not None and length is not None and length < _DAY
