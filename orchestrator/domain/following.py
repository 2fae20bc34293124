"""The decisions after the intent: what a poll or a look means for an operation that Azure has, or
may have. Pure.

`None` means: nothing new, look again at the next planned time.
"""

from datetime import datetime, timedelta

from orchestrator.domain.answer import (
    Collapsed,
    Finished,
    Gone,
    LastInstallation,
    LookAnswer,
    PollAnswer,
    Seen,
    Unreadable,
)
from orchestrator.domain.model import PlanSpec, WaveSpec
from orchestrator.domain.operation import (
    Accepted,
    Broke,
    Dropped,
    Escalated,
    Event,
    Passed,
    Reported,
)
from orchestrator.domain.polling import REBOOT_GRACE, reboot_pending
from orchestrator.domain.result import Result
from orchestrator.domain.states import (
    Conflict,
    FailureClass,
    InProgress,
    NeedsHuman,
    Unknown,
    Verifying,
    Why,
)
from orchestrator.domain.submitting import busy, deadline, newer
from orchestrator.domain.verdict import Bad, Good, Unclear, collapsed, judge

_SKEW = timedelta(seconds=60)
"""How much earlier than our intent an adopted installation may claim to have started (design
5.5)."""
_ENDED = frozenset({"Succeeded", "Failed", "CompletedWithWarnings"})


def settle(
    state: Unknown, answer: LookAnswer, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event | None:
    """Decide about an operation that Azure may have taken, after one look (design 5.5).

    `now` is when the look began: only a look begun after `settle_at` may conclude that there is no
    trace.
    """
    if not isinstance(answer, Seen):
        return _out_of_sight(answer, state.settle_at, plan.tracking.overdue, now)
    found = newer(answer.last, state.baseline)
    if found is None:
        return _without_trace(state, answer, plan, wave, now) if now >= state.settle_at else None
    if not _is_ours(state, found, answer.skew):
        text = f"installation {found.activity} appeared on the VM; it need not be ours"
        return Escalated(now, deadline(plan, wave, now), Why("contradiction", text))
    if found.result.status in _ENDED:
        return Reported(now, deadline(plan, wave, now), found.activity, found.result)
    return Accepted(
        now, found.activity, deadline(plan, wave, found.started_at or now), tracked=False
    )


def _is_ours(state: Unknown, found: LastInstallation, skew: timedelta) -> bool:
    """Tell whether a new installation may be adopted: the same id where one was seen, and started
    in our time."""
    if state.expected is not None and found.activity != state.expected:
        return False
    if found.started_at is None:
        return state.expected is not None
    return state.intent_at - _SKEW <= found.started_at - skew <= state.settle_at


def _without_trace(
    state: Unknown, seen: Seen, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event:
    """Nothing new at the settle instant. After a 409 the refusal stands; otherwise only a person
    can tell."""
    match state.conflict:
        case None:
            text = f"{state.why.text}; no new installation was seen on the VM until {now:%H:%M:%S}Z"
            return Escalated(now, deadline(plan, wave, state.intent_at), Why("no_trace", text))
        case Conflict.NOT_RUNNING:
            return Dropped(
                now,
                Why(
                    "not_running",
                    f"{state.why.text} (the VM is {seen.power or 'in an unknown state'})",
                ),
            )
        case Conflict.LOCKED:
            return Broke(now, FailureClass.REJECTED, Why("locked", state.why.text))
        case Conflict.BUSY:
            return busy(state.busy_since or state.intent_at, state.why.text, now)


def progress(
    state: InProgress, answer: PollAnswer, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event | None:
    """Decide after one poll. An error tells how the reading went and never ends an operation
    (azure-facts 3)."""
    match answer:
        case Finished(report=report):
            result = report.result if report else None
            return Reported(now, _verify_by(plan, wave, now), state.activity, result)
        case Collapsed(status=status, code=code, message=message, report=report):
            said = collapsed(status, code, message, report.result if report else None)
            return Reported(now, _verify_by(plan, wave, now), state.activity, said)
        case _:
            return None


def progress_by_view(
    state: InProgress, answer: LookAnswer, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event | None:
    """Decide by the instance view: for an operation without a URL that serves, or past its
    deadline (design 6)."""
    if not isinstance(answer, Seen):
        return _out_of_sight(answer, state.deadline, plan.tracking.overdue, now)
    last = answer.last
    if last is not None and _same(state, last, answer.skew) and last.result.status in _ENDED:
        return Reported(now, _verify_by(plan, wave, now), last.activity, last.result)
    if now < state.deadline:
        return None
    text = f"no end was reported within {now - state.since} of its acceptance"
    return Escalated(now, now, Why("overdue", text))


def _same(state: InProgress, last: LastInstallation, skew: timedelta) -> bool:
    """Tell whether the newest installation is ours: by its id, or where a 202 brought none, by
    having begun after our intent. An older one is never ours."""
    if state.activity is not None:
        return last.activity == state.activity
    return last.started_at is not None and last.started_at - skew >= state.intent_at - _SKEW


def _out_of_sight(
    answer: LookAnswer, due: datetime, patience: timedelta, now: datetime
) -> Escalated | None:
    """Decide about a VM that cannot be looked at: gone for good once it is due, or unreadable for
    so long that only a person can help. Nothing waits without end (design 4)."""
    if isinstance(answer, Gone) and now >= due:
        return Escalated(now, now, Why("gone", f"Azure knows the VM no more: {answer.reason}"))
    if isinstance(answer, Unreadable) and now >= due + patience:
        text = f"the VM could not be looked at until {now:%Y-%m-%d %H:%M}Z: {answer.reason}"
        return Escalated(now, now, Why("unreadable", text))
    return None


def _verify_by(plan: PlanSpec, wave: WaveSpec, now: datetime) -> datetime:
    """A VM may take as long as an overdue operation to come back from its reboot (Linux: 43 min,
    azure-facts 5.4)."""
    return now + plan.tracking.overdue


def needs_look(state: Verifying) -> bool:
    """Tell whether the VM must be seen before the verdict: after a reboot, or when the result is
    unclear."""
    if state.result is not None and state.result.reboot == "Completed":
        return isinstance(judge(state.result, back=True), Good)
    return isinstance(judge(state.result, back=False), Unclear)


def verify(
    state: Verifying, answer: LookAnswer | None, wave: WaveSpec, now: datetime
) -> Event | None:
    """Decide about an installation that has ended. `answer` is None when no look was needed."""
    seen = answer if isinstance(answer, Seen) else None
    result = state.result or _from_view(state, seen)
    back = answer is None or (seen is not None and _is_back(state, seen, now))
    verdict = judge(result, back=back)
    if isinstance(verdict, Good) and not back:
        verdict = Unclear(Why("not_back", _not_back(seen)))
    match verdict:
        case Good(outcome, why):
            return Passed(now, outcome, why, result)
        case Bad(failure, why):
            return Broke(now, failure, why, result)
        case Unclear(why):
            if answer is not None and seen is None:
                patience = state.deadline - state.since
                return _out_of_sight(answer, state.deadline, patience, now)
            return _until_deadline(state, seen, why, result, now)


def _until_deadline(
    state: Verifying, seen: Seen | None, why: Why, result: Result | None, now: datetime
) -> Event | None:
    """Past its deadline, one successful look decides: a VM that is not back is unhealthy, the rest
    is for a person."""
    if now < state.deadline or seen is None:
        return None
    if why.code == "not_back":
        return Broke(now, FailureClass.UNHEALTHY, why, result)
    return Escalated(now, now, why)


def _from_view(state: Verifying, seen: Seen | None) -> Result | None:
    if seen is None or seen.last is None or seen.last.result.status not in _ENDED:
        return None
    return seen.last.result if state.activity == seen.last.activity else None


def _is_back(state: Verifying, seen: Seen, now: datetime) -> bool:
    """Tell whether the VM is well. One whose reboot was only announced is still up for a while."""
    if reboot_pending(state) and now < state.since + REBOOT_GRACE:
        return False
    return seen.power in {"", "running"} and seen.agent_ready


def _not_back(seen: Seen | None) -> str:
    if seen is None:
        return "the VM could not be read after its reboot"
    agent = "ready" if seen.agent_ready else "not ready"
    power = seen.power or "in an unknown power state"
    return f"after its reboot the VM is {power} with its agent {agent}"


def late_truth(
    state: NeedsHuman, answer: LookAnswer, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Event | None:
    """Decide after the hourly look at a VM that needs a person: only an end with the exact id
    helps (design 4)."""
    if not isinstance(answer, Seen) or answer.last is None or state.activity is None:
        return None
    last = answer.last
    if last.activity != state.activity or last.result.status not in _ENDED:
        return None
    return Reported(now, _verify_by(plan, wave, now), last.activity, last.result)
