"""Which database this is, how far it has come, and whether a person must look before it may start
anything: one row, and what a PostgreSQL server says of itself. It remembers nothing outside the
database; `high_water.py` does.

A database that went back in time (an old copy, a failover that lost commits) has forgotten what
was started. Whoever notices writes it into the row: **safe mode**. From then on the transactions of
intents and of new runs refuse, whoever asks, until a person has confirmed (design 12).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, text, update

from orchestrator.domain.record import SafeMode
from orchestrator.store import events, schema
from orchestrator.store.chain import Line, detail_text

_row = schema.incarnation
COLUMNS: Final = (_row.c.safe_since, _row.c.safe_code, _row.c.safe_reason)
"""What `from_row` needs, for statements that read more than safe mode."""
A_FILE: Final = "file"
"""The place of every SQLite database: it is found by its path, wherever that lies."""
UNKNOWN: Final = "?"
"""A part of a place that this role may not read."""
_SAFE: Final = select(*COLUMNS)
_STAND: Final = select(_row.c.incarnation, _row.c.confirmed, _row.c.place, _row.c.seq, *COLUMNS)
_LOCK: Final = _STAND.with_for_update()
_BUMP: Final = (
    update(_row)
    .values(seq=_row.c.seq + 1)
    .returning(_row.c.incarnation, _row.c.confirmed, _row.c.place, _row.c.seq, *COLUMNS)
)
_SETTLE: Final = update(_row).values(place=bindparam("the_place"))
_AT: Final = (
    text(  # who has written commits and waits for the disk up to here; who has not, does not
        "SELECT pg_wal_lsn_diff(CASE WHEN pg_current_xact_id_if_assigned() IS NULL"
        " THEN pg_current_wal_flush_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0')::bigint"
    )
)
_MAY: Final = text(
    "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS system,"
    " has_function_privilege('pg_walfile_name(pg_lsn)', 'EXECUTE') AS timeline"
)
_SYSTEM: Final = text("SELECT system_identifier::text FROM pg_control_system()")
_TIMELINE: Final = text("SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)")
_OIDS: Final = text(
    "SELECT d.oid::text || '/' || 'incarnation'::regclass::oid::text"
    " FROM pg_database d WHERE d.datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a database had come, as somebody saw it.

    `sequence` only grows: on SQLite a counter of our own, on PostgreSQL the position in its
    write-ahead log, in bytes. It can be compared within one `place` only.
    """

    incarnation: str
    """A random id, made with the schema."""
    confirmed: int
    """How often a person has confirmed this database: what was known before counts no more."""
    place: str
    """`file`, or system identifier / timeline / database / table of a PostgreSQL server."""
    sequence: int


@dataclass(frozen=True, slots=True)
class Stand:
    """What the row says: its mark, with the place where it was last settled (empty: never)."""

    mark: Mark
    safe_mode: SafeMode | None


def from_row(row: Row[*tuple[Any, ...]]) -> SafeMode | None:
    """Return the safe mode that a row with `COLUMNS` speaks of."""
    if row.safe_since is None:
        return None
    return SafeMode(since=row.safe_since, code=row.safe_code, reason=row.safe_reason)


def safe_mode(connection: Connection) -> SafeMode | None:
    """Read whether the database is in safe mode."""
    return from_row(connection.execute(_SAFE).one())


def stand(connection: Connection) -> Stand:
    """Read the row, and how far the database has come."""
    return _stand(connection, connection.execute(_STAND).one())


def advance(connection: Connection) -> Stand:
    """Count one more group of writes; on PostgreSQL its log counts by itself."""
    if _is_server(connection):
        return stand(connection)
    return _stand(connection, connection.execute(_BUMP).one())


def place(connection: Connection) -> str:
    """Name where the database lies now."""
    if not _is_server(connection):
        return A_FILE
    may = connection.execute(_MAY).one()
    # The timeline is read off the log: `pg_control_checkpoint()` is right only after the first
    # checkpoint that follows a promotion.
    parts = (
        connection.execute(_SYSTEM).scalar_one() if may.system else UNKNOWN,
        connection.execute(_TIMELINE).scalar_one() if may.timeline else UNKNOWN,
        connection.execute(_OIDS).scalar_one(),
    )
    return "/".join(parts)


def same_place(one: str, other: str) -> bool:
    """Tell whether two places are the same, as far as both were readable."""
    pairs = list(zip(one.split("/"), other.split("/"), strict=False))
    alike = all(a == b or UNKNOWN in (a, b) for a, b in pairs)
    return alike and one.count("/") == other.count("/")


def settle(connection: Connection, here: str) -> None:
    """Note where the database lies: it was looked at there, and found well."""
    connection.execute(_SETTLE, {"the_place": here})


def enter(connection: Connection, noticed: SafeMode, actor: str) -> None:
    """Go into safe mode, unless that is so already."""
    if from_row(connection.execute(_LOCK).one()) is not None:
        return
    values = {
        "safe_since": noticed.since,
        "safe_code": noticed.code,
        "safe_reason": noticed.reason,
    }
    connection.execute(update(_row).values(values))
    _note(connection, noticed.since, "database.distrusted", actor, noticed.reason, noticed.code)


def confirm(connection: Connection, at: datetime, actor: str, because: str) -> SafeMode | None:
    """End safe mode: a person has looked. Returns what was confirmed; None: there was nothing."""
    row = connection.execute(_LOCK).one()
    confirmed = from_row(row)
    if confirmed is None:
        return None
    values = {
        "safe_since": None,
        "safe_code": None,
        "safe_reason": None,
        "confirmed": row.confirmed + 1,
        "place": place(connection),
    }
    connection.execute(update(_row).values(values))
    _note(connection, at, "database.confirmed", actor, because, confirmed.code)
    return confirmed


def _note(
    connection: Connection, at: datetime, event: str, actor: str, why: str, code: str
) -> None:
    line = Line(at=at, event=event, actor=actor, why=why, detail=detail_text({"code": code}))
    events.append(connection, events.SYSTEM, [line])


def _stand(connection: Connection, row: Row[*tuple[Any, ...]]) -> Stand:
    mark = Mark(row.incarnation, row.confirmed, row.place, row.seq)
    if _is_server(connection):
        mark = replace(mark, sequence=connection.execute(_AT).scalar_one())
    return Stand(mark, from_row(row))


def _is_server(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
