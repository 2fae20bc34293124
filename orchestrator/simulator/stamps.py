"""How Azure writes instants (azure-facts 2.5), and instants as whole microseconds.

It knows no clock: every instant comes from the caller.
"""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

from orchestrator.simulator import draws

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOTNET_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Central US in winter, as recorded in 2022; most answers are in UTC.
_OFFSETS = (0, 0, 0, -5)


def micros(at: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def ticks(at: datetime) -> int:
    """Return .NET ticks (100 ns since the year 1)."""
    return (at - _DOTNET_EPOCH) // _MICROSECOND * 10


def odd(at: datetime, salt: str) -> str:
    """Return an operation's instant: an offset (not always UTC), up to 7 digits, zeros dropped."""
    local = at.astimezone(timezone(timedelta(hours=draws.pick(_OFFSETS, salt, "offset"))))
    seventh = draws.whole(0, 9, salt, "seventh digit")
    digits = f"{local.microsecond:06d}{seventh}".rstrip("0")
    offset = local.isoformat()[-6:]
    return f"{local:%Y-%m-%dT%H:%M:%S}{'.' if digits else ''}{digits}{offset}"


def seven_digits(at: datetime) -> str:
    """Return UTC with seven digits and Z, as Windows guests write."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def whole_seconds(at: datetime) -> str:
    """Return UTC without a fraction, as Linux guests write."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def http_date(at: datetime) -> str:
    """Return the `Date` header."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def routing(at: datetime) -> str:
    """Return the middle part of `x-ms-routing-request-id`."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
