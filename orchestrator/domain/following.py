"""The decisions after the intent: what a poll or a look means for an operation that Azure has, or
may have. Pure.

`None` means: nothing new, look again at the next planned time.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import (
    Collapsed,
    Finished,
    Gone,
    LastInstallation,
    LookAnswer,
    PollAnswer,
    Seen,
    Throttled,
    TraceAnswer,
    Traced,
    Unreadable,
)
from orchestrator.domain.model import ActivityId, PlanSpec, WaveSpec
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
from orchestrator.domain.record import Receipt
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
from orchestrator.domain.submitting import busy, deadline
from orchestrator.domain.tracing import (
    ENDED,
    NOT_OURS,
    PLATFORM,
    SKEW,
    USER,
    Found,
    completed,
    exact,
    found_since,
)
from orchestrator.domain.verdict import REBOOT_UNKNOWN, Bad, Good, Unclear, collapsed, judge, unsaid

_FORBIDDEN: Final = 403


def settle(  # noqa: PLR0913 - all that is known of one doubt
    state: Unknown,
    answer: LookAnswer,
    plan: PlanSpec,
    wave: WaveSpec,
    now: datetime,
    trace: TraceAnswer | None = None,
    *,
    contested: bool = False,
) -> Event | None:
    """Decide about an operation that Azure may have taken, after one look and what Resource Graph
    said at it (None: it was not asked), by the rule of design 5.5. `contested`: there is another
    attempt on this VM of which nobody knows what it started.

    `now` is when the look began: only a look begun after `settle_at` may conclude that there is no
    trace. An installation that Azure started itself is never ours, and does not hide ours where
    Resource Graph shows both; but nothing is ever sent again on the strength of it.
    """
    found = found_since(state, answer, trace)
    candidates = [each for each in found if each.started_by != PLATFORM]
    begun_from = _begun_from(state, contested=contested)
    if len(candidates) == 1 and _may_adopt(state, candidates[0], trace, now, begun_from):
        return _adopted(candidates[0], plan, wave, now)
    if sum(each.started_by == USER for each in found) > 1:
        return _contradicted(found, plan, wave, now)
    if not isinstance(answer, Seen):
        return out_of_sight(answer, state.settle_at, plan.tracking.overdue, now)
    if now < state.settle_at + _patience(trace, plan):
        return None
    if found:
        return _contradicted(found, plan, wave, now)
    return _without_trace(state, answer, plan, wave, now)


def _begun_from(state: Unknown, *, contested: bool) -> datetime:
    """Return when an installation must have begun to be ours: a little before our intent, as clocks
    differ; but not where something speaks for another's: a 409, or an earlier request that may have
    come late."""
    another_s = contested or state.conflict is not None
    return state.intent_at - (timedelta(0) if another_s else SKEW)


def _may_adopt(
    state: Unknown,
    found: Found,
    trace: TraceAnswer | None,
    now: datetime,
    begun_from: datetime,
) -> bool:
    """Tell whether the only new installation may be adopted already.

    The instance view does not say who started it. Where nothing else proves that it was us, it is
    adopted once Resource Graph has answered and had nothing to say against it; a query that failed
    is made again, until the settle instant. Never so after a 409: that speaks for somebody else's,
    whose result would become our success.
    """
    if not _is_ours(state, found, begun_from):
        return False
    proved = found.started_by == USER or found.activity == state.expected
    return proved or (state.conflict is None and (_heard(trace) or now >= state.settle_at))


def _heard(trace: TraceAnswer | None) -> bool:
    """Tell whether Resource Graph has said all that it will say now: it answered, or we may not
    ask."""
    return isinstance(trace, Traced) or (
        isinstance(trace, Unreadable) and trace.http_status == _FORBIDDEN
    )


def _is_ours(state: Unknown, found: Found, begun_from: datetime) -> bool:
    """Tell whether a new installation can be ours: the same id where one was seen, and started in
    our time."""
    if state.expected is not None and found.activity != state.expected:
        return False
    if found.started_at is None:
        return state.expected is not None
    if found.activity == state.expected:
        begun_from = state.intent_at - SKEW
    return begun_from <= found.started_at <= state.settle_at


def _adopted(found: Found, plan: PlanSpec, wave: WaveSpec, now: datetime) -> Event:
    if found.result.status in ENDED:
        return Reported(now, deadline(plan, wave, now), found.activity, found.result)
    return Accepted(
        now, found.activity, deadline(plan, wave, found.started_at or now), tracked=False
    )


def _contradicted(
    found: tuple[Found, ...], plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Escalated:
    own = [each.activity for each in found if each.started_by == PLATFORM]
    foreign = [each.activity for each in found if each.started_by != PLATFORM]
    said = [f"installation {each} appeared on the VM; it need not be ours" for each in foreign]
    said += [f"Azure's own installation {each} may hide ours" for each in own]
    return Escalated(now, deadline(plan, wave, now), Why("contradiction", "; ".join(said)))


def _patience(trace: TraceAnswer | None, plan: PlanSpec) -> timedelta:
    """A query that the throttle held back is worth one more look, and no more waiting than that."""
    return plan.tracking.poll if isinstance(trace, Throttled) else timedelta(0)


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


def arrived(
    state: Unknown, receipt: Receipt, plan: PlanSpec, wave: WaveSpec, now: datetime
) -> Accepted:
    """Decide about a doubt whose 202 was written down after all: its sender had only been slow."""
    until = deadline(plan, wave, receipt.at)
    return Accepted(now, receipt.activity or state.expected, until, tracked=True)


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
    state: InProgress,
    answer: LookAnswer,
    plan: PlanSpec,
    wave: WaveSpec,
    now: datetime,
    trace: TraceAnswer | None = None,
) -> Event | None:
    """Decide by the instance view, and by Resource Graph where that was asked: for an operation
    without a URL that serves, or past its deadline (design 6)."""
    told = exact(trace, state.activity)
    if told is not None and told.started_by == PLATFORM and not state.tracked:
        return _not_ours(told.activity, state.deadline, now)
    last = _ours(state, answer) if isinstance(answer, Seen) else None
    result = completed(last.result if last else None, told.result if told else None)
    if result is not None and result.status in ENDED:
        activity = last.activity if last else state.activity
        return Reported(now, _verify_by(plan, wave, now), activity, result)
    if not isinstance(answer, Seen):
        return out_of_sight(answer, state.deadline, plan.tracking.overdue, now)
    if now < state.deadline + _patience(trace, plan):
        return None
    text = f"no end was reported within {now - state.since} of its acceptance"
    return Escalated(now, now, Why("overdue", text))


def _not_ours(activity: ActivityId, locked_until: datetime, now: datetime) -> Escalated:
    text = (
        f"installation {activity} was taken for ours, but Azure started it itself; what became of "
        "our request is not known"
    )
    return Escalated(now, locked_until, Why("not_ours", text))


def _ours(state: InProgress, seen: Seen) -> LastInstallation | None:
    """Return the newest installation if it is ours: by its id, or where a 202 brought none, by
    having begun after our intent. An older one is never ours."""
    last = seen.last
    if last is None or state.activity is not None:
        return last if last is not None and last.activity == state.activity else None
    begun = last.started_at is not None and last.started_at - seen.skew >= state.intent_at - SKEW
    return last if begun else None


def out_of_sight(
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
    unclear or does not say whether there was one."""
    rebooted = state.result is not None and state.result.reboot == "Completed"
    if (rebooted or _may_learn(state)) and isinstance(judge(state.result, back=True), Good):
        return True
    return isinstance(judge(state.result, back=False), Unclear)


def _may_learn(state: Verifying) -> bool:
    """Tell whether Resource Graph may know of a reboot of which the instance view never tells."""
    unsaid = state.result is not None and state.result.reboot is None
    return unsaid and state.activity is not None


def _learning(state: Verifying, trace: TraceAnswer | None, now: datetime) -> bool:
    """Tell whether to go on asking Resource Graph about the reboot: five minutes (of the 45 of
    `overdue`) if it answers, and until the deadline while it could not be asked."""
    if not _may_learn(state) or now >= state.deadline:
        return False
    unasked = trace is None or isinstance(trace, Throttled)
    return unasked or now < state.since + (state.deadline - state.since) / 9


def verify(
    state: Verifying,
    answer: LookAnswer | None,
    wave: WaveSpec,
    now: datetime,
    trace: TraceAnswer | None = None,
) -> Event | None:
    """Decide about an installation that has ended. `answer` is None when no look was needed,
    `trace` when Resource Graph was not asked at it."""
    seen = answer if isinstance(answer, Seen) else None
    told = exact(trace, state.activity)
    if told is not None and told.started_by == PLATFORM:
        return _not_ours(told.activity, state.deadline, now)
    known = completed(_read(state, seen), told.result if told else None)
    state = replace(state, result=known)
    back = answer is None or (seen is not None and _is_back(state, seen, now))
    verdict = judge(state.result, back=back)
    if wave.staged is not None:
        verdict = unsaid(verdict, state.result)
    if isinstance(verdict, Good) and answer is not None and _learning(state, trace, now):
        return None
    if isinstance(verdict, Good) and not back:
        verdict = Unclear(Why("not_back", not_back(seen)))
    match verdict:
        case Good(outcome, why):
            return Passed(now, outcome, _with_gap(why, state.result), state.result)
        case Bad(failure, why):
            return Broke(now, failure, why, state.result)
        case Unclear(why):
            if answer is not None and seen is None:
                patience = state.deadline - state.since
                return out_of_sight(answer, state.deadline, patience, now)
            return _until_deadline(state, seen, why, now)


def _with_gap(why: Why, result: Result | None) -> Why:
    """Say why the reboot's column is empty."""
    if result is None or result.reboot is not None or why.code == REBOOT_UNKNOWN:
        return why
    return replace(why, text=f"{why.text}; Azure did not say whether it rebooted")


def _until_deadline(state: Verifying, seen: Seen | None, why: Why, now: datetime) -> Event | None:
    """Past its deadline, one successful look decides: a VM that is not back is unhealthy, the rest
    is for a person."""
    if now < state.deadline or seen is None:
        return None
    if why.code == "not_back":
        return Broke(now, FailureClass.UNHEALTHY, why, state.result)
    return Escalated(now, now, why)


def _read(state: Verifying, seen: Seen | None) -> Result | None:
    """Return the operation's own result; one that says nothing gives way to the instance view's."""
    if isinstance(judge(state.result, back=True), Unclear):
        return _from_view(state, seen) or state.result
    return state.result


def _from_view(state: Verifying, seen: Seen | None) -> Result | None:
    if seen is None or seen.last is None or seen.last.result.status not in ENDED:
        return None
    return seen.last.result if state.activity == seen.last.activity else None


def _is_back(state: Verifying, seen: Seen, now: datetime) -> bool:
    """Tell whether the VM is well. One whose reboot was only announced is still up for a while."""
    if reboot_pending(state) and now < state.since + REBOOT_GRACE:
        return False
    return is_well(seen)


def is_well(seen: Seen) -> bool:
    """Tell whether a VM is up with its agent answering."""
    return seen.power in {"", "running"} and seen.agent_ready


def not_back(seen: Seen | None) -> str:
    """Say how a VM stands that is not well after its reboot."""
    if seen is None:
        return "the VM could not be read after its reboot"
    agent = "ready" if seen.agent_ready else "not ready"
    power = seen.power or "in an unknown power state"
    return f"after its reboot the VM is {power} with its agent {agent}"


def late_truth(
    state: NeedsHuman,
    answer: LookAnswer,
    plan: PlanSpec,
    wave: WaveSpec,
    now: datetime,
    trace: TraceAnswer | None = None,
) -> Event | None:
    """Decide after the hourly look at a VM that needs a person: only an end with the exact id
    helps, from the instance view or from Resource Graph (design 4)."""
    told = exact(trace, state.activity)
    azures_own = told is not None and told.started_by == PLATFORM
    if state.activity is None or state.why.code == NOT_OURS or azures_own:
        return None
    last = answer.last if isinstance(answer, Seen) else None
    shown = last.result if last is not None and last.activity == state.activity else None
    result = completed(shown, told.result if told else None)
    if result is None or result.status not in ENDED:
        return None
    return Reported(now, _verify_by(plan, wave, now), state.activity, result)
