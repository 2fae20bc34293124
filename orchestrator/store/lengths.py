"""How long past installations lasted, for whoever plans reads: the newest runs' only, so that the
work is bounded whatever the database holds. It estimates nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select

from orchestrator.domain.durations import Lasted
from orchestrator.domain.model import Reboot, VmId
from orchestrator.store import rows, schema

_run, _wave, _operation = schema.run, schema.wave, schema.operation
_attempt, _result = schema.attempt, schema.result

RUNS: Final = 24
"""So many of the newest runs are read: two years of monthly ones."""
_NEWEST: Final = select(_run.c.id).order_by(_run.c.opened_at.desc(), _run.c.id).limit(RUNS)
_WAVES: Final = select(_wave).where(_wave.c.run_id == bindparam("run_id"))
_ENDS: Final = (
    select(
        _operation.c.vm_id,
        _operation.c.os,
        _operation.c.wave,
        _attempt.c.intent_at,
        _result.c.at,
    )
    .select_from(_attempt)
    .join(_result, _result.c.attempt_id == _attempt.c.id)
    .join(
        _operation,
        and_(_operation.c.run_id == _attempt.c.run_id, _operation.c.vm_id == _attempt.c.vm_id),
    )
    .where(_attempt.c.run_id == bindparam("run_id"))
    .limit(bindparam("most"))
)


def newest(connection: Connection, most: int) -> Sequence[Lasted]:
    """Return how long at most so many installations lasted, the newest runs' first: from the intent
    to the read that brought the result. A run whose rows make no sense is passed over."""
    found: list[Lasted] = []
    for run_id in connection.execute(_NEWEST).scalars().all():
        values = {"run_id": run_id, "most": most - len(found)}
        ends = connection.execute(_ENDS, values).all()
        if ends:
            found += _lengths(ends, _reboots(connection, run_id))
        if len(found) >= most:
            break
    return found


def _reboots(connection: Connection, run_id: str) -> dict[int, Reboot]:
    try:
        found = connection.execute(_WAVES, {"run_id": run_id}).mappings()
        return {wave.position: wave.spec.reboot for wave in map(rows.wave_from_row, found)}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _lengths(ends: Sequence[Any], reboots: Mapping[int, Reboot]) -> Iterator[Lasted]:
    for vm, os, wave, begun, ended in ends:
        lasted = ended - begun
        if wave in reboots and lasted > timedelta(0):
            yield Lasted(vm_id=VmId(vm), os=os, reboot=reboots[wave], lasted=lasted)
