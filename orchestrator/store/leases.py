"""Who drives which run. Expiry is read off the database's own clock, never off ours.

A lease divides the work; it is no proof of anything towards Azure (design 12).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Interval,
    Text,
    bindparam,
    func,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Lease
from orchestrator.store import schema, statements
from orchestrator.store.column_types import Moment

_lease = schema.lease
NOBODY: Final = ""
_THE_HOLDER: Final = bindparam("the_holder", type_=_lease.c.holder.type)
_THE_LEASE: Final = (
    _lease.c.run_id == bindparam("the_run"),
    _lease.c.holder == bindparam("the_holder"),
    _lease.c.epoch == bindparam("the_epoch"),
)
_HELD: Final = select(_lease.c.epoch).where(*_THE_LEASE).with_for_update(read=True)


def claim(connection: Connection, run_id: RunId, holder: str, ttl: timedelta) -> Lease | None:
    """Take a lease that is free, expired or already this holder's; the epoch grows by one."""
    values = {"run_id": run_id, "the_holder": holder, "ttl": ttl}
    statement = _claim(connection.dialect.name)
    epoch = connection.execute(statement, _ahead(connection, values)).scalar_one_or_none()
    return None if epoch is None else Lease(run_id=run_id, holder=holder, epoch=epoch)


def renew(connection: Connection, lease: Lease, ttl: timedelta) -> bool:
    """Extend a lease that nobody has taken since, expired or not."""
    return _set(connection, lease, lease.holder, ttl)


def release(connection: Connection, lease: Lease) -> bool:
    """Give a lease back; its epoch stays and goes on from there."""
    return _set(connection, lease, NOBODY, timedelta(0))


def holders(connection: Connection, besides: str) -> int:
    """Count the holders of leases that have not expired, without this one."""
    found = connection.execute(_holders(connection.dialect.name), {"besides": besides})
    return int(found.scalar_one())


def undriven(connection: Connection, grace: timedelta) -> Mapping[RunId, datetime | None]:
    """Return the open runs that nobody has driven for so long, with when the last lease ended;
    None: nobody ever had one."""
    values = _ahead(connection, {"ttl": -grace})
    found = connection.execute(_undriven(connection.dialect.name), values)
    return {RunId(run_id): expires_at for run_id, expires_at in found}


def held(connection: Connection, lease: Lease) -> bool:
    """Tell whether a lease is still this holder's, and keep it so until the transaction ends.

    An expired lease that nobody took is still held: its rows are as its holder left them.
    """
    return connection.execute(_HELD, _key(lease)).scalar_one_or_none() is not None


def _set(connection: Connection, lease: Lease, holder: str, ttl: timedelta) -> bool:
    values = _key(lease) | {"new_holder": holder, "ttl": ttl}
    statement = _change(connection.dialect.name)
    return connection.execute(statement, _ahead(connection, values)).rowcount == 1


def _key(lease: Lease) -> dict[str, Any]:
    return {"the_run": lease.run_id, "the_holder": lease.holder, "the_epoch": lease.epoch}


def is_free(dialect: str) -> ColumnElement[bool]:
    """Say, as a condition, that a lease may be taken by `the_holder`."""
    mine = _lease.c.holder.in_((NOBODY, _THE_HOLDER))
    return or_(mine, _lease.c.expires_at <= _after(dialect, _NOW[dialect]))


@cache
def _claim(dialect: str) -> Executable:
    holder = _THE_HOLDER
    expires_at = _after(dialect, bindparam("ttl", type_=_TTL[dialect]))
    fresh = {"run_id": bindparam("run_id"), "holder": holder, "epoch": 1, "expires_at": expires_at}
    return (
        statements.insert(dialect, _lease)
        .values(fresh)
        .on_conflict_do_update(
            index_elements=["run_id"],
            set_={"holder": holder, "epoch": _lease.c.epoch + 1, "expires_at": expires_at},
            where=is_free(dialect),
        )
        .returning(_lease.c.epoch)
    )


@cache
def _change(dialect: str) -> Executable:
    expires_at = _after(dialect, bindparam("ttl", type_=_TTL[dialect]))
    holder = bindparam("new_holder", type_=_lease.c.holder.type)
    return update(_lease).where(*_THE_LEASE).values(holder=holder, expires_at=expires_at)


@cache
def _holders(dialect: str) -> Executable:
    nobody = _lease.c.holder.not_in((NOBODY, bindparam("besides", type_=_lease.c.holder.type)))
    live = _lease.c.expires_at > _after(dialect, _NOW[dialect])
    return select(func.count(_lease.c.holder.distinct())).where(nobody, live)


@cache
def _undriven(dialect: str) -> Executable:
    run = schema.run
    since = func.coalesce(_lease.c.expires_at, run.c.opened_at)
    before = _after(dialect, bindparam("ttl", type_=_TTL[dialect]))
    return (
        select(run.c.id, _lease.c.expires_at)
        .select_from(run.outerjoin(_lease, _lease.c.run_id == run.c.id))
        .where(run.c.closed_at.is_(None), since <= before)
    )


def _after(dialect: str, ahead: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the database's time, so much ahead, as an expression."""
    if dialect == "postgresql":
        return func.clock_timestamp() + ahead
    return type_coerce(func.strftime("%Y-%m-%dT%H:%M:%f000Z", "now", ahead), Moment)


def _ahead(connection: Connection, values: dict[str, Any]) -> dict[str, Any]:
    """Say a `ttl` as the database reads it."""
    if connection.dialect.name == "postgresql":
        return values
    return values | {"ttl": f"{values['ttl'].total_seconds():+.3f} seconds"}


_TTL: Final[dict[str, Any]] = {"postgresql": Interval(), "sqlite": Text()}
_NOW: Final[dict[str, ColumnElement[Any]]] = {
    "postgresql": literal(timedelta(0), Interval()),
    "sqlite": literal("+0.000 seconds", Text()),
}
