"""The state graph: what `transition` permits is exactly the table of the design."""

from itertools import product

import pytest

from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.model import ActivityId, AttemptId
from tests.kit.rows import EPOCH, an_operation, minutes

WHY = s.Why("code", "a sentence")
ATTEMPT, ACTIVITY = AttemptId("attempt"), ActivityId("activity")
LATER = EPOCH + minutes(90)

STATES: tuple[s.State, ...] = (
    s.Queued(),
    s.Preparing(EPOCH),
    s.Submitting(ATTEMPT, EPOCH, None),
    s.Unknown(ATTEMPT, EPOCH, None, EPOCH, LATER, WHY),
    s.Unknown(ATTEMPT, EPOCH, None, EPOCH, LATER, WHY, None, s.Conflict.BUSY),
    s.InProgress(ATTEMPT, EPOCH, ACTIVITY, EPOCH, LATER, tracked=True),
    s.Verifying(ATTEMPT, ACTIVITY, EPOCH, LATER, None),
    s.NeedsHuman(ATTEMPT, ACTIVITY, EPOCH, LATER, WHY),
    s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, WHY),
    s.Failed(EPOCH, s.FailureClass.GUEST, WHY),
    s.Skipped(EPOCH, WHY),
    s.Cancelled(EPOCH, WHY),
    s.RebootQueued(EPOCH, ACTIVITY, None),
    s.Rebooting(ATTEMPT, EPOCH, ACTIVITY, None),
    s.Rebooting(ATTEMPT, EPOCH, ACTIVITY, None, EPOCH, LATER),
)
EVENTS: tuple[o.Event, ...] = (
    o.Began(EPOCH),
    o.Deferred(EPOCH, s.Wait.BUSY, WHY),
    o.Intended(EPOCH, ATTEMPT, None),
    o.Accepted(EPOCH, ACTIVITY, LATER, tracked=True),
    o.Doubted(EPOCH, LATER, WHY),
    o.Reported(EPOCH, LATER, ACTIVITY, None),
    o.Passed(EPOCH, s.Outcome.SUCCEEDED, WHY),
    o.Broke(EPOCH, s.FailureClass.GUEST, WHY),
    o.Escalated(EPOCH, LATER, WHY),
    o.Dropped(EPOCH, WHY),
    o.Withdrawn(EPOCH, WHY),
    o.Granted(EPOCH, s.Wait.GRANTED, WHY),
    o.Forgiven(EPOCH, WHY),
    o.Staged(EPOCH, WHY),
)
DESIGN = {
    "queued": {"preparing", "skipped", "cancelled"},
    "preparing": {"submitting", "queued", "succeeded", "failed", "skipped", "cancelled"},
    "submitting": {"in_progress", "unknown", "queued", "failed"},
    "unknown": {"in_progress", "verifying", "needs_human", "queued", "skipped", "failed"},
    "in_progress": {"verifying", "needs_human"},
    "verifying": {"succeeded", "failed", "queued", "needs_human", "reboot_queued"},
    "reboot_queued": {"rebooting", "succeeded"},
    "rebooting": {"reboot_queued", "succeeded", "failed", "needs_human"},
    "needs_human": {"succeeded", "failed", "skipped", "queued", "verifying"},
    "failed": {"queued", "succeeded"},
    "succeeded": {"failed"},
    "skipped": set(),
    "cancelled": set(),
}
"""Design 4, with `resolve --as not-started` giving a VM back to the queue (design 1)."""


def after(state: s.State, event: o.Event) -> o.Operation | None:
    try:
        return o.transition(an_operation(state=state), event)
    except o.IllegalTransitionError:
        return None


def test_every_state_and_every_event_is_walked():
    assert {type(state) for state in STATES} == set(s.STATE_NAMES)
    assert {type(event) for event in EVENTS} == set(o.Event.__args__)


def test_the_transitions_are_exactly_those_of_the_design():
    found = {name: set() for name in DESIGN}
    for state, event in product(STATES, EVENTS):
        moved = after(state, event)
        if moved is not None and type(moved.state) is not type(state):
            found[s.STATE_NAMES[type(state)]].add(s.STATE_NAMES[type(moved.state)])
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
            assert moved.attempt == (2 if isinstance(event, o.Granted | o.Staged) else 1)


def test_the_start_of_an_operation_is_its_first_intent():
    first = o.transition(an_operation(state=s.Preparing(EPOCH)), o.Intended(EPOCH, ATTEMPT, None))
    back = o.transition(first, o.Deferred(LATER, s.Wait.THROTTLED, WHY))
    again = o.transition(o.transition(back, o.Began(LATER)), o.Intended(LATER, ATTEMPT, None))
    assert (first.started_at, again.started_at) == (EPOCH, EPOCH)


def test_a_restart_of_unknown_fate_keeps_no_installation_whose_end_could_be_taken_for_its_own():
    doubt = o.transition(an_operation(state=STATES[-2]), EVENTS[8])
    assert isinstance(doubt.state, s.NeedsHuman)
    assert doubt.state.activity is None


def test_the_one_restart_is_noted_at_its_intent_and_forgotten_with_the_next_installation():
    waits = an_operation(state=STATES[-3])
    begun = o.transition(waits, o.Intended(LATER, ATTEMPT, None))
    failed = o.transition(o.transition(begun, EVENTS[3]), EVENTS[7])
    assert (waits.reboot_at, begun.reboot_at, failed.reboot_at) == (None, LATER, LATER)
    assert o.transition(failed, EVENTS[11]).reboot_at is None


def test_who_will_not_be_restarted_any_more_is_patched_all_the_same():
    for event in (EVENTS[9], EVENTS[10]):
        ended = o.transition(an_operation(state=STATES[-3]), event).state
        assert isinstance(ended, s.Succeeded)
        assert ended.outcome is s.Outcome.REBOOT_PENDING


def test_a_vm_that_stays_busy_keeps_the_instant_it_was_first_found_so():
    op = o.transition(an_operation(state=s.Preparing(EPOCH)), o.Deferred(EPOCH, s.Wait.BUSY, WHY))
    op = o.transition(op, o.Began(LATER))
    op = o.transition(op, o.Deferred(LATER, s.Wait.BUSY, WHY))
    assert isinstance(op.state, s.Queued)
    assert op.state.busy_since == EPOCH


def test_forgiveness_ends_with_the_next_attempt():
    failed = an_operation(state=STATES[9])
    forgiven = o.transition(failed, o.Forgiven(EPOCH, WHY))
    assert forgiven.forgiven
    assert not o.transition(forgiven, EVENTS[11]).forgiven


def test_an_illegal_transition_names_the_event_and_the_state():
    with pytest.raises(o.IllegalTransitionError, match="Intended in Skipped"):
        o.transition(an_operation(state=s.Skipped(EPOCH, WHY)), EVENTS[2])
