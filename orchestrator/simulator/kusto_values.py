"""Values and functions of Kusto, as far as they are simulated: what a null does, and what compares.

Comparisons with a null do not hold. A comparison of two kinds that have nothing in common is an
error of the query, as in Kusto. It knows no clock: `ago` is told what time it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class KustoError(ValueError):
    """The query is none, or none that is simulated. The message says which part of it."""


def span(text: str) -> timedelta:
    """Read a span of time such as `2h` or `1.5d`."""
    match = re.fullmatch(r"([\d.]+)(ms|[smhd])", text)
    if match is None:
        raise KustoError(f"{text} is no span of time")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def instant(text: object) -> datetime | None:
    """Read a date and time; null for what is none. Without an offset it is in UTC."""
    if isinstance(text, datetime):
        return text
    try:
        at = datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def string(value: object) -> str:
    """Write a value as `tostring` does: a null is the empty string."""
    return "" if value is None else str(value)


def whole(value: object) -> int | None:
    """Read a whole number; null for what is none."""
    try:
        return int(string(value))
    except ValueError:
        return None


def member(of: object, key: str | int) -> object:
    """Return what a dynamic value holds under a name or at an index; null where it holds none."""
    if isinstance(of, Mapping):
        return of.get(str(key))
    if isinstance(of, Sequence) and not isinstance(of, str) and isinstance(key, int):
        return of[key] if -len(of) <= key < len(of) else None
    return None


def compared(sign: str, left: object, right: object) -> bool:
    """Tell whether a comparison holds."""
    if left is None or right is None:
        return False
    if sign in _TEXTS:
        return _TEXTS[sign](string(left).lower(), string(right).lower())
    if sign in {"==", "!="}:
        return (left == right) is (sign == "==")
    return _ordered(sign, left, right)


def _ordered(sign: str, left: object, right: object) -> bool:
    for kind in (datetime, timedelta, int | float):
        if isinstance(left, kind) and isinstance(right, kind):
            under, over = left < right, left > right  # type: ignore[operator]  # both are this kind
            return {"<": under, ">": over, "<=": not over, ">=": not under}[sign]
    raise KustoError(f"values of different kinds cannot be compared with {sign}")


def _word(text: str, word: str) -> bool:
    return re.search(rf"(?<![0-9a-z]){re.escape(word)}(?![0-9a-z])", text) is not None


_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "=~": str.__eq__,
    "!~": str.__ne__,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
    "has": _word,
}
"""Comparisons of text that take no account of case."""


def _split(value: object, by: object) -> list[str]:
    return string(value).split(string(by) or None)


def _coalesce(*values: object) -> object:
    return next((value for value in values if string(value)), None)


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "tolower": lambda value: string(value).lower(),
    "toupper": lambda value: string(value).upper(),
    "tostring": string,
    "toint": whole,
    "tolong": whole,
    "tobool": lambda value: {"true": True, "false": False}.get(string(value).lower()),
    "todatetime": instant,
    "split": _split,
    "coalesce": _coalesce,
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "isempty": lambda value: not string(value),
    "isnotempty": lambda value: bool(string(value)),
    "not": lambda value: not value,
    "ago": lambda *_: None,
    "now": lambda *_: None,
}
"""The functions by name. `ago` and `now` are told the time where the query is run."""
