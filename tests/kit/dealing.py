"""In which order several workers run the tests: the long ones first, each worker its share."""

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def dealt(long: Sequence[T], short: Sequence[T], workers: int) -> list[T]:
    """Return all of them such that each worker's stretch begins with its share of the long ones.

    The stretches are those of xdist: as many as workers, and where they cannot be of one length,
    the first are the shorter ones.
    """
    number, rest = len(long) + len(short), iter(short)
    order: list[T] = []
    for left in range(workers, 0, -1):
        length = (number - len(order)) // left
        share = long[left - 1 :: workers]
        order += [*share, *islice(rest, max(0, length - len(share)))]
    return order
