"""Who drives which run. Expiry is read off the database's own clock, never off ours.

A lease divides the work; it is no proof of anything towards Azure (design 12).
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, type_coerce, update

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Lease
from orchestrator.store import schema, statements
from orchestrator.store.column_types import Moment

_lease = schema.lease
NOBODY: Final = ""
_THE_LEASE: Final = (
    _lease.c.run_id == bindparam("the_run"),
    _lease.c.holder == bindparam("the_holder"),
    _lease.c.epoch == bindparam("the_epoch"),
)
_HELD: Final = select(_lease.c.epoch).where(*_THE_LEASE).with_for_update(read=True)


def claim(connection: Connection, run_id: RunId, holder: str, ttl: timedelta) -> Lease | None:
    """Take a lease that is free, expired or already this holder's; the epoch grows by one."""
    expires_at = _database_time(connection, ttl)
    fresh = {"run_id": run_id, "holder": holder, "epoch": 1, "expires_at": expires_at}
    free = or_(
        _lease.c.holder.in_((NOBODY, holder)),
        _lease.c.expires_at <= _database_time(connection),
    )
    statement = (
        statements.insert(connection.dialect.name, _lease)
        .values(fresh)
        .on_conflict_do_update(
            index_elements=["run_id"],
            set_={"holder": holder, "epoch": _lease.c.epoch + 1, "expires_at": expires_at},
            where=free,
        )
        .returning(_lease.c.epoch)
    )
    epoch = connection.execute(statement).scalar_one_or_none()
    return None if epoch is None else Lease(run_id=run_id, holder=holder, epoch=epoch)


def renew(connection: Connection, lease: Lease, ttl: timedelta) -> bool:
    """Extend a lease that nobody has taken since, expired or not."""
    return _set(connection, lease, expires_at=_database_time(connection, ttl))


def release(connection: Connection, lease: Lease) -> bool:
    """Give a lease back; its epoch stays and goes on from there."""
    return _set(connection, lease, holder=NOBODY, expires_at=_database_time(connection))


def held(connection: Connection, lease: Lease) -> bool:
    """Tell whether a lease is still this holder's, and keep it so until the transaction ends.

    An expired lease that nobody took is still held: its rows are as its holder left them.
    """
    return connection.execute(_HELD, _key(lease)).scalar_one_or_none() is not None


def _set(connection: Connection, lease: Lease, **values: Any) -> bool:  # noqa: ANN401 - SQL expressions
    statement = update(_lease).where(*_THE_LEASE).values(values)
    return connection.execute(statement, _key(lease)).rowcount == 1


def _key(lease: Lease) -> dict[str, Any]:
    return {"the_run": lease.run_id, "the_holder": lease.holder, "the_epoch": lease.epoch}


def _database_time(connection: Connection, ahead: timedelta = timedelta(0)) -> ColumnElement[Any]:
    """Return the database's time, so much ahead, as an expression."""
    if connection.dialect.name == "postgresql":
        return func.clock_timestamp() + ahead
    shift = f"{ahead.total_seconds():+.3f} seconds"
    return type_coerce(func.strftime("%Y-%m-%dT%H:%M:%f000Z", "now", shift), Moment)
