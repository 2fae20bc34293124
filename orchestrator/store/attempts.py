"""Attempts and what belongs to them: receipts, grants, results. It judges none of it."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from orchestrator.domain.model import ActivityId, AttemptId
from orchestrator.domain.operation import Intended, Operation
from orchestrator.domain.record import AttemptUpdate, Grant, Lease, Move, Receipt
from orchestrator.domain.result import Patch, Report
from orchestrator.store import rows, schema, statements

_attempt, _receipt, _permission = schema.attempt, schema.receipt, schema.permission
_INSERT: Final = _attempt.insert()
_TAKEN: Final = select(
    exists().where(
        _attempt.c.run_id == bindparam("run_id"),
        _attempt.c.vm_id == bindparam("vm_id"),
        _attempt.c.number == bindparam("number"),
        or_(_attempt.c.ended_as.is_(None), _attempt.c.ended_as.in_(("accepted", "unknown"))),
    )
)
_GRANTED: Final = select(
    exists().where(
        _permission.c.run_id == bindparam("run_id"),
        _permission.c.vm_id == bindparam("vm_id"),
        _permission.c.attempt == bindparam("number"),
    )
)
_RECEIPTS: Final = select(_receipt).where(
    _receipt.c.attempt_id.in_(bindparam("attempts", expanding=True))
)


def _new(column: Column[Any]) -> BindParameter[Any]:
    return bindparam(f"new_{column.name}", type_=column.type)


def _learnt(column: Column[Any]) -> ColumnElement[Any]:
    return func.coalesce(_new(column), column)


_LEARNS: Final = ("sent_at", "ended_at", "ended_as", "http_status", "activity_id", "verdict")
_corrected = _attempt.c.verdict != _new(_attempt.c.verdict)  # null, so false, without a new one
_LEARN: Final = (
    update(_attempt)
    .where(_attempt.c.id == bindparam("the_attempt"))
    .values({name: _learnt(_attempt.c[name]) for name in _LEARNS})
    .values(
        superseded_verdict=case(
            (_corrected, _attempt.c.verdict), else_=_attempt.c.superseded_verdict
        )
    )
)
MOST_OF_A_KEY = 500
"""Characters: PostgreSQL indexes no text much above 2,700 bytes."""


def insert(connection: Connection, lease: Lease, op: Operation, event: Intended) -> None:
    """Insert the row that says: we are about to send."""
    row = {
        "id": event.attempt,
        "run_id": op.run_id,
        "vm_id": op.target.vm_id,
        "number": op.attempt,
        "intent_at": event.at,
        "baseline_id": event.baseline,
        "holder": lease.holder,
        "epoch": lease.epoch,
    }
    connection.execute(_INSERT, row)


def is_taken(connection: Connection, op: Operation) -> bool:
    """Tell whether an intent with this operation's attempt number may have reached Azure."""
    return bool(connection.execute(_TAKEN, _number(op)).scalar_one())


def is_there(connection: Connection, attempt: AttemptId) -> bool:
    """Tell whether the intent with this id is written and was not answered yet."""
    there = exists().where(_attempt.c.id == attempt, _attempt.c.ended_as.is_(None))
    return bool(connection.execute(select(there)).scalar_one())


def is_granted(connection: Connection, op: Operation) -> bool:
    """Tell whether this operation's attempt number is allowed: the first always is."""
    return op.attempt == 1 or bool(connection.execute(_GRANTED, _number(op)).scalar_one())


def grant(connection: Connection, given: Grant) -> None:
    """Insert a grant: there is one for each attempt number of an operation."""
    connection.execute(_permission.insert(), rows.grant_to_row(given))


def learn(connection: Connection, known: AttemptUpdate) -> None:
    """Write what became known of an attempt. Raises `LookupError` when there is no such attempt."""
    values = {
        "the_attempt": known.attempt,
        "new_sent_at": known.sent_at,
        "new_ended_at": known.ended_at,
        "new_ended_as": known.end,
        "new_http_status": known.http_status,
        "new_activity_id": known.activity,
        "new_verdict": known.verdict,
    }
    if connection.execute(_LEARN, values).rowcount != 1:
        raise LookupError(f"there is no attempt {known.attempt}")


def keep(connection: Connection, move: Move, report: Report) -> None:
    """Keep a report: its raw JSON with the attempt, its patches with the operation.

    Of a patch that an earlier report named, the newer state counts.
    """
    attempt = _reporting(connection, move)
    raw = {
        "attempt_id": attempt,
        "at": move.event.at,
        "activity_id": report.activity,
        "status": report.result.status,
        "raw": zlib.compress(report.raw),
    }
    statements.insert_once(connection, schema.result, raw)
    of_operation = {"run_id": move.after.run_id, "vm_id": move.after.target.vm_id}
    patches = {_key(patch): rows.patch_to_row(patch) for patch in report.patches}
    values = [{**of_operation, **row, "patch_id": key} for key, row in patches.items()]
    statements.upsert(connection, schema.patch, values)


def receive(connection: Connection, receipt: Receipt) -> None:
    """Insert a receipt unless it is there."""
    statements.insert_once(connection, _receipt, rows.receipt_to_row(receipt))


def receipts(connection: Connection, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Receipt]:
    """Read the receipts of these attempts; those without one are left out."""
    found = (
        rows.receipt_from_row(row)
        for batch in statements.batches(attempts)
        for row in connection.execute(_RECEIPTS, {"attempts": list(batch)}).mappings()
    )
    return {receipt.attempt: receipt for receipt in found}


def knows(connection: Connection, activity: ActivityId) -> bool:
    """Tell whether an installation belongs to any attempt, by its receipt or by what came later."""
    there = or_(
        exists().where(_attempt.c.activity_id == activity),
        exists().where(_receipt.c.activity_id == activity),
    )
    return bool(connection.execute(select(there)).scalar_one())


def _reporting(connection: Connection, move: Move) -> AttemptId:
    """Name the attempt that a report is about: of an ended operation, its newest."""
    if move.attempt is not None:
        return move.attempt.attempt
    of_state = getattr(move.before.state, "attempt", None)
    if of_state is not None:
        return AttemptId(of_state)
    op = move.after
    query = (
        select(_attempt.c.id)
        .where(_attempt.c.run_id == op.run_id, _attempt.c.vm_id == op.target.vm_id)
        .order_by(_attempt.c.number.desc(), _attempt.c.intent_at.desc())
        .limit(1)
    )
    return AttemptId(connection.execute(query).scalar_one())


def _number(op: Operation) -> dict[str, Any]:
    return {"run_id": op.run_id, "vm_id": op.target.vm_id, "number": op.attempt}


def _key(patch: Patch) -> str:
    """Return what tells a patch from the others of its report; a key has its limits."""
    return (patch.patch_id or f"{patch.kb_id or patch.name}_{patch.version}")[:MOST_OF_A_KEY]
