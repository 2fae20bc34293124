"""Runs, waves and the records beside them as rows, and back. Pure; operations have their own
module."""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import ActivityId, AttemptId, Run, RunId, RunStatus, Wave, WaveStatus
from orchestrator.domain.record import Act, ActKind, Fire, Grant, Receipt, Resolution, Watch
from orchestrator.domain.result import Patch
from orchestrator.store import documents

Row = Mapping[Any, Any]
Values = dict[str, Any]

RUN_MOVES: Final = (
    "status", "reason", "version", "deadline_at", "closed_at", "results_from", "reminded_at",
    "quarantine",
)  # fmt: skip
"""The columns of a run that may change after it was opened."""
WAVE_MOVES: Final = (
    "status", "reason", "allowed", "max_parallel", "opened_at", "baking_until", "closed_at",
    "excused", "ramp", "asked_at", "approved_at", "approved_by", "gates", "reboots_at",
    "reboots_at_once", "reboots_allowed",
)  # fmt: skip
"""The columns of a wave that may change after its run was opened."""
WATCH: Final = ("next_at", "polls", "last_at", "by_view")
"""The columns of a polling state; `next_at` is never null."""


def run_to_row(run: Run) -> Values:
    """Flatten a run: the resolved plan is one document."""
    return {
        "id": run.id,
        "plan": run.plan.name,
        "spec": documents.plan_text(run.plan),
        "config_hash": run.config_hash,
        "opened_by": run.opened_by,
        "parent": run.parent,
        "opened_at": run.opened_at,
        **run_moving_parts(run),
    }


def run_moving_parts(run: Run) -> Values:
    """Return the columns of a run that may change after it was opened."""
    return {
        **{name: getattr(run, name) for name in RUN_MOVES},
        "quarantine": documents.quarantine_text(run.quarantine),
    }


def run_from_row(row: Row) -> Run:
    """Rebuild a run."""
    return Run(
        id=RunId(row["id"]),
        plan=documents.plan_from(row["spec"]),
        status=RunStatus(row["status"]),
        opened_at=row["opened_at"],
        deadline_at=row["deadline_at"],
        config_hash=row["config_hash"],
        opened_by=row["opened_by"],
        reason=row["reason"],
        closed_at=row["closed_at"],
        parent=None if row["parent"] is None else RunId(row["parent"]),
        results_from=row["results_from"],
        reminded_at=row["reminded_at"],
        version=row["version"],
        approved_by=row.get("approved_by"),
        quarantine=documents.quarantine_from(row["quarantine"]),
    )


def emergency_to_row(run: Run) -> Values:
    """Flatten who let an emergency run override freezes."""
    return {"run_id": run.id, "approved_by": run.approved_by}


def wave_to_row(run_id: RunId, wave: Wave) -> Values:
    """Flatten a wave."""
    return {
        "run_id": run_id,
        "position": wave.position,
        "name": wave.spec.name,
        "spec": documents.wave_text(wave.spec),
        "vms": wave.vms,
        "approval": wave.spec.approve.group if wave.spec.approve else None,
        **wave_moving_parts(wave),
    }


def wave_moving_parts(wave: Wave) -> Values:
    """Return the columns of a wave that may change after its run was opened."""
    return {
        **{name: getattr(wave, name) for name in WAVE_MOVES},
        "ramp": documents.ramp_text(wave.ramp),
        "approved_by": wave.approved_by or None,
        "gates": documents.gates_text(wave.gates),
    }


def wave_from_row(row: Row) -> Wave:
    """Rebuild a wave."""
    return Wave(
        position=row["position"],
        spec=documents.wave_from(row["spec"]),
        vms=row["vms"],
        status=WaveStatus(row["status"]),
        reason=row["reason"],
        allowed=row["allowed"],
        max_parallel=row["max_parallel"],
        opened_at=row["opened_at"],
        baking_until=row["baking_until"],
        closed_at=row["closed_at"],
        excused=row["excused"],
        ramp=documents.ramp_from(row["ramp"]),
        asked_at=row["asked_at"],
        approved_at=row["approved_at"],
        approved_by=row["approved_by"] or "",
        gates=documents.gates_from(row["gates"]),
        reboots_at=row["reboots_at"],
        reboots_at_once=row["reboots_at_once"],
        reboots_allowed=row["reboots_allowed"],
    )


def watch_to_row(watch: Watch) -> Values:
    """Flatten a polling state."""
    return {name: getattr(watch, name) for name in WATCH}


def watch_from_row(row: Row) -> Watch:
    """Rebuild a polling state."""
    return Watch(
        next_at=row["next_at"], polls=row["polls"], last_at=row["last_at"], by_view=row["by_view"]
    )


def receipt_to_row(receipt: Receipt) -> Values:
    """Flatten a receipt: the operation URLs stay as they came."""
    return {
        "attempt_id": receipt.attempt,
        "at": receipt.at,
        "status_url": receipt.tracker.status_url,
        "location_url": receipt.tracker.location_url,
        "activity_id": receipt.activity,
    }


def receipt_from_row(row: Row) -> Receipt:
    """Rebuild a receipt."""
    activity = row["activity_id"]
    return Receipt(
        attempt=AttemptId(row["attempt_id"]),
        at=row["at"],
        tracker=Tracker(status_url=row["status_url"], location_url=row["location_url"]),
        activity=None if activity is None else ActivityId(activity),
    )


def grant_to_row(grant: Grant) -> Values:
    """Flatten a grant."""
    return {
        "run_id": grant.run_id,
        "vm_id": grant.vm_id,
        "attempt": grant.attempt,
        "kind": grant.kind,
        "actor": grant.actor,
        "why": grant.why,
        "at": grant.at,
    }


def patch_to_row(patch: Patch) -> Values:
    """Flatten a patch; its classifications become one text, `Critical, Security`."""
    return {
        "patch_id": patch.patch_id,
        "name": patch.name,
        "version": patch.version,
        "kb_id": patch.kb_id,
        "classifications": ", ".join(patch.classifications),
        "state": patch.state,
    }


def act_to_row(act: Act) -> Values:
    """Flatten an act."""
    return {
        "id": act.id,
        "run_id": act.run_id,
        "kind": act.kind,
        "actor": act.actor,
        "because": act.because,
        "at": act.at,
        "vms": documents.vms_text(act.vms),
        "wave": act.wave,
        "code": act.code,
        "resolution": act.resolution,
        "max_parallel": documents.share_text(act.max_parallel),
    }


def act_from_row(row: Row) -> Act:
    """Rebuild an act."""
    resolution = row["resolution"]
    return Act(
        id=row["id"],
        run_id=RunId(row["run_id"]),
        kind=ActKind(row["kind"]),
        actor=row["actor"],
        because=row["because"],
        at=row["at"],
        vms=documents.vms_from(row["vms"]),
        wave=row["wave"],
        code=row["code"],
        resolution=None if resolution is None else Resolution(resolution),
        max_parallel=documents.share_from(row["max_parallel"]),
    )


def fire_to_row(fire: Fire) -> Values:
    """Flatten a fire."""
    return {
        "plan": fire.plan,
        "local": fire.local,
        "at": fire.at,
        "result": fire.result,
        "reason": fire.reason,
        "run_id": fire.run_id,
    }
