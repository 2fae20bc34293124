"""How times and outside text lie in a column, the same to read on both databases. No tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import TIMESTAMP, Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

NO_TEXT = "\N{REPLACEMENT CHARACTER}"
_WITHOUT_ZONE = len("2026-11-22T18:00:00.000000")


@lru_cache(maxsize=4_096)
def moment_text(at: datetime) -> str:
    """Return a time as fixed-width UTC text, `2026-11-22T18:00:00.000000Z`: it sorts as it reads.

    The instant of a transition stands in a dozen places: it is written once. Raises `ValueError`
    for a time without a zone.
    """
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:_WITHOUT_ZONE] + "Z"


def plain(text: str) -> str:
    """Return text that both databases can hold: no NUL (PostgreSQL), no half of a surrogate pair
    (UTF-8). Azure's error texts and VM tags come from outside and may hold either."""
    clean = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return clean.replace("\0", NO_TEXT) if "\0" in clean else clean


class Moment(TypeDecorator[datetime]):
    """An aware time: fixed-width UTC text on SQLite, `timestamptz` on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        native = dialect.name == "postgresql"
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if native else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's
        """Hand a time to the driver."""
        if value is None:
            return None
        return value if dialect.name == "postgresql" else moment_text(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return what hands a time to the driver: a transition has a dozen of them."""
        return None if dialect.name == "postgresql" else _written

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401 - SQLAlchemy's
        """Take a time from the driver, in UTC."""
        read = _aware if dialect.name == "postgresql" else _read
        return read(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return what takes a time from the driver: a run of 100,000 VMs has a million of them."""
        return _aware if dialect.name == "postgresql" else _read


def _written(at: datetime | None) -> str | None:
    return None if at is None else moment_text(at)


def _read(text: str | None) -> datetime | None:
    """Read a time as `moment_text` writes it, or whatever else means an instant."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _aware(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is UTC else at.astimezone(UTC)


class MomentText(TypeDecorator[str]):
    """A time column read as fixed-width UTC text on both databases: for the public views."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that the column really has."""
        return Moment().load_dialect_impl(dialect)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's
        """Hand a time, given as ISO 8601 text with a zone, to the driver."""
        at = None if value is None else datetime.fromisoformat(value)
        return Moment().process_bind_param(at, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401 - SQLAlchemy's
        """Take a time from the driver."""
        return moment_text(value) if isinstance(value, datetime) else value


class PlainText(TypeDecorator[str]):
    """Text of any length; what a database could not hold is replaced before it gets there."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Hand text to the driver."""
        return None if value is None else plain(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what hands text to the driver: a transition has twenty of them."""
        return _plain_or_null


def _plain_or_null(text: str | None) -> str | None:
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return plain(text)
