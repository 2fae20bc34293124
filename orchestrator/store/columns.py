"""Columns and indexes as the tables spell them. No table is here."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Index, Integer, MetaData, event
from sqlalchemy import text as sql

from orchestrator.store.column_types import Moment, PlainText

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}
"""How constraints and indexes are called."""
metadata = MetaData(naming_convention=NAMES)
"""All tables of the database."""


def text(name: str, *, null: bool = False, old: str | None = None) -> Column[str]:
    """Return a column for text; `old` is what rows have that were there before it."""
    return Column(name, PlainText, nullable=null, server_default=old)


def texts(names: str, *, old: str | None = None) -> list[Column[str]]:
    """Return a column for text for each of these names, with spaces between them."""
    return [text(name, old=old) for name in names.split()]


def time(name: str, *, null: bool = False) -> Column[object]:
    """Return a column for an aware time."""
    return Column(name, Moment, nullable=null)


def number(name: str, *, null: bool = False, old: str | None = None) -> Column[int]:
    """Return a column for a whole number; `old` as for a text."""
    return Column(name, Integer, nullable=null, server_default=old)


def flag(name: str, *, null: bool = False) -> Column[bool]:
    """Return a column for yes or no."""
    return Column(name, Boolean, nullable=null)


def optional(kind: Callable[..., Column[Any]], *names: str) -> Iterator[Column[Any]]:
    """Yield columns of a kind that may be null."""
    return (kind(name, null=True) for name in names)


def only(index: Index, where: str) -> Index:
    """Make an index partial, in the same words on both databases.

    A dialect is told when it makes the index: to name one here would load both.
    """

    def tell(_index: Index, connection: Connection, **_more: object) -> None:
        index.dialect_options[connection.dialect.name]["where"] = sql(where)

    event.listen(index, "before_create", tell)
    return index
