"""What Resource Graph adds to a look at a VM: when it is worth a query, and what both show
together. Pure.

Resource Graph keeps a row for each installation, where the instance view has one slot for the
newest; but it trails by minutes (azure-facts 7). So it is only ever positive evidence: what it
shows counts, its silence and its errors prove nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import LookAnswer, Seen, Trace, TraceAnswer, Traced
from orchestrator.domain.model import ActivityId, Tracking
from orchestrator.domain.result import Result
from orchestrator.domain.states import InProgress, NeedsHuman, Unknown, Verifying
from orchestrator.domain.submitting import newer
from orchestrator.domain.verdict import readable

ENDED: Final = frozenset({"Succeeded", "Failed", "CompletedWithWarnings"})
"""Status words of an installation that is over (azure-facts 1.2)."""
SKEW: Final = timedelta(seconds=60)
"""How much earlier than our intent an adopted installation may claim to have started (design
5.5)."""
LOOK_BACK: Final = timedelta(days=1)
"""How far before our first intent Resource Graph is asked about: further than a clock is wrong."""
USER: Final = "User"
PLATFORM: Final = "Platform"
NOT_OURS: Final = "not_ours"
"""The reason code of an installation that was adopted, and turned out to be Azure's own."""

Traceable = Unknown | InProgress | Verifying | NeedsHuman

# -------------------------------------------------------------------------------------- when to ask


def worth_tracing(state: Traceable, answer: LookAnswer, now: datetime) -> bool:
    """Tell whether Resource Graph may know what this look did not show."""
    last = answer.last if isinstance(answer, Seen) else None
    match state:
        case Unknown(expected=expected):
            return expected is None or last is None or last.activity != expected
        case Verifying(activity=activity, result=result):
            known = result is not None and result.reboot is not None and result.status in ENDED
            return activity is not None and not known
        case InProgress(activity=activity, deadline=deadline):
            shown = last is not None and last.activity == activity
            ended = last is not None and last.result.status in ENDED
            return activity is not None and not (shown and (ended or now < deadline))
        case NeedsHuman(activity=activity, why=why):
            shown = last is not None and last.activity == activity
            ended = last is not None and last.result.status in ENDED
            return activity is not None and why.code != NOT_OURS and not (shown and ended)


def trace_due(
    state: Traceable,
    asked_at: datetime | None,
    tracking: Tracking,
    now: datetime,
    *,
    sighted: bool = False,
) -> bool:
    """Tell whether it is time to ask Resource Graph about an operation; `asked_at` is the last
    time that it answered.

    Much rarer than looks, since 15 queries in 5 s are all that the credential has: with the
    default `settle`, a doubt is asked about after a minute and then every three minutes, and once
    more when it is to be concluded. Every minute once a look has `sighted` what may be ours: only
    its word is missing then.
    """
    soon, pace = tracking.settle / 15, tracking.settle / 5
    match state:
        case Unknown(since=since, settle_at=limit):
            return _in_turn(since + soon, soon if sighted else pace, limit, asked_at, now)
        case InProgress(since=since, deadline=limit):
            return _in_turn(since + pace, pace, limit, asked_at, now)
        case Verifying():
            return asked_at is None or now >= asked_at + soon
        case NeedsHuman():
            return True


def sighted(state: Traceable, answer: LookAnswer) -> bool:
    """Tell whether a look at a doubt shows an installation that only Resource Graph can tell from
    Azure's own."""
    if not isinstance(state, Unknown) or state.conflict is not None:
        return False
    return _in_the_slot(state, answer) is not None


def _in_turn(
    first: datetime, pace: timedelta, limit: datetime, asked_at: datetime | None, now: datetime
) -> bool:
    if asked_at is None:
        return now >= min(first, limit)
    return now >= asked_at + pace or asked_at < limit <= now


# ------------------------------------------------------------------------------------- what it says


@dataclass(frozen=True, slots=True)
class Found:
    """An installation that is new since our intent. `started_at` is on our clock; `started_by` is
    empty while nobody said."""

    activity: ActivityId
    started_at: datetime | None
    started_by: str
    result: Result


def found_since(state: Unknown, answer: LookAnswer, trace: TraceAnswer | None) -> tuple[Found, ...]:
    """Return every installation that one of the sources shows and that is new: not the baseline,
    and not one of those that Resource Graph remembers from before our intent."""
    slot = _in_the_slot(state, answer)
    found = {slot.activity: slot} if slot is not None else {}
    for each in _in_the_graph(trace):
        other = found.get(each.activity)
        if other is not None:
            found[each.activity] = _joined(other, each)
        elif each.activity != state.baseline and not _older(state, each):
            found[each.activity] = each
    return tuple(found.values())


def _in_the_slot(state: Unknown, answer: LookAnswer) -> Found | None:
    last = newer(answer.last, state.baseline) if isinstance(answer, Seen) else None
    if last is None or not isinstance(answer, Seen):
        return None
    started_at = last.started_at - answer.skew if last.started_at else None
    return Found(last.activity, started_at, "", last.result)


def _in_the_graph(trace: TraceAnswer | None) -> Iterator[Found]:
    if isinstance(trace, Traced):
        for each in trace.traces:
            started_at = each.started_at - trace.skew if each.started_at else None
            yield Found(each.activity, started_at, each.started_by, each.result)


def _joined(slot: Found, row: Found) -> Found:
    result = completed(slot.result, row.result) or slot.result
    return Found(slot.activity, slot.started_at or row.started_at, row.started_by, result)


def _older(state: Unknown, each: Found) -> bool:
    if each.activity == state.expected or each.started_at is None:
        return False
    return each.started_at < state.intent_at - SKEW


def without(
    answer: LookAnswer, trace: TraceAnswer | None, known: Collection[ActivityId]
) -> tuple[LookAnswer, TraceAnswer | None]:
    """Return what the sources say beside these installations: those that belong to other attempts
    of ours. A view that trails may show one for the first time after our intent."""
    if isinstance(answer, Seen) and answer.last is not None and answer.last.activity in known:
        answer = replace(answer, last=None)
    if isinstance(trace, Traced):
        kept = tuple(each for each in trace.traces if each.activity not in known)
        trace = replace(trace, traces=kept)
    return answer, trace


def exact(trace: TraceAnswer | None, activity: ActivityId | None) -> Trace | None:
    """Return Resource Graph's row of one installation."""
    if not isinstance(trace, Traced) or activity is None:
        return None
    return next((each for each in trace.traces if each.activity == activity), None)


def completed(result: Result | None, other: Result | None) -> Result | None:
    """Return a result with what another source knows of the same installation.

    The one that can be judged counts; of two such the worse, and what one leaves open is filled
    from the other. An operation's own `Failed` or `Canceled` stands as it is.
    """
    collapsed = result is not None and result.status.startswith("Operation")
    if collapsed or not readable(other):
        return result
    if not readable(result):
        return other
    if other.status == "Failed" and result.status != "Failed":
        return other
    gaps = {each.name: getattr(other, each.name) for each in fields(Result)}
    return replace(
        result, **{name: value for name, value in gaps.items() if getattr(result, name) is None}
    )
