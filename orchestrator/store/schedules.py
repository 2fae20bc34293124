"""Schedules as the database remembers them: first seen, next fire, and every fire that was."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from orchestrator.domain.record import Fire, FireResult, Rest, ScheduleState
from orchestrator.store import events, rows, schema, statements
from orchestrator.store.chain import Line, detail_text

MOST_FIRES = 100

_fire = schema.fire
_schedule = schema.schedule
_rest, _queued = schema.schedule_rest, schema.queued_fire
_WAITS_NO_MORE: Final = delete(_queued).where(
    _queued.c.plan == bindparam("the_plan"), _queued.c.local == bindparam("the_local")
)


def fire(connection: Connection, fired: Fire) -> bool:
    """Insert a fire and its line in the system's log. False: (plan, local) is taken. One that was
    queued waits no more."""
    if not statements.insert_once(connection, _fire, rows.fire_to_row(fired)):
        return False
    connection.execute(_WAITS_NO_MORE, {"the_plan": fired.plan, "the_local": fired.local})
    _tell(connection, fired)
    return True


def queue(connection: Connection, fired: Fire) -> bool:
    """Let a fire wait for the plan's open run to end. False: another waits, or it has fired."""
    if is_taken(connection, fired):
        return False
    row = {"plan": fired.plan, "local": fired.local, "at": fired.at}
    if not statements.insert_once(connection, _queued, row):
        return False
    _tell(connection, fired)
    return True


def schedule_state(connection: Connection, plan: str) -> ScheduleState:
    """Read whether a plan's schedule rests, and which of its fires waits."""
    rest = connection.execute(select(_rest).where(_rest.c.plan == plan)).mappings().one_or_none()
    waits = connection.execute(select(_queued).where(_queued.c.plan == plan)).one_or_none()
    queued = None
    if waits is not None:
        queued = Fire(plan=plan, local=waits.local, at=waits.at, result=FireResult.QUEUED)
    return ScheduleState(rest=Rest(**rest) if rest is not None else None, queued=queued)


def disable(connection: Connection, rest: Rest) -> None:
    """Let a plan's schedule rest, with a line in the system's log; a newer word replaces an
    older."""
    row = {name: getattr(rest, name) for name in ("plan", "at", "until", "actor", "because")}
    statements.upsert(connection, _rest, [row])
    more: dict[str, object] = {"until": rest.until.isoformat()} if rest.until else {}
    _note(connection, rest, "schedule.disabled", more)


def enable(connection: Connection, by: Rest) -> bool:
    """End the rest of a plan's schedule: `by` says who, when and why. False: there was none."""
    gone = connection.execute(delete(_rest).where(_rest.c.plan == by.plan))
    if gone.rowcount == 0:
        return False
    _note(connection, by, "schedule.enabled", {})
    return True


def _note(connection: Connection, rest: Rest, event: str, more: dict[str, object]) -> None:
    detail = detail_text({"plan": rest.plan, **more})
    line = Line(at=rest.at, event=event, actor=rest.actor, why=rest.because, detail=detail)
    events.append(connection, events.SYSTEM, [line])


def _tell(connection: Connection, fired: Fire) -> None:
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
