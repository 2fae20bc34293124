"""Rows of operations: compared, swapped, and read for what holds a VM. It decides nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, update

from orchestrator.domain.model import RunId, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Move, Watch
from orchestrator.ports import Stale
from orchestrator.store import rows, schema, statements
from orchestrator.store.operation_rows import moving_parts

_operation = schema.operation
_FIXED: Final = (
    "run_id", "vm_id", "wave", "vm_name", "subscription_id", "resource_group", "region", "os",
    "zone", "availability_set", "image", "tags", "rank",
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
HOLDING: Final = (
    "submitting", "unknown", "in_progress", "verifying", "reboot_queued", "rebooting",
)  # fmt: skip
"""States in which Azure has, or may have, an installation or a restart of ours on the VM, or is to
be asked for the restart that the installation needs."""
_HOLDERS: Final = select(
    _operation.c.vm_id, _operation.c.run_id, _operation.c.state, _operation.c.locked_until
).where(
    _operation.c.vm_id.in_(bindparam("vms", expanding=True)),
    _operation.c.run_id != bindparam("run_id"),
    or_(_operation.c.state.in_(HOLDING), _operation.c.state == "needs_human"),
)


def versions(connection: Connection, run_id: RunId, moves: Sequence[Move]) -> dict[VmId, int]:
    """Lock the rows that will move, and return their versions."""
    vms = sorted({move.before.target.vm_id for move in moves})
    return {
        VmId(row.vm_id): row.version
        for batch in statements.batches(vms)
        for row in connection.execute(_VERSIONS, {"run_id": run_id, "vms": batch})
    }


def stale(versions: Mapping[VmId, int], moves: Sequence[Move]) -> Stale | None:
    """Tell whether one of these rows is not as its move saw it.

    A VM may move several times in one change; each of its moves then starts where the last ended.
    """
    ahead: dict[VmId, int] = {}
    for move in moves:
        vm = move.before.target.vm_id
        now = ahead.get(vm, versions.get(vm))
        if now != move.before.version:
            return Stale(f"{vm} has moved on: version {now}")
        ahead[vm] = move.after.version
    return None


def move_on(versions: dict[VmId, int], moves: Sequence[Move]) -> None:
    """Count moves that will be written, for those that come after them in the transaction."""
    for move in moves:
        versions[move.after.target.vm_id] = move.after.version


def swap(connection: Connection, moves: Sequence[Move]) -> None:
    """Write the rows that `stale` found to be as they should; each still compares its version."""
    if moves:
        values = [_swap_values(move.before, move.after) for move in moves]
        statements.run_each(connection, _SWAP, values)


def holders(connection: Connection, run_id: RunId, moves: Sequence[Move]) -> Mapping[VmId, RunId]:
    """Name the other run that holds each of these VMs, where one does: with a start that has not
    ended, or with one that a person should look at, until its lock runs out."""
    at = {move.before.target.vm_id: move.event.at for move in moves}
    return {
        VmId(row.vm_id): RunId(row.run_id)
        for batch in statements.batches(sorted(at))
        for row in connection.execute(_HOLDERS, {"run_id": run_id, "vms": batch})
        if row.state in HOLDING or (row.locked_until and row.locked_until > at[row.vm_id])
    }


def checkpoint(connection: Connection, run_id: RunId, watches: Mapping[VmId, Watch]) -> None:
    """Write polling state over what was there."""
    key = {"run_id": run_id}
    values = [{**key, "vm_id": vm, **rows.watch_to_row(watch)} for vm, watch in watches.items()]
    statements.upsert(connection, schema.watch, values)


def _swap_values(before: Operation, after: Operation) -> dict[str, object]:
    values = moving_parts(after)
    values["row_run_id"] = after.run_id
    values["row_vm_id"] = after.target.vm_id
    values["row_version"] = before.version
    return values
