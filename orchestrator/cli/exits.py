"""What the command's exit code says (design 15), and how a command ends early with one sentence."""

from collections.abc import Iterable
from enum import IntEnum

import click


class Exit(IntEnum):
    """The meaning of each exit code."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    """A mistake in the command line or in the configuration."""
    HALTED = 3
    NEEDS_A_PERSON = 4
    NOT_DONE = 5
    """Cancelled, expired or missed."""
    OUT_OF_REACH = 6
    """The database or Azure does not answer."""
    INTERRUPTED = 130
    """By Ctrl-C; the run stays open."""


_BY_WEIGHT = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.USAGE,
    Exit.OUT_OF_REACH,
    Exit.NEEDS_A_PERSON,
    Exit.HALTED,
    Exit.NOT_DONE,
    Exit.DONE,
)


def heaviest(codes: Iterable[Exit]) -> Exit:
    """Return the code to end with when several hold: 130 > 1 > 2 > 6 > 4 > 3 > 5 > 0."""
    return min(codes, key=_BY_WEIGHT.index, default=Exit.DONE)


class Stop(click.ClickException):
    """End the command now, with one sentence on stderr and this code."""

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        """Keep the code beside the sentence."""
        super().__init__(message)
        self.code = code
