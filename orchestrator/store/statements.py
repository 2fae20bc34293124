"""Statements that the two databases spell differently. Nothing here knows a table.

Here and in its neighbours a statement that runs often is a constant with bound parameters: to
build one costs six times as much as to run it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Dialect, Executable, Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

MOST_PARAMETERS: Final = 500
"""How many values an IN list takes at most, far below the limit of either database."""
_WORTH_COUNTING: Final = 1_000
"""So many new rows at once make what PostgreSQL knows of a table worthless."""


def insert(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT that knows ON CONFLICT."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - slow, and of no use for SQLite

        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_once(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there; tell whether it was inserted."""
    return connection.execute(_insert_once(connection.dialect.name, table), row).rowcount == 1


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert those of these rows whose key is not there."""
    if rows:
        run_each(connection, _insert_once(connection.dialect.name, table), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert whole rows; where the primary key is there, every other column is replaced."""
    if rows:
        run_each(connection, _upsert(connection.dialect.name, table), rows)


def run_each(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run a statement once for each of these rows of bound values; what a row leaves out is null.

    It is `Connection.execute` with a list, without what SQLAlchemy does for each value of each row:
    that took longer than the database.
    """
    dialect = connection.dialect
    spelled = _SPELLED.get((statement, dialect.name))
    if spelled is None:
        spelled = _SPELLED[statement, dialect.name] = _spell(statement, dialect)
    connection.exec_driver_sql(spelled.sql, [spelled.values(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A statement as one driver takes it."""

    sql: str
    columns: Sequence[tuple[str, Callable[[Any], Any] | None]]
    """Its bound values in their order, and what hands each to the driver."""

    def values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Put a row in order."""
        get = row.get
        return tuple(
            [
                value if (value := get(name)) is None or hand is None else hand(value)
                for name, hand in self.columns
            ]
        )


_SPELLED: Final[dict[tuple[Executable, str], _Spelled]] = {}
"""By statement, of which there are a dozen, and kind of database."""


def _spell(statement: Executable, dialect: Dialect) -> _Spelled:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every statement has it
    columns = [
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in compiled.positiontup
    ]
    return _Spelled(str(compiled), columns)


def batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut values into lists that fit one IN."""
    for start in range(0, len(values), MOST_PARAMETERS):
        yield values[start : start + MOST_PARAMETERS]


@cache
def _insert_once(dialect: str, table: Table) -> Executable:
    return insert(dialect, table).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: Table) -> Executable:
    statement = insert(dialect, table)
    key = [column.name for column in table.primary_key]
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


def count_anew(connection: Connection, table: Table, written: int) -> None:
    """Have PostgreSQL learn how many rows of a kind a table holds, after many were written at once.

    Its own round comes minutes later; until then it takes a run for a hundred rows and goes through
    all of them for each statement about a few.
    """
    if connection.dialect.name == "postgresql" and written >= _WORTH_COUNTING:
        connection.exec_driver_sql(f"ANALYZE {table.name}")
