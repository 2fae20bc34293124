"""The state graph: what `transition` permits is exactly the table of the design."""

from itertools import product

import pytest

from orchestrator.domain import operation as o
from orchestrator.domain.model import ActivityId, AttemptId
from tests.kit.rows import EPOCH, an_operation, minutes

WHY = o.Why("code", "a sentence")
ATTEMPT, ACTIVITY = AttemptId("attempt"), ActivityId("activity")
LATER = EPOCH + minutes(90)

STATES: tuple[o.State, ...] = (
    o.Queued(),
    o.Preparing(EPOCH),
    o.Submitting(ATTEMPT, EPOCH, None),
    o.Unknown(ATTEMPT, EPOCH, None, EPOCH, LATER, WHY),
    o.Unknown(ATTEMPT, EPOCH, None, EPOCH, LATER, WHY, None, o.Conflict.BUSY),
    o.InProgress(ATTEMPT, EPOCH, ACTIVITY, EPOCH, LATER, tracked=True),
    o.Verifying(ATTEMPT, ACTIVITY, EPOCH, LATER, None),
    o.NeedsHuman(ATTEMPT, ACTIVITY, EPOCH, LATER, WHY),
    o.Succeeded(EPOCH, o.Outcome.SUCCEEDED, WHY),
    o.Failed(EPOCH, o.FailureClass.GUEST, WHY),
    o.Skipped(EPOCH, WHY),
    o.Cancelled(EPOCH, WHY),
)
EVENTS: tuple[o.Event, ...] = (
    o.Began(EPOCH),
    o.Deferred(EPOCH, o.Wait.BUSY, WHY),
    o.Intended(EPOCH, ATTEMPT, None),
    o.Accepted(EPOCH, ACTIVITY, LATER, tracked=True),
    o.Doubted(EPOCH, LATER, WHY),
    o.Reported(EPOCH, LATER, ACTIVITY, None),
    o.Passed(EPOCH, o.Outcome.SUCCEEDED, WHY),
    o.Broke(EPOCH, o.FailureClass.GUEST, WHY),
    o.Escalated(EPOCH, LATER, WHY),
    o.Dropped(EPOCH, WHY),
    o.Withdrawn(EPOCH, WHY),
    o.Granted(EPOCH, o.Wait.GRANTED, WHY),
    o.Forgiven(EPOCH, WHY),
)
DESIGN = {
    "queued": {"preparing", "skipped", "cancelled"},
    "preparing": {"submitting", "queued", "succeeded", "failed", "skipped", "cancelled"},
    "submitting": {"in_progress", "unknown", "queued", "failed"},
    "unknown": {"in_progress", "verifying", "needs_human", "queued", "skipped", "failed"},
    "in_progress": {"verifying", "needs_human"},
    "verifying": {"succeeded", "failed", "queued", "needs_human"},
    "needs_human": {"succeeded", "failed", "skipped", "queued", "verifying"},
    "failed": {"queued", "succeeded"},
    "succeeded": {"failed"},
    "skipped": set(),
    "cancelled": set(),
}
"""Design 4, with `resolve --as not-started` giving a VM back to the queue (design 1)."""


def after(state: o.State, event: o.Event) -> o.Operation | None:
    try:
        return o.transition(an_operation(state=state), event)
    except o.IllegalTransitionError:
        return None


def test_every_state_and_every_event_is_walked():
    assert {type(state) for state in STATES} == set(o.STATE_NAMES)
    assert {type(event) for event in EVENTS} == set(o.Event.__args__)


def test_the_transitions_are_exactly_those_of_the_design():
    found = {name: set() for name in DESIGN}
    for state, event in product(STATES, EVENTS):
        moved = after(state, event)
        if moved is not None and type(moved.state) is not type(state):
            found[o.STATE_NAMES[type(state)]].add(o.STATE_NAMES[type(moved.state)])
    assert found == DESIGN


def test_only_a_409_lets_an_unknown_operation_end_without_azure_having_it():
    plain, conflicted = STATES[3], STATES[4]
    for event in (EVENTS[1], EVENTS[7], EVENTS[9]):
        assert after(plain, event) is None
        assert after(conflicted, event) is not None


def test_every_event_counts_the_version_up_by_one():
    moves = [m for s, e in product(STATES, EVENTS) if (m := after(s, e)) is not None]
    assert moves
    assert {move.version for move in moves} == {1}


def test_an_attempt_is_spent_only_by_a_grant():
    for state, event in product(STATES, EVENTS):
        moved = after(state, event)
        if moved is not None:
            assert moved.attempt == (2 if isinstance(event, o.Granted) else 1)


def test_the_start_of_an_operation_is_its_first_intent():
    first = o.transition(an_operation(state=o.Preparing(EPOCH)), o.Intended(EPOCH, ATTEMPT, None))
    back = o.transition(first, o.Deferred(LATER, o.Wait.THROTTLED, WHY))
    again = o.transition(o.transition(back, o.Began(LATER)), o.Intended(LATER, ATTEMPT, None))
    assert (first.started_at, again.started_at) == (EPOCH, EPOCH)


def test_a_vm_that_stays_busy_keeps_the_instant_it_was_first_found_so():
    op = o.transition(an_operation(state=o.Preparing(EPOCH)), o.Deferred(EPOCH, o.Wait.BUSY, WHY))
    op = o.transition(op, o.Began(LATER))
    op = o.transition(op, o.Deferred(LATER, o.Wait.BUSY, WHY))
    assert isinstance(op.state, o.Queued)
    assert op.state.busy_since == EPOCH


def test_forgiveness_ends_with_the_next_attempt():
    failed = an_operation(state=STATES[9])
    forgiven = o.transition(failed, o.Forgiven(EPOCH, WHY))
    assert forgiven.forgiven
    assert not o.transition(forgiven, EVENTS[11]).forgiven


def test_an_illegal_transition_names_the_event_and_the_state():
    with pytest.raises(o.IllegalTransitionError, match="Intended in Skipped"):
        o.transition(an_operation(state=o.Skipped(EPOCH, WHY)), EVENTS[2])
