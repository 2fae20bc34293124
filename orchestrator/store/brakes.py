"""The fleet-wide halt: one row that every intent and every new run reads in its own transaction.

It is drawn and released in a transaction of its own, with its line in the system's log. Whoever
reads it to go on locks it shared, so that on PostgreSQL nothing that read "off" commits after it
was drawn.
"""

from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from orchestrator.domain.record import Brake
from orchestrator.store import events, notices, schema
from orchestrator.store.chain import Line

_brake = schema.brake
COLUMNS: Final = (_brake.c.halted, _brake.c.at, _brake.c.actor, _brake.c.because)
"""What `from_row` needs, for statements that read more than the brake."""
_READ: Final = select(*COLUMNS)
_SEE: Final = _READ.with_for_update(read=True)
_DRAW: Final = _READ.with_for_update()


def from_row(row: Row[*tuple[Any, ...]]) -> Brake | None:
    """Return the brake that a row with `COLUMNS` says is drawn."""
    return Brake(at=row.at, actor=row.actor, because=row.because) if row.halted else None


def read(connection: Connection) -> Brake | None:
    """Read the brake."""
    return from_row(connection.execute(_READ).one())


def seen(connection: Connection) -> Brake | None:
    """Read the brake, and keep it as it is until the transaction ends."""
    return from_row(connection.execute(_SEE).one())


def halt(connection: Connection, brake: Brake) -> bool:
    """Draw the brake. False: it was drawn already, and says what it said."""
    return _set(connection, brake, halted=True)


def lift(connection: Connection, by: Brake) -> bool:
    """Release the brake: `by` says who, when and why. False: it was not drawn."""
    return _set(connection, by, halted=False)


def _set(connection: Connection, by: Brake, *, halted: bool) -> bool:
    if (from_row(connection.execute(_DRAW).one()) is not None) is halted:
        return False
    row = {"halted": halted, "at": by.at, "actor": by.actor, "because": by.because}
    connection.execute(update(_brake).values(row))
    event = "fleet.halted" if halted else "fleet.resumed"
    line = Line(at=by.at, event=event, actor=by.actor, why=by.because)
    events.append(connection, events.SYSTEM, [line])
    notices.tell(connection)
    return True
