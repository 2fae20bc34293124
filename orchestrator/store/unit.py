"""What runs in a transaction, and what runs it. Nothing else."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
Unit = Callable[[Connection], T]
"""One piece of work in a transaction: plain synchronous statements, repeatable from its start."""


class UndoneError(Exception):
    """A unit that must be undone and has an answer all the same: the database itself has refused
    its last statement, and PostgreSQL goes on with nothing after that. Who waits for the unit gets
    the answer, never this."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401 - whatever the unit would have returned
        super().__init__(answer)
        self.answer = answer


class Connections(Protocol):
    """Connections to one database that are all of one kind: they write, or they read."""

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own."""

    async def close(self) -> None:
        """Close every connection."""
