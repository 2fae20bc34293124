"""An operation as a row, and back. Pure: the round trip is a property over all states."""

from collections.abc import Callable, Mapping
from itertools import chain
from sys import intern
from typing import Any, Final

from orchestrator.domain.model import ActivityId, AttemptId, RunId, Target, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import (
    STATE_NAMES,
    Cancelled,
    Conflict,
    Failed,
    FailureClass,
    InProgress,
    NeedsHuman,
    Outcome,
    Preparing,
    Queued,
    Rebooting,
    RebootQueued,
    Skipped,
    State,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
    Wait,
    Why,
)
from orchestrator.store import documents
from orchestrator.store.result_rows import RESULT, result_from_row, result_to_row

Row = Mapping[Any, Any]
Values = dict[str, Any]

_COMMON: Final = (
    "run_id", "vm_id", "wave", "vm_name", "subscription_id", "resource_group", "region", "os",
    "zone", "availability_set", "image", "tags", "rank", "state", "attempt", "version",
    "started_at", "patched_at", "reboot_at", "forgiven",
)  # fmt: skip
_WHY: Final = ("reason_code", "reason")
_ENDED: Final = ("finished_at", "outcome", *_WHY)
_KNOWN: Final[Mapping[type[State], tuple[str, ...]]] = {
    Queued: ("not_before", "wait", "busy_since", *_WHY),
    Preparing: ("since", "busy_since"),
    Submitting: ("attempt_id", "intent_at", "baseline_id", "busy_since"),
    Unknown: (
        "attempt_id", "intent_at", "baseline_id", "since", "settle_at", "activity_id", "conflict",
        "busy_since", *_WHY,
    ),
    InProgress: ("attempt_id", "intent_at", "activity_id", "since", "deadline_at", "tracked"),
    Verifying: ("attempt_id", "activity_id", "since", "deadline_at", *RESULT),
    RebootQueued: ("activity_id", "since", "not_before", "wait", "busy_since", *_WHY, *RESULT),
    Rebooting: ("attempt_id", "intent_at", "activity_id", "since", "deadline_at", *RESULT),
    NeedsHuman: ("attempt_id", "activity_id", "since", "locked_until", *_WHY),
    Succeeded: (*_ENDED, "activity_id", *RESULT),
    Failed: (*_ENDED, "failure_class", "activity_id", *RESULT),
    Skipped: _ENDED,
    Cancelled: _ENDED,
}  # fmt: skip
"""The columns that hold what a state knows; all others are null in it."""
_BLANK: Final[Mapping[str, None]] = dict.fromkeys(chain.from_iterable(_KNOWN.values()))
_COLUMNS: Final = {STATE_NAMES[state]: (*_COMMON, *known) for state, known in _KNOWN.items()}


def columns_of(state: str) -> tuple[str, ...]:
    """Name the columns that an operation of this state is rebuilt from: fewer than half of them.

    Raises `KeyError` for a state that this version does not know.
    """
    return _COLUMNS[state]


def operation_to_row(op: Operation) -> Values:
    """Flatten an operation: a value for every column of its table."""
    return {
        "run_id": op.run_id,
        "vm_id": op.target.vm_id,
        "wave": op.wave,
        "vm_name": op.target.name,
        "subscription_id": op.target.subscription_id,
        "resource_group": op.target.resource_group,
        "region": op.target.region,
        "os": op.target.os,
        "zone": op.target.zone,
        "availability_set": op.target.availability_set,
        "image": op.target.image,
        "tags": documents.tags_text(op.target.tags),
        "rank": op.rank,
        **_BLANK,
        **moving_parts(op),
    }


def moving_parts(op: Operation) -> Values:
    """Flatten what an operation's moves change. Columns that are left out are null."""
    values = _state_to_row(op.state)
    values["state"] = STATE_NAMES[type(op.state)]
    values["attempt"] = op.attempt
    values["version"] = op.version
    values["started_at"] = op.started_at
    values["patched_at"] = op.patched_at
    values["reboot_at"] = op.reboot_at
    values["forgiven"] = op.forgiven
    return values


def operation_from_row(row: Row) -> Operation:
    """Rebuild an operation. Raises `KeyError` for a state that this version does not know."""
    target = Target(
        vm_id=VmId(row["vm_id"]),
        name=row["vm_name"],
        subscription_id=intern(row["subscription_id"]),  # thousands of VMs share these
        resource_group=intern(row["resource_group"]),
        region=intern(row["region"]),
        os=intern(row["os"]),
        zone=intern(row["zone"]),
        availability_set=intern(row["availability_set"]),
        image=intern(row["image"]),
        tags=documents.tags_from(row["tags"]),
    )
    return Operation(
        run_id=RunId(intern(row["run_id"])),
        wave=row["wave"],
        target=target,
        state=_STATES[row["state"]](row),
        attempt=row["attempt"],
        started_at=row["started_at"],
        patched_at=row["patched_at"],
        reboot_at=row["reboot_at"],
        forgiven=row["forgiven"],
        rank=row["rank"],
        version=row["version"],
    )


def _state_to_row(state: State) -> Values:
    match state:
        case Queued():
            return _queued_to_row(state)
        case Preparing(since, busy_since):
            return {"since": since, "busy_since": busy_since}
        case Submitting() | Unknown() | InProgress() | Verifying() | NeedsHuman():
            return _started_to_row(state)
        case RebootQueued() | Rebooting():
            return _rebooting_to_row(state)
        case Succeeded() | Failed() | Skipped() | Cancelled():
            return _ended_to_row(state)


def _queued_to_row(state: Queued) -> Values:
    return {
        "not_before": state.not_before,
        "wait": state.wait,
        "busy_since": state.busy_since,
        **_why_to_row(state.why),
    }


def _started_to_row(state: Submitting | Unknown | InProgress | Verifying | NeedsHuman) -> Values:
    match state:
        case Submitting(attempt, intent_at, baseline, busy_since):
            values = {"attempt_id": attempt, "intent_at": intent_at, "baseline_id": baseline}
            return {**values, "busy_since": busy_since}
        case Unknown():
            return _unknown_to_row(state)
        case InProgress(attempt, intent_at, activity, since, deadline, tracked):
            return {
                "attempt_id": attempt,
                "intent_at": intent_at,
                "activity_id": activity,
                "since": since,
                "deadline_at": deadline,
                "tracked": tracked,
            }
        case Verifying(attempt, activity, since, deadline, result):
            values = {"attempt_id": attempt, "activity_id": activity, "since": since}
            return {**values, "deadline_at": deadline, **result_to_row(result)}
        case NeedsHuman(attempt, activity, since, until, why):
            values = {"attempt_id": attempt, "activity_id": activity, "since": since}
            return {**values, "locked_until": until, **_why_to_row(why)}


def _rebooting_to_row(state: RebootQueued | Rebooting) -> Values:
    values = {"activity_id": state.activity, "since": state.since, **result_to_row(state.result)}
    match state:
        case RebootQueued(not_before=not_before, wait=wait, why=why, busy_since=busy_since):
            values |= {"not_before": not_before, "wait": wait, "busy_since": busy_since}
            return {**values, **_why_to_row(why)}
        case Rebooting(attempt, intent_at, deadline=deadline):
            return {
                **values,
                "attempt_id": attempt,
                "intent_at": intent_at,
                "deadline_at": deadline,
            }


def _unknown_to_row(state: Unknown) -> Values:
    return {
        "attempt_id": state.attempt,
        "intent_at": state.intent_at,
        "baseline_id": state.baseline,
        "since": state.since,
        "settle_at": state.settle_at,
        "activity_id": state.expected,
        "conflict": state.conflict,
        "busy_since": state.busy_since,
        **_why_to_row(state.why),
    }


def _ended_to_row(state: Succeeded | Failed | Skipped | Cancelled) -> Values:
    values = {"finished_at": state.at, **_why_to_row(state.why)}
    match state:
        case Succeeded(_, outcome, _, activity, result):
            values |= {"outcome": outcome, "activity_id": activity, **result_to_row(result)}
        case Failed(_, failure, _, activity, result):
            values |= {"outcome": Outcome.FAILED, "failure_class": failure}
            values |= {"activity_id": activity, **result_to_row(result)}
        case Skipped():
            values["outcome"] = Outcome.SKIPPED
        case Cancelled():
            values["outcome"] = Outcome.CANCELLED
    return values


def _queued(row: Row) -> Queued:
    return Queued(row["not_before"], _wait(row), _why(row), row["busy_since"])


def _preparing(row: Row) -> Preparing:
    return Preparing(row["since"], row["busy_since"])


def _submitting(row: Row) -> Submitting:
    return Submitting(
        attempt=AttemptId(row["attempt_id"]),
        intent_at=row["intent_at"],
        baseline=_activity(row, "baseline_id"),
        busy_since=row["busy_since"],
    )


def _unknown(row: Row) -> Unknown:
    return Unknown(
        attempt=AttemptId(row["attempt_id"]),
        intent_at=row["intent_at"],
        baseline=_activity(row, "baseline_id"),
        since=row["since"],
        settle_at=row["settle_at"],
        why=_reason(row),
        expected=_activity(row),
        conflict=None if row["conflict"] is None else Conflict(row["conflict"]),
        busy_since=row["busy_since"],
    )


def _in_progress(row: Row) -> InProgress:
    return InProgress(
        attempt=AttemptId(row["attempt_id"]),
        intent_at=row["intent_at"],
        activity=_activity(row),
        since=row["since"],
        deadline=row["deadline_at"],
        tracked=row["tracked"],
    )


def _verifying(row: Row) -> Verifying:
    return Verifying(
        attempt=AttemptId(row["attempt_id"]),
        activity=_activity(row),
        since=row["since"],
        deadline=row["deadline_at"],
        result=result_from_row(row),
    )


def _reboot_queued(row: Row) -> RebootQueued:
    return RebootQueued(
        since=row["since"],
        activity=_activity(row),
        result=result_from_row(row),
        not_before=row["not_before"],
        wait=_wait(row),
        why=_why(row),
        busy_since=row["busy_since"],
    )


def _rebooting(row: Row) -> Rebooting:
    return Rebooting(
        attempt=AttemptId(row["attempt_id"]),
        intent_at=row["intent_at"],
        activity=_activity(row),
        result=result_from_row(row),
        since=row["since"],
        deadline=row["deadline_at"],
    )


def _needs_human(row: Row) -> NeedsHuman:
    return NeedsHuman(
        attempt=AttemptId(row["attempt_id"]),
        activity=_activity(row),
        since=row["since"],
        locked_until=row["locked_until"],
        why=_reason(row),
    )


def _succeeded(row: Row) -> Succeeded:
    outcome, activity = Outcome(row["outcome"]), _activity(row)
    return Succeeded(row["finished_at"], outcome, _reason(row), activity, result_from_row(row))


def _failed(row: Row) -> Failed:
    failure, activity = FailureClass(row["failure_class"]), _activity(row)
    return Failed(row["finished_at"], failure, _reason(row), activity, result_from_row(row))


def _skipped(row: Row) -> Skipped:
    return Skipped(row["finished_at"], _reason(row))


def _cancelled(row: Row) -> Cancelled:
    return Cancelled(row["finished_at"], _reason(row))


_BUILDERS: Final[Mapping[type[State], Callable[[Row], State]]] = {
    Queued: _queued,
    Preparing: _preparing,
    Submitting: _submitting,
    Unknown: _unknown,
    InProgress: _in_progress,
    Verifying: _verifying,
    RebootQueued: _reboot_queued,
    Rebooting: _rebooting,
    NeedsHuman: _needs_human,
    Succeeded: _succeeded,
    Failed: _failed,
    Skipped: _skipped,
    Cancelled: _cancelled,
}
_STATES: Final = {STATE_NAMES[state]: builder for state, builder in _BUILDERS.items()}


def _activity(row: Row, column: str = "activity_id") -> ActivityId | None:
    return None if row[column] is None else ActivityId(row[column])


def _wait(row: Row) -> Wait | None:
    return None if row["wait"] is None else Wait(row["wait"])


def _why(row: Row) -> Why | None:
    return None if row["reason_code"] is None else Why(row["reason_code"], row["reason"])


def _reason(row: Row) -> Why:
    return Why(row["reason_code"], row["reason"])


def _why_to_row(why: Why | None) -> Values:
    return {} if why is None else {"reason_code": why.code, "reason": why.text}
