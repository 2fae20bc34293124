"""Durations and percentages as people write them: `90s 45m 4h 14d`, ISO 8601, `25%`. Pure."""

import re
from datetime import timedelta
from decimal import Decimal

from orchestrator.config.problems import Wrong
from orchestrator.domain.model import Share

_LONGEST = timedelta(days=3660)
_LONGEST_TEXT = 40
_LONGEST_COUNT = 6
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_SHORT = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in ("d", "h", "m", "s", "ms")))
_ISO = re.compile(
    rf"P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
_SHORT_UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000)
_ISO_UNITS = (604_800_000_000, *_SHORT_UNITS)
_CALENDAR = re.compile(r"P.*Y.*|P[^T]*M.*")
_CLOCK = re.compile(r"([0-9]+):([0-9][0-9])(?::([0-9][0-9]))?")
_SIGNED = re.compile(r"[+-].*")
_BARE = re.compile(r"[0-9]+(\.[0-9]+)?")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_HOW = "write it like 90s, 45m, 4h, 14d or PT1H30M"


def read_duration(text: str) -> timedelta:
    """Return a duration of at most ten years, to the microsecond. Raises `Wrong` for anything else.

    Short forms may be joined, longest unit first: `1h30m`. Months and years have no length.
    """
    written = text.strip()
    if len(written) > _LONGEST_TEXT:
        raise Wrong("not a duration", _HOW)
    if _SIGNED.fullmatch(written):
        raise Wrong("a duration has no sign", f"write {written[1:].strip() or '90s'}")
    short = _SHORT.fullmatch(written) if written else None
    iso = _ISO.fullmatch(written) if len(written) > 1 else None
    if not short and not iso:
        raise _no_duration(written)
    parts = short.groups() if short else iso.groups() if iso else ()
    units = _SHORT_UNITS if short else _ISO_UNITS
    microseconds = sum(
        int(Decimal(part) * unit) for part, unit in zip(parts, units, strict=False) if part
    )
    if microseconds > _LONGEST // timedelta(microseconds=1):
        raise Wrong("longer than ten years", "write a shorter one")
    return timedelta(microseconds=microseconds)


def _no_duration(written: str) -> Wrong:
    if _BARE.fullmatch(written):
        return Wrong("a duration needs a unit", f"write {written}s, {written}m, {written}h or so")
    if _CALENDAR.fullmatch(written):
        return Wrong("months and years differ in length", "write it in days, such as 30d")
    if clock := _CLOCK.fullmatch(written):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
        better = "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
        return Wrong("a time of day is no duration", f"write {better} for hours and minutes")
    return Wrong("not a duration", _HOW)


def read_moved(text: str) -> timedelta:
    """Return a duration that may have a sign: `3d`, `+4d`, `-12h`. Raises `Wrong`."""
    written = text.strip()
    sign = -1 if written.startswith("-") else 1
    return sign * read_duration(written[1:] if written[:1] in {"+", "-"} else written)


def show_duration(length: timedelta) -> str:
    """Return the shortest spelling that reads back as this duration: `1h30m`, `14d`, `0s`."""
    if length < timedelta(0):
        return f"-{show_duration(-length)}"
    rest = length // timedelta(microseconds=1)
    shown = ""
    for unit, name in zip(_SHORT_UNITS, ("d", "h", "m", "s"), strict=False):
        count, rest = divmod(rest, unit)
        shown += f"{count}{name}" if count else ""
    if rest:
        shown += f"{(Decimal(rest) / 1000).normalize():f}ms"
    return shown or "0s"


def read_percent(text: str) -> float:
    """Return the number before a percent sign, 0 to 100. Raises `Wrong`."""
    found = _PERCENT.fullmatch(text.strip())
    if not found:
        raise Wrong("neither a number nor a percentage", "write it like 3 or 25%")
    percent = float(found[1])
    if percent > 100:  # noqa: PLR2004 - a percentage ends there
        raise Wrong("more than 100 %", "write 0% to 100%")
    return percent


def read_some(text: str) -> Share:
    """Return how many VMs at once: a count from 1, or a percentage above 0. Raises `Wrong`."""
    written = text.strip()
    if written.isascii() and written.isdigit() and len(written) <= _LONGEST_COUNT:
        share = Share(count=int(written))
    else:
        share = Share(percent=read_percent(written))
    if not (share.count or share.percent):
        raise Wrong("nothing could ever start", "write at least 1, or a percentage above 0%")
    return share


def show_share(share: Share) -> str:
    """Return the spelling of a count or a percentage that reads back as it."""
    return str(share.count) if share.percent is None else f"{share.percent:g}%"
