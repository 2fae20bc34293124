"""Statements that the two databases spell differently. Nothing here knows a table.

Here and in its neighbours a statement that runs often is a constant with bound parameters: to
build one costs six times as much as to run it.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

MOST_PARAMETERS: Final = 500
"""How many values an IN list takes at most, far below the limit of either database."""


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
        connection.execute(_insert_once(connection.dialect.name, table), list(rows))


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert whole rows; where the primary key is there, every other column is replaced."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table), list(rows))


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
