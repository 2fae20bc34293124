"""Luck without a dice: every draw is a hash of what it is about.

The same parts give the same draw whatever was drawn before, so the order of requests changes
nothing. There is no global state here and no `random`.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

_T = TypeVar("_T")
_SPAN = 1 << 64


def _digest(parts: tuple[object, ...]) -> bytes:
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=16).digest()


def guid(*parts: object) -> str:
    """Return a version 4 guid in lower case."""
    return str(UUID(bytes=_digest(parts), version=4))


def fraction(*parts: object) -> float:
    """Return a number in [0, 1)."""
    return int.from_bytes(_digest(parts)[:8]) / _SPAN


def whole(low: int, high: int, *parts: object) -> int:
    """Return a whole number from low to high, both included."""
    return low + int.from_bytes(_digest(parts)[:8]) % (high - low + 1)


def pick(options: Sequence[_T], *parts: object) -> _T:
    """Return one of the options."""
    return options[whole(0, len(options) - 1, *parts)]


def share(shares: Mapping[str, float], *parts: object) -> str | None:
    """Return one of the names, each with its share of the cases; None in the rest."""
    left = fraction(*parts)
    for name, part in shares.items():
        if left < part:
            return name
        left -= part
    return None
