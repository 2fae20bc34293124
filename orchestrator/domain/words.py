"""Small words for sentences: counts, spans and times as people say them."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def counted(number: int, noun: str, plural: str = "") -> str:
    """Say a number of things: `1 VM`, `2 VMs`, `3 patches`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def spanned(span: timedelta) -> str:
    """Say a span as a configuration writes it: `48h` is `2d`, 90 minutes are `1h 30m`."""
    left, parts = int(span.total_seconds()), []
    for unit, seconds in _UNITS:
        number, left = divmod(left, seconds)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts) or "0s"


def moment(at: datetime) -> str:
    """Say when something happened or is looked at next, in UTC: `2026-11-22 20:42:36Z`. What a plan
    says in minutes, such as the end of a window, is said in minutes elsewhere."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def command(*words: str) -> str:
    """Say an act as it can be pasted into a shell, but for its reason: `orchestrator halt --all
    --because "…"`. A run may be called anything."""
    return f'{shlex.join(("orchestrator", *words))} --because "…"'
