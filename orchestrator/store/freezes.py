"""Freezes: rows that every intent reads in its own transaction, like the brake.

Each configuration replaces its own, when a daemon starts with it; those of another stay until they
end. Whoever replaces takes the brake's row for itself, whoever intends shares it: so nothing that
read the old freezes commits after the new ones.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select

from orchestrator.domain.model import Freeze
from orchestrator.store import events, notices, schema
from orchestrator.store.chain import Line, detail_text

_frozen = schema.frozen
_ALL: Final = select(_frozen.c.name, _frozen.c.begins, _frozen.c.ends).order_by(
    _frozen.c.begins, _frozen.c.ends, _frozen.c.name
)
_OURS: Final = _ALL.where(_frozen.c.source == bindparam("the_source"))
_BETWEEN: Final = (
    _ALL.where(_frozen.c.begins <= bindparam("last", type_=_frozen.c.begins.type))
    .where(_frozen.c.ends > bindparam("first", type_=_frozen.c.ends.type))
    .limit(1)
)
_FORGET: Final = delete(_frozen).where(_frozen.c.source == bindparam("the_source"))
_BRAKE: Final = select(schema.brake.c.scope).with_for_update()


def read(connection: Connection) -> tuple[Freeze, ...]:
    """Read all freezes, of whichever configuration."""
    return _read(connection, _ALL, {})


def between(connection: Connection, first: datetime, last: datetime) -> Freeze | None:
    """Return a freeze that holds at some instant between these two, both included."""
    return next(iter(_read(connection, _BETWEEN, {"first": first, "last": last})), None)


def replace(
    connection: Connection, source: str, freezes: Sequence[Freeze], at: datetime, actor: str
) -> bool:
    """Let a configuration have these freezes, with a line in the system's log that names them.
    False: it had them."""
    connection.execute(_BRAKE).one()
    before = _read(connection, _OURS, {"the_source": source})
    wanted = sorted(freezes, key=lambda each: (each.begins, each.ends, each.name))
    if list(before) == wanted:
        return False
    connection.execute(_FORGET, {"the_source": source})
    if wanted:
        rows = [_row(source, number, each) for number, each in enumerate(wanted)]
        connection.execute(_frozen.insert(), rows)
    names = list(dict.fromkeys(each.name for each in wanted))
    detail = {"source": source, "freezes": len(wanted), "names": names[:20]}
    why = f"{len(wanted)} freezes hold from {source}" if wanted else f"no freeze of {source} holds"
    line = Line(at=at, event="freezes.replaced", actor=actor, why=why, detail=detail_text(detail))
    events.append(connection, events.SYSTEM, [line])
    notices.tell(connection)
    return True


def _read(connection: Connection, query: Any, values: dict[str, Any]) -> tuple[Freeze, ...]:  # noqa: ANN401 - any SELECT of the three columns
    return tuple(
        Freeze(name=row.name, begins=row.begins, ends=row.ends)
        for row in connection.execute(query, values)
    )


def _row(source: str, number: int, each: Freeze) -> dict[str, Any]:
    return {
        "source": source,
        "number": number,
        "name": each.name,
        "begins": each.begins,
        "ends": each.ends,
    }
