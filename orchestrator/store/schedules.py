"""Schedules as the database remembers them: first seen, next fire, and every fire that was."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, select, update

from orchestrator.domain.record import Fire
from orchestrator.store import events, rows, schema, statements
from orchestrator.store.chain import Line, detail_text

MOST_FIRES = 100

_fire = schema.fire
_schedule = schema.schedule


def fire(connection: Connection, fired: Fire) -> bool:
    """Insert a fire and its line in the system's log. False: (plan, local) is taken."""
    if not statements.insert_once(connection, _fire, rows.fire_to_row(fired)):
        return False
    detail = {"plan": fired.plan, "local": fired.local}
    if fired.run_id is not None:
        detail["run"] = fired.run_id
    line = Line(
        at=fired.at,
        event=f"fire.{fired.result}",
        actor="schedule",
        why=fired.reason,
        detail=detail_text(detail),
    )
    events.append(connection, events.SYSTEM, [line])
    return True


def is_taken(connection: Connection, fired: Fire) -> bool:
    """Tell whether a fire is already there."""
    there = exists().where(_fire.c.plan == fired.plan, _fire.c.local == fired.local)
    return bool(connection.execute(select(there)).scalar_one())


def fired(connection: Connection, plan: str) -> Sequence[str]:
    """Read the keys of a plan's newest fires, newest first."""
    query = (
        select(_fire.c.local)
        .where(_fire.c.plan == plan)
        .order_by(_fire.c.at.desc(), _fire.c.local.desc())
        .limit(MOST_FIRES)
    )
    return list(connection.execute(query).scalars())


def see(
    connection: Connection, plan: str, rule: str, next_fire: datetime | None, now: datetime
) -> datetime:
    """Note a plan's next fire, and return when it was first seen with this rule."""
    row = {"plan": plan, "rule": rule, "first_seen": now, "next_fire": next_fire}
    if statements.insert_once(connection, _schedule, row):
        return now
    mine = _schedule.c.plan == plan
    known = connection.execute(select(_schedule).where(mine)).mappings().one()
    first_seen: datetime = known["first_seen"] if known["rule"] == rule else now
    fresh = {"rule": rule, "first_seen": first_seen, "next_fire": next_fire}
    connection.execute(update(_schedule).where(mine).values(fresh))
    return first_seen
