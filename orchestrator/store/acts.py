"""What people ask of a run: insert-only rows, and the answers to them. It applies none."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, exists, select

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, ActDone
from orchestrator.store import events, notices, rows, schema, statements
from orchestrator.store.chain import Line, detail_text

_act = schema.act
_done = schema.act_done
is_answered = exists().where(_done.c.act_id == _act.c.id)
_WAITING: Final = (
    select(_act)
    .where(_act.c.run_id == bindparam("the_run"), ~is_answered)
    .order_by(_act.c.at, _act.c.id)
)
_KIND: Final = select(_act.c.kind).where(_act.c.id == bindparam("the_act"))


def ask(connection: Connection, act: Act) -> None:
    """Insert an act and its line in the run's log; the same id a second time changes nothing."""
    if not statements.insert_once(connection, _act, rows.act_to_row(act)):
        return
    detail = {
        "act": act.id,
        "kind": act.kind,
        "vms": list(act.vms),
        "wave": act.wave,
        "code": act.code,
        "resolution": act.resolution,
        "max_parallel": rows.act_to_row(act)["max_parallel"],
    }
    given = {name: value for name, value in detail.items() if value}
    line = Line(
        at=act.at,
        event="act.asked",
        actor=act.actor,
        why=act.because,
        detail=detail_text(given),
    )
    events.append(connection, act.run_id, [line])
    notices.tell(connection, act.run_id)


def waiting(connection: Connection, run_id: RunId) -> Sequence[Act]:
    """Read the acts without an answer, oldest first."""
    found = connection.execute(_WAITING, {"the_run": run_id}).mappings()
    return [rows.act_from_row(row) for row in found]


def answer(connection: Connection, done: ActDone) -> Sequence[Line]:
    """Insert an answer and return its line for the log; an act has one answer only."""
    row = {"act_id": done.act_id, "at": done.at, "result": done.result}
    if not statements.insert_once(connection, _done, row):
        return []
    kind = connection.execute(_KIND, {"the_act": done.act_id}).scalar_one()
    detail = detail_text({"act": done.act_id, "kind": kind})
    return [Line(at=done.at, event="act.answered", actor=done.by, why=done.result, detail=detail)]
