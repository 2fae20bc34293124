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

from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import ActivityId, AttemptId, RunId, VmId
from orchestrator.domain.operation import Intended, Operation
from orchestrator.domain.record import AttemptUpdate, Grant, GrantKind, Lease, Move, Receipt
from orchestrator.domain.result import Patch, Report
from orchestrator.store import rows, schema, statements

_attempt, _receipt, _permission = schema.attempt, schema.receipt, schema.permission
_INSERT: Final = _attempt.insert()
_TAKEN: Final = select(_attempt.c.vm_id, _attempt.c.number).where(
    _attempt.c.run_id == bindparam("run_id"),
    _attempt.c.vm_id.in_(bindparam("vms", expanding=True)),
    or_(_attempt.c.ended_as.is_(None), _attempt.c.ended_as.in_(("accepted", "unknown"))),
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
_TRACKERS: Final = select(
    _receipt.c.attempt_id, _receipt.c.status_url, _receipt.c.location_url
).where(_receipt.c.attempt_id.in_(bindparam("attempts", expanding=True)))


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
_THERE: Final = select(_attempt.c.id).where(
    _attempt.c.id.in_(bindparam("attempts", expanding=True))
)
MOST_OF_A_KEY = 500
"""Characters: PostgreSQL indexes no text much above 2,700 bytes."""


def insert(
    connection: Connection, lease: Lease, intents: Sequence[tuple[Operation, Intended]]
) -> None:
    """Insert the rows that say: we are about to send."""
    rows_of = [
        {
            "id": event.attempt,
            "run_id": op.run_id,
            "vm_id": op.target.vm_id,
            "number": op.attempt,
            "intent_at": event.at,
            "baseline_id": event.baseline,
            "holder": lease.holder,
            "epoch": lease.epoch,
        }
        for op, event in intents
    ]
    if rows_of:
        statements.run_each(connection, _INSERT, rows_of)


def taken(
    connection: Connection, run_id: RunId, ops: Sequence[Operation]
) -> frozenset[tuple[VmId, int]]:
    """Return the attempts of these operations, as (VM, number), that may have reached Azure."""
    return frozenset(
        (VmId(row.vm_id), row.number)
        for batch in statements.batches(sorted({op.target.vm_id for op in ops}))
        for row in connection.execute(_TAKEN, {"run_id": run_id, "vms": batch})
    )


def is_there(connection: Connection, attempt: AttemptId) -> bool:
    """Tell whether the intent with this id is written and was not answered yet."""
    there = exists().where(_attempt.c.id == attempt, _attempt.c.ended_as.is_(None))
    return bool(connection.execute(select(there)).scalar_one())


def is_granted(connection: Connection, op: Operation) -> bool:
    """Tell whether this operation's attempt number is allowed: the first always is."""
    return op.attempt == 1 or bool(connection.execute(_GRANTED, _number(op)).scalar_one())


def grant(connection: Connection, given: Sequence[Grant]) -> None:
    """Insert grants: there is one for each attempt number of an operation."""
    if given:
        connection.execute(_permission.insert(), [rows.grant_to_row(each) for each in given])


def grants(connection: Connection, run_id: RunId, vm: VmId, kind: GrantKind) -> int:
    """Count the grants of a kind that a VM of a run has had."""
    mine = (_permission.c.run_id == run_id, _permission.c.vm_id == vm, _permission.c.kind == kind)
    return connection.execute(
        select(func.count()).select_from(_permission).where(*mine)
    ).scalar_one()


def learn(connection: Connection, known: Sequence[AttemptUpdate]) -> None:
    """Write what became known of attempts. Raises `LookupError` when one of them is not there."""
    values = [
        {
            "the_attempt": each.attempt,
            "new_sent_at": each.sent_at,
            "new_ended_at": each.ended_at,
            "new_ended_as": each.end,
            "new_http_status": each.http_status,
            "new_activity_id": each.activity,
            "new_verdict": each.verdict,
        }
        for each in known
    ]
    ids = sorted({each.attempt for each in known})
    for batch in statements.batches(ids):  # asyncpg does not say how many rows many updates found
        there = connection.execute(_THERE, {"attempts": batch}).scalars().all()
        if len(there) != len(batch):
            raise LookupError(f"there are no attempts {sorted({*batch} - {*there})}")
    if values:
        statements.run_each(connection, _LEARN, values)


def keep(connection: Connection, reporting: Sequence[Move]) -> None:
    """Keep the reports of moves: raw JSON with the attempt, patches with the operation.

    Of a patch that an earlier report named, the newer state counts.
    """
    results, patches = [], []
    for move in reporting:
        if move.report is not None:
            results.append(_result_row(_reporting(connection, move), move, move.report))
            patches += _patch_rows(move.after, move.report)
    statements.insert_missing(connection, schema.result, results)
    statements.upsert(connection, schema.patch, patches)


def _result_row(attempt: AttemptId, move: Move, report: Report) -> dict[str, Any]:
    return {
        "attempt_id": attempt,
        "at": move.event.at,
        "activity_id": report.activity,
        "status": report.result.status,
        "raw": _compressed(report.raw),
    }


def _compressed(raw: bytes) -> bytes:
    """Compress with a window no larger than the text: to set up zlib's usual one takes longer than
    all the rest."""
    window = min(max(len(raw).bit_length(), 10), zlib.MAX_WBITS)
    packer = zlib.compressobj(wbits=window, memLevel=window - 7)
    return packer.compress(raw) + packer.flush()


def _patch_rows(op: Operation, report: Report) -> list[dict[str, Any]]:
    of_operation = {"run_id": op.run_id, "vm_id": op.target.vm_id}
    patches = {_key(patch): rows.patch_to_row(patch) for patch in report.patches}
    return [{**of_operation, **row, "patch_id": key} for key, row in patches.items()]


def receive(connection: Connection, given: Sequence[Receipt]) -> Sequence[None]:
    """Insert receipts that are not there yet."""
    statements.insert_missing(connection, _receipt, [rows.receipt_to_row(each) for each in given])
    return [None] * len(given)


def receipts(connection: Connection, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Receipt]:
    """Read the receipts of these attempts; those without one are left out."""
    found = (
        rows.receipt_from_row(row)
        for batch in statements.batches(attempts)
        for row in connection.execute(_RECEIPTS, {"attempts": list(batch)}).mappings()
    )
    return {receipt.attempt: receipt for receipt in found}


def trackers(connection: Connection, attempts: Sequence[AttemptId]) -> Mapping[AttemptId, Tracker]:
    """Read the operation URLs of these attempts, thousands of times an hour: nothing else of the
    receipts is read."""
    return {
        AttemptId(attempt): Tracker(status_url=status, location_url=location)
        for batch in statements.batches(attempts)
        for attempt, status, location in connection.execute(_TRACKERS, {"attempts": list(batch)})
    }


def knows(connection: Connection, activity: ActivityId) -> bool:
    """Tell whether an installation belongs to any attempt, by its receipt or by what came later."""
    there = or_(
        exists().where(_attempt.c.activity_id == activity),
        exists().where(_receipt.c.activity_id == activity),
    )
    return bool(connection.execute(select(there)).scalar_one())


def is_contested(connection: Connection, vm: VmId, attempt: AttemptId) -> bool:
    """Tell whether another attempt on a VM may have started an installation that is not known."""
    operation = schema.operation
    there = exists().where(
        operation.c.vm_id == vm,
        _attempt.c.run_id == operation.c.run_id,
        _attempt.c.vm_id == operation.c.vm_id,
        _attempt.c.id != attempt,
        or_(_attempt.c.ended_as.is_(None), _attempt.c.ended_as == "unknown"),
        _attempt.c.activity_id.is_(None),
        ~exists().where(_receipt.c.attempt_id == _attempt.c.id),
        ~_is_restart(),
    )
    return bool(connection.execute(select(there)).scalar_one())


def _is_restart() -> ColumnElement[bool]:
    """Tell whether an attempt is a restart, by its grant: it installs nothing."""
    return exists().where(
        _permission.c.run_id == _attempt.c.run_id,
        _permission.c.vm_id == _attempt.c.vm_id,
        _permission.c.attempt == _attempt.c.number,
        _permission.c.kind == GrantKind.REBOOT,
    )


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
