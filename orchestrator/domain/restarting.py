"""The decisions about one restart: before its intent, after its answer, and until the VM is back.
Pure.

A restart is a request with an effect, so it is sent once for its intent and never again. Nothing in
Azure tells afterwards whether one was made: where the answer does not say, a person must look.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import (
    Collapsed,
    Conflicted,
    Gone,
    InDoubt,
    LookAnswer,
    PollAnswer,
    Seen,
    SubmitAnswer,
    Taken,
)
from orchestrator.domain.following import is_well, not_back, out_of_sight
from orchestrator.domain.model import PlanSpec
from orchestrator.domain.operation import Accepted, Broke, Escalated, Event, Passed
from orchestrator.domain.record import AttemptEnd, Receipt
from orchestrator.domain.states import (
    FailureClass,
    Outcome,
    Rebooting,
    RebootQueued,
    Why,
)
from orchestrator.domain.submitting import AGAIN, busy, unread, unsent

_CHANGING: Final = frozenset({"starting", "stopping", "deallocating"})
DOUBTFUL: Final = "restart_doubtful"


def inspect(
    state: RebootQueued, answer: LookAnswer, now: datetime, again: timedelta = AGAIN
) -> Event | None:
    """Decide after the one read before a restart; None: it may be sent.

    A VM that is off or gone needs none: it ends as patched, with its reboot pending.
    """
    match answer:
        case Seen(power=power) if power in _CHANGING:
            return busy(state.busy_since, f"the VM is {power}", now)
        case Seen(power=power) if power not in {"", "running"}:
            return _left(state, "not_running", f"the VM is {power}", now)
        case Seen(last=last) if last is not None and last.result.status == "InProgress":
            text = f"installation {last.activity} is in progress there"
            return busy(state.busy_since, text, now)
        case Seen(provisioning=provisioning) if provisioning.lower() == "deleting":
            return _left(state, "not_found", "the VM is being deleted", now)
        case Seen():
            return None
        case Gone(reason=reason):
            return _left(state, "not_found", reason, now)
        case _:
            return unread(answer, now, again)


def _left(state: RebootQueued, code: str, text: str, now: datetime) -> Passed:
    why = Why(code, f"patched; it was not restarted: {text}")
    return Passed(now, Outcome.REBOOT_PENDING, why, state.result)


def conclude(answer: SubmitAnswer, plan: PlanSpec, now: datetime) -> tuple[Event, AttemptEnd]:
    """Classify the answer to the one request. A 409 proves nothing: an intermediary may have sent
    it twice, and the second found the first at work."""
    match answer:
        case Taken():
            return _taken(plan, now), AttemptEnd.ACCEPTED
        case Conflicted(code=code, message=message):
            said = ": ".join(part for part in (code, message) if part)
            return _doubtful(f"Azure answered 409 {said}", plan, now), AttemptEnd.UNKNOWN
        case InDoubt(reason=reason):
            return _doubtful(reason, plan, now), AttemptEnd.UNKNOWN
        case _:
            return unsent(answer, now)


def recover(receipt: Receipt | None, plan: PlanSpec, now: datetime) -> Event:
    """Decide about an intent whose sender died: its receipt is an answer; without one nobody can
    tell."""
    if receipt is not None:
        return _taken(plan, receipt.at)
    text = "the process that sent the request died before it could write down the answer"
    return _doubtful(text, plan, now)


def _taken(plan: PlanSpec, at: datetime) -> Accepted:
    return Accepted(at, None, at + plan.tracking.overdue, tracked=True)


def _doubtful(reason: str, plan: PlanSpec, now: datetime) -> Escalated:
    text = f"it is patched; whether it was restarted cannot be told: {reason}"
    return Escalated(now, now + plan.tracking.overdue, Why(DOUBTFUL, text))


def progress(state: Rebooting, answer: PollAnswer, now: datetime) -> Event | None:
    """Decide after one poll of the operation: only its failure ends anything, as a VM that was
    restarted must still be seen."""
    if not isinstance(answer, Collapsed):
        return None
    said = answer.message or answer.code or "no reason given"
    why = Why(answer.code or answer.status.lower(), f"the restart ended {answer.status}: {said}")
    return Broke(now, FailureClass.PLATFORM, why, state.result)


def returned(state: Rebooting, answer: LookAnswer, plan: PlanSpec, now: datetime) -> Event | None:
    """Decide after a look at a VM that was restarted: it is back, or late."""
    deadline = state.deadline or now
    if not isinstance(answer, Seen):
        return out_of_sight(answer, deadline, plan.tracking.overdue, now)
    if is_well(answer):
        result = state.result and replace(state.result, reboot="Completed")
        return Passed(now, Outcome.SUCCEEDED, Why("restarted", "patched and restarted"), result)
    if now < deadline:
        return None
    return Broke(now, FailureClass.UNHEALTHY, Why("not_back", not_back(answer)), state.result)
