"""What the domain makes of an answer: the state that follows, in the words of the table."""

from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from orchestrator.domain import answer as a
from orchestrator.domain import states as s
from orchestrator.domain.following import needs_look, progress, verify
from orchestrator.domain.model import AttemptId, PlanSpec
from orchestrator.domain.operation import Deferred, Dropped, transition
from orchestrator.domain.submitting import AskWhether, Ready, conclude, inspect
from tests.contract.arm.behaviours.row import Ask, Listed, Unlisted
from tests.contract.arm.bench import EVENING, OPERATION
from tests.kit.rows import a_wave, an_operation

PLAN: Final = PlanSpec(name="monthly", waves=())
WAVE: Final = a_wave()
_ATTEMPT = AttemptId("attempt")
_SUBMITTING = s.Submitting(_ATTEMPT, EVENING, None)
_IN_PROGRESS = s.InProgress(
    _ATTEMPT, EVENING, OPERATION, EVENING, EVENING + timedelta(hours=3), tracked=True
)


def what_follows(ask: Ask, told: Any) -> tuple[str, str]:
    """Return the state after an answer, and for a submit how the intent's row ends."""
    match ask:
        case Ask.SUBMIT:
            return _after_submit(told)
        case Ask.POLL | Ask.MONITOR:
            return _after_poll(told), ""
        case Ask.LOOK:
            return _before_intent(told), ""
        case Ask.LIST:
            return _after_list(told), ""


def _after_submit(told: a.SubmitAnswer) -> tuple[str, str]:
    event, end = conclude(_SUBMITTING, told, PLAN, WAVE, EVENING)
    after = transition(an_operation(state=_SUBMITTING), event).state
    return _named(after), end


def _named(state: s.State) -> str:
    match state:
        case s.Queued(wait=wait, not_before=until):
            return _queued(wait, until)
        case s.Unknown(conflict=None, why=why, expected=expected):
            return f"unknown: {why.code}" + (", its id known" if expected else "")
        case s.Unknown(conflict=conflict):
            return f"unknown: conflict ({conflict})"
        case s.Succeeded(outcome=outcome):
            return f"succeeded: {outcome}"
        case s.Failed(failure=failure):
            return f"failed: {failure}"
        case _:
            return s.STATE_NAMES[type(state)]


def _queued(wait: s.Wait | None, until: datetime | None) -> str:
    """Whatever waits has a time; the throttle's is Azure's own."""
    assert until is not None
    left = until - EVENING
    assert left > timedelta(0)
    how_long = f" for {left.total_seconds():g} s" if wait is s.Wait.THROTTLED else ""
    return f"queued: {wait}{how_long}"


def _after_poll(told: a.PollAnswer) -> str:
    """A URL that does not serve is left for the instance view, as the follower does."""
    event = progress(_IN_PROGRESS, told, PLAN, WAVE, EVENING)
    if event is None:
        return "in_progress, by instance view" if isinstance(told, a.Untrackable) else "in_progress"
    after = transition(an_operation(state=_IN_PROGRESS), event)
    if not isinstance(after.state, s.Verifying) or needs_look(after.state):
        return f"{_named(after.state)}, by instance view"
    verdict = verify(after.state, None, WAVE, EVENING)
    if verdict is None:
        return _named(after.state)
    ended = transition(after, verdict).state
    why = f" ({ended.why.code})" if isinstance(ended, s.Failed) else ""
    return f"{_named(ended)}{why}"


def _before_intent(told: a.LookAnswer) -> str:
    """A look in its place before an intent (design 5.0)."""
    decided = inspect(s.Preparing(EVENING), told, PLAN, EVENING)
    match decided:
        case Ready(baseline=baseline):
            return "submitting" if baseline is None else "submitting, over a baseline"
        case AskWhether():
            return "skipped: patched_recently, unless it is ours"
        case Deferred(wait=wait, not_before=until):
            return _queued(wait, until)
        case Dropped(why=why):
            return f"skipped: {why.code}"
        case _:
            raise AssertionError(f"a look does not lead to {type(decided).__name__}")


def _after_list(told: Listed | Unlisted) -> str:
    match told:
        case Listed():
            return "the targets are chosen among them"
        case Unlisted():
            return "no run is opened"
        case _:
            assert_never(told)
