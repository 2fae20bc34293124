"""What runs in a transaction, and what runs it. Nothing else."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
Unit = Callable[[Connection], T]
"""One piece of work in a transaction: plain synchronous statements, repeatable from its start."""


class Connections(Protocol):
    """Connections to one database that are all of one kind: they write, or they read."""

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own."""

    async def close(self) -> None:
        """Close every connection."""
