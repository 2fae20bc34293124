"""What runs in a transaction, and what runs it. Nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

A = TypeVar("A")
T = TypeVar("T")
Unit = Callable[[Connection], T]
"""One piece of work in a transaction: plain synchronous statements, repeatable from its start."""


@dataclass(frozen=True, slots=True)
class Alike(Generic[A, T]):
    """A unit that shares its statements with others of its kind in the same transaction: of many
    writes a database takes each at a tenth of what one costs alone."""

    all_at_once: Callable[[Connection, Sequence[A]], Sequence[T]]
    """Does the work of any number of such units, and returns an answer for each."""
    given: A

    def __call__(self, connection: Connection) -> T:
        """Run this one alone."""
        (answer,) = self.all_at_once(connection, [self.given])
        return answer


def run_together(connection: Connection, units: Sequence[Unit[Any]]) -> list[Any]:
    """Run units in one transaction and return their answers in their order.

    Those that are like no other come first, whatever else there is kind by kind: they wait for each
    other's commit alone, so that no order among them is promised.
    """
    answers: dict[int, Any] = {}
    ordered = sorted(enumerate(units), key=lambda numbered: _kind(numbered[1]))
    for kind, group in groupby(ordered, key=lambda numbered: _kind(numbered[1])):
        numbers, alike = zip(*group, strict=True)
        if kind:
            given = [unit.given for unit in alike]
            answers |= zip(numbers, alike[0].all_at_once(connection, given), strict=True)
        else:
            answers |= {
                number: unit(connection) for number, unit in zip(numbers, alike, strict=True)
            }
    return [answers[number] for number in range(len(units))]


def _kind(unit: Unit[Any]) -> str:
    return unit.all_at_once.__qualname__ if isinstance(unit, Alike) else ""


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
