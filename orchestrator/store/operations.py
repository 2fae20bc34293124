"""Rows of operations: compared, swapped, and read for what holds a VM. It decides nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from orchestrator.domain.model import RunId, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Move, Watch
from orchestrator.ports import Stale
from orchestrator.store import rows, schema, statements
from orchestrator.store.operation_rows import operation_to_row

_operation = schema.operation
_FIXED: Final = (
    "run_id", "vm_id", "wave", "vm_name", "subscription_id", "resource_group", "region", "os",
)  # fmt: skip
_SWAP: Final = (
    update(_operation)
    .where(
        _operation.c.run_id == bindparam("row_run_id"),
        _operation.c.vm_id == bindparam("row_vm_id"),
        _operation.c.version == bindparam("row_version"),
    )
    .values({c.name: bindparam(c.name, type_=c.type) for c in _operation.c if c.name not in _FIXED})
)
_VERSIONS: Final = (
    select(_operation.c.vm_id, _operation.c.version)
    .where(
        _operation.c.run_id == bindparam("run_id"),
        _operation.c.vm_id.in_(bindparam("vms", expanding=True)),
    )
    .order_by(_operation.c.vm_id)  # rows are locked in one order, so that no two wait crosswise
    .with_for_update()
)
HOLDING: Final = ("submitting", "unknown", "in_progress", "verifying")
"""States in which Azure has, or may have, an installation of ours on the VM."""
_HOLDER: Final = select(_operation.c.run_id).where(
    _operation.c.vm_id == bindparam("vm_id"),
    _operation.c.run_id != bindparam("run_id"),
    or_(
        _operation.c.state.in_(HOLDING),
        and_(_operation.c.state == "needs_human", _operation.c.locked_until > bindparam("at")),
    ),
)


def stale(connection: Connection, run_id: RunId, moves: Sequence[Move]) -> Stale | None:
    """Lock the rows that will move, and tell whether one of them is not as its move saw it.

    A VM may move several times in one change; each of its moves then starts where the last ended.
    """
    versions = _versions(connection, run_id, [move.before.target.vm_id for move in moves])
    for move in moves:
        vm = move.before.target.vm_id
        if versions.get(vm) != move.before.version:
            return Stale(f"{vm} has moved on: version {versions.get(vm)}")
        versions[vm] = move.after.version
    return None


def swap(connection: Connection, moves: Sequence[Move]) -> None:
    """Write the rows that `stale` found to be as they should; each still compares its version."""
    if moves:
        connection.execute(_SWAP, [_swap_values(move.before, move.after) for move in moves])


def holder_of(connection: Connection, op: Operation, at: datetime) -> RunId | None:
    """Name another run that holds this VM: with a start that has not ended, or with one that a
    person should look at, until its lock runs out."""
    values = {"vm_id": op.target.vm_id, "run_id": op.run_id, "at": at}
    return connection.execute(_HOLDER, values).scalars().first()


def checkpoint(connection: Connection, run_id: RunId, watches: Mapping[VmId, Watch]) -> None:
    """Write polling state over what was there."""
    key = {"run_id": run_id}
    values = [{**key, "vm_id": vm, **rows.watch_to_row(watch)} for vm, watch in watches.items()]
    statements.upsert(connection, schema.watch, values)


def _versions(connection: Connection, run_id: RunId, vms: Sequence[VmId]) -> dict[VmId, int]:
    return {
        VmId(row.vm_id): row.version
        for batch in statements.batches(sorted(set(vms)))
        for row in connection.execute(_VERSIONS, {"run_id": run_id, "vms": batch})
    }


def _swap_values(before: Operation, after: Operation) -> dict[str, object]:
    row = {name: value for name, value in operation_to_row(after).items() if name not in _FIXED}
    target = after.target
    key = {"row_run_id": after.run_id, "row_vm_id": target.vm_id, "row_version": before.version}
    return row | key
