"""Decisions with an address: the n-th decision of a kind under a seed is always the same.

A stream of random numbers would shift when one fault is taken away; here a fault can be left out
and all others stay where they were, which is what makes a failing schedule shrink.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final
from zlib import crc32

Fault = tuple[str, int]
"""A kind, and the how-manieth decision of that kind it was."""

_WORD: Final = 1 << 32


class Luck:
    """All decisions of one schedule. `only` leaves out every fault that it does not name."""

    def __init__(self, seed: int, only: Iterable[Fault] | None = None) -> None:
        self._seed = seed
        self._only = None if only is None else frozenset(only)
        self._asked: Counter[str] = Counter()
        self.fired: list[Fault] = []
        self.silent = False
        """Set at the heal point: from then on nothing goes wrong any more."""

    def strikes(self, kind: str, rate: float) -> bool:
        """Tell whether a fault of this kind happens now."""
        return self.fate(kind, (rate,)) is not None

    def fate(self, kind: str, rates: tuple[float, ...]) -> int | None:
        """Draw one of several faults at most: return its index, or None when all goes well."""
        number = self._asked[kind]
        self._asked[kind] += 1
        if self.silent:
            return None
        drawn = self._fraction(kind, number)
        for index, rate in enumerate(rates):
            if drawn < rate:
                return self._fire((kind, number), index)
            drawn -= rate
        return None

    def share(self, kind: str) -> float:
        """Return a number in [0, 1): how long, which one. It is no fault."""
        number = self._asked[kind]
        self._asked[kind] += 1
        return self._fraction(kind, number)

    def between(self, kind: str, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.share(kind)

    def _fire(self, fault: Fault, index: int) -> int | None:
        if self._only is not None and fault not in self._only:
            return None
        self.fired.append(fault)
        return index

    def _fraction(self, kind: str, number: int) -> float:
        mixed = crc32(b"%d/%s/%d" % (self._seed, kind.encode(), number)) * 0x9E3779B1 % _WORD
        mixed ^= mixed >> 15  # a CRC alone is linear: neighbours would strike together
        return mixed * 0x85EBCA6B % _WORD / _WORD
