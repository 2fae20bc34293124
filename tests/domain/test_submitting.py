"""The decisions of the submit protocol: before the intent, and about every answer to the one
POST."""

from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.model import ActivityId, AttemptId, PlanSpec
from orchestrator.domain.record import AttemptEnd, Receipt
from orchestrator.domain.result import Result
from orchestrator.domain.submitting import AskWhether, Ready, busy, conclude, inspect, recover
from tests.kit.rows import EPOCH, a_vm, a_wave, an_operation, minutes

PLAN, WAVE = PlanSpec(name="p", waves=()), a_wave()
PREPARING = s.Preparing(EPOCH)
SUBMITTING = s.Submitting(AttemptId("attempt"), EPOCH, None)


def seen(power="running", last=None, **given):
    return a.Seen(
        vm_id=a_vm(0), region="r", os="Linux", power=power, agent_ready=True, last=last, **given
    )


def installed(started_at, status="Succeeded"):
    return a.LastInstallation(
        activity=ActivityId("earlier"), started_at=started_at, result=Result(status=status)
    )


def looked(answer, now=EPOCH, state=PREPARING):
    return inspect(state, answer, PLAN, now)


@pytest.mark.parametrize("power", ["deallocated", "stopped", "deallocating", "starting"])
def test_a_vm_that_does_not_run_is_skipped_with_its_power_state(power):
    dropped = looked(seen(power))
    assert isinstance(dropped, o.Dropped)
    assert dropped.why == s.Why("not_running", f"the VM is {power}")


def test_an_agent_that_is_not_ready_stops_nobody():
    assert isinstance(looked(seen(power="running")), Ready)


def test_the_baseline_is_the_newest_installation_before_ours():
    assert looked(seen()) == Ready(None)
    assert looked(seen(last=installed(EPOCH - timedelta(days=3)))) == Ready(ActivityId("earlier"))


def test_an_installation_in_progress_is_not_ours_and_makes_the_vm_busy():
    deferred = looked(seen(last=installed(EPOCH - minutes(5), "InProgress")))
    assert isinstance(deferred, o.Deferred)
    assert deferred.wait is s.Wait.BUSY
    assert deferred.not_before > EPOCH


def test_a_vm_busy_for_four_hours_is_skipped():
    assert isinstance(busy(EPOCH, "busy", EPOCH + minutes(239)), o.Deferred)
    dropped = busy(EPOCH, "busy", EPOCH + minutes(240))
    assert isinstance(dropped, o.Dropped)
    assert dropped.why.code == "busy"


def test_a_vm_patched_within_min_interval_asks_whether_it_was_us():
    asked = looked(seen(last=installed(EPOCH - minutes(60))))
    assert isinstance(asked, AskWhether)
    assert asked.otherwise.why.code == "patched_recently"
    assert isinstance(looked(seen(last=installed(EPOCH - timedelta(hours=12)))), Ready)


def test_the_age_of_an_installation_is_read_on_azures_clock():
    ahead = timedelta(hours=2)
    last = installed(EPOCH - timedelta(hours=11) + ahead)
    assert isinstance(looked(seen(last=last, skew=ahead)), AskWhether)
    last = installed(EPOCH - timedelta(hours=13) + ahead)
    assert isinstance(looked(seen(last=last, skew=ahead)), Ready)


def test_a_vm_that_azure_does_not_know_is_skipped():
    assert looked(a.Gone(reason="404")).why.code == "not_found"


def test_a_look_that_tells_nothing_defers_and_costs_nothing():
    late = timedelta(seconds=90)
    assert looked(a.Throttled(retry_after=late, reason="429")).not_before == EPOCH + late
    assert looked(a.Unreadable(reason="500")).wait is s.Wait.UNREACHABLE


TRACKER = a.Tracker(status_url="https://x")
ANSWERS = [
    (a.Taken(tracker=TRACKER, activity=ActivityId("id")), o.Accepted, AttemptEnd.ACCEPTED),
    (a.NotSent(reason="refused"), o.Deferred, AttemptEnd.NOT_SENT),
    (a.NotSent(reason="too late", abandoned=True), o.Deferred, AttemptEnd.ABANDONED),
    (a.Throttled(retry_after=minutes(1), reason="429"), o.Deferred, AttemptEnd.REFUSED),
    (a.Unauthenticated(reason="401"), o.Deferred, AttemptEnd.REFUSED),
    (
        a.Rejected(http_status=400, code="Invalid", message="m"),
        o.Broke,
        AttemptEnd.REFUSED,
    ),
    (a.Conflicted(conflict=s.Conflict.BUSY, code="c", message="m"), o.Doubted, AttemptEnd.UNKNOWN),
    (a.InDoubt(reason="reset"), o.Doubted, AttemptEnd.UNKNOWN),
    (a.InDoubt(reason="503", http_status=503), o.Doubted, AttemptEnd.UNKNOWN),
]


@pytest.mark.parametrize(("answer", "event", "end"), ANSWERS)
def test_every_answer_has_one_meaning(answer, event, end):
    happened, ended = conclude(SUBMITTING, answer, PLAN, WAVE, EPOCH)
    assert (type(happened), ended) == (event, end)


@pytest.mark.parametrize(("answer", "_event", "_end"), ANSWERS)
def test_every_event_of_an_answer_is_legal_after_an_intent(answer, _event, _end):
    happened, _ = conclude(SUBMITTING, answer, PLAN, WAVE, EPOCH)
    assert o.transition(an_operation_submitting(), happened)


def an_operation_submitting():
    return an_operation(state=SUBMITTING)


def test_an_accepted_installation_is_overdue_after_its_duration_and_the_grace():
    event, _ = conclude(SUBMITTING, ANSWERS[0][0], PLAN, WAVE, EPOCH)
    assert event.deadline == EPOCH + WAVE.max_duration + PLAN.tracking.overdue


def test_doubt_is_settled_a_settle_time_after_the_answer():
    event, _ = conclude(SUBMITTING, a.InDoubt(reason="reset"), PLAN, WAVE, EPOCH + minutes(1))
    assert event.settle_at == EPOCH + minutes(1) + PLAN.tracking.settle


def test_a_dead_sender_with_a_receipt_was_answered():
    at = EPOCH + minutes(1)
    receipt = Receipt(attempt=AttemptId("attempt"), at=at, tracker=TRACKER, activity=None)
    event = recover(SUBMITTING, receipt, PLAN, WAVE, EPOCH + minutes(9))
    assert isinstance(event, o.Accepted)
    assert event.at == at


def test_a_dead_sender_without_a_receipt_leaves_doubt_and_never_a_second_request():
    event = recover(SUBMITTING, None, PLAN, WAVE, EPOCH + minutes(9))
    assert isinstance(event, o.Doubted)
    assert event.why.code == "sender_died"
