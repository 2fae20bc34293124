"""What ARM says in headers: how long to wait, what time it is, and the id of the request.

Pure; it never raises.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from orchestrator.domain.model import ActivityId

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(minutes=20)
DEFAULT_WAIT: Final = timedelta(seconds=30)
"""The wait when Azure asked for one that makes no sense; azure-core's own interval (azure-facts 3).
"""
CLOCK_RANGE: Final = timedelta(days=1)
"""A `Date` further from our clock than this is not a clock."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_UNITS = {"retry-after": 1.0, "retry-after-ms": 0.001, "x-ms-retry-after-ms": 0.001}
"""The headers that azure-core reads, in its order, in seconds (azure-facts 3)."""


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long Azure asks us to wait, within [1 s, 20 min]; None when it does not ask.

    A date is a wait from the answer's own `Date`. Zero, negative and senseless values become 30 s,
    since "please try again after '0' seconds" has been seen (azure-facts 4.1).
    """
    for name, unit in _UNITS.items():
        if name in headers:
            return _clamped(_wait(headers[name].strip(), unit, headers))
    return None


def _wait(value: str, unit: float, headers: Mapping[str, str]) -> timedelta:
    if _NUMBER.fullmatch(value):
        return timedelta(seconds=min(float(value) * unit, LONGEST.total_seconds()))
    until, now = _instant(value), _instant(headers.get("date", ""))
    if until is None or now is None:
        return DEFAULT_WAIT
    return until - now


def _clamped(wait: timedelta) -> timedelta:
    if wait <= timedelta(0):
        return DEFAULT_WAIT
    return min(max(wait, SHORTEST), LONGEST)


def skew(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Return Azure's clock minus ours, by its `Date`; zero when that is absent or absurd."""
    theirs = _instant(headers.get("date", ""))
    if theirs is None or abs(theirs - now) > CLOCK_RANGE:
        return timedelta(0)
    return theirs - now


def _instant(value: str) -> datetime | None:
    """Read an HTTP date. One without a zone is meant in UTC."""
    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def request_id(headers: Mapping[str, str]) -> ActivityId | None:
    """Return the answer's `x-ms-request-id` when it is a guid, in lower case.

    On the 202 of installPatches it is the installation's own id (azure-facts 2.3).
    """
    return guid(headers.get("x-ms-request-id", ""))


def guid(value: str) -> ActivityId | None:
    """Return a guid in lower case; None for anything else."""
    return ActivityId(value.lower()) if _GUID.fullmatch(value) else None
