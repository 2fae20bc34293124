"""The decisions after the intent: looks, polls and verification."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.following import (
    late_truth,
    needs_look,
    progress,
    progress_by_view,
    settle,
    verify,
)
from orchestrator.domain.model import ActivityId, AttemptId, PlanSpec
from orchestrator.domain.result import Report, Result
from tests.kit.rows import EPOCH, a_vm, a_wave, an_operation, minutes

PLAN, WAVE = PlanSpec(name="p", waves=()), a_wave()
OLD, NEW = ActivityId("old"), ActivityId("new")
SETTLE = EPOCH + minutes(15)
UNKNOWN = s.Unknown(AttemptId("a"), EPOCH, OLD, EPOCH, SETTLE, s.Why("no_answer", "reset"))
RUNNING = s.InProgress(AttemptId("a"), EPOCH, NEW, EPOCH, EPOCH + minutes(135), tracked=True)


def a_look(activity=None, status="InProgress", started=EPOCH, power="running", ready=True, skew=0):
    last = None
    if activity is not None:
        result = Result(status=status, installed=1, failed=0)
        last = a.LastInstallation(activity=activity, started_at=started, result=result)
    return a.Seen(
        vm_id=a_vm(0),
        region="r",
        os="Linux",
        power=power,
        agent_ready=ready,
        last=last,
        skew=timedelta(minutes=skew),
    )


SOON = EPOCH + minutes(1)
SILENCE = a.Traced(traces=())
"""Resource Graph was asked, and knows nothing: `test_tracing.py` has what it may know."""


def settled(answer, state=UNKNOWN, now=SOON):
    return settle(state, answer, PLAN, WAVE, now, SILENCE)


# ----------------------------------------------------------------------------------------- unknown


def test_exactly_one_new_installation_of_our_time_is_adopted():
    adopted = settled(a_look(NEW))
    assert isinstance(adopted, o.Accepted)
    assert (adopted.activity, adopted.tracked) == (NEW, False)


def test_a_new_installation_that_has_ended_is_adopted_with_its_end():
    reported = settled(a_look(NEW, "Succeeded"))
    assert isinstance(reported, o.Reported)
    assert reported.result.installed == 1


@pytest.mark.parametrize(
    "answer", [a_look(), a_look(OLD), a.Gone(reason="404"), a.Unreadable(reason="x")]
)
def test_nothing_new_before_the_settle_instant_decides_nothing(answer):
    assert settled(answer) is None


@pytest.mark.parametrize("answer", [a_look(), a_look(OLD, "Succeeded")])
def test_nothing_new_at_the_settle_instant_needs_a_person(answer):
    escalated = settled(answer, now=SETTLE)
    assert isinstance(escalated, o.Escalated)
    assert escalated.why.code == "no_trace"


def test_a_vm_that_cannot_be_looked_at_is_waited_for_and_then_put_before_a_person():
    silence = a.Unreadable(reason="x")
    assert settled(silence, now=SETTLE + minutes(44)) is None
    assert settled(silence, now=SETTLE + minutes(45)).why.code == "unreadable"


def test_a_vm_that_is_gone_is_put_before_a_person_when_it_is_due():
    gone = a.Gone(reason="404")
    assert settled(gone, now=SETTLE).why.code == "gone"
    assert progress_by_view(RUNNING, gone, PLAN, WAVE, RUNNING.deadline).why.code == "gone"
    assert progress_by_view(RUNNING, gone, PLAN, WAVE, EPOCH) is None


def test_a_look_without_our_id_does_not_judge_an_older_installation():
    nameless = replace(RUNNING, activity=None)
    old = a_look(OLD, "Succeeded", started=EPOCH - minutes(60))
    assert progress_by_view(nameless, old, PLAN, WAVE, EPOCH) is None
    ours = a_look(NEW, "Succeeded", started=EPOCH)
    assert isinstance(progress_by_view(nameless, ours, PLAN, WAVE, EPOCH), o.Reported)


@pytest.mark.parametrize("started", [EPOCH - timedelta(seconds=61), SETTLE + timedelta(seconds=1)])
def test_a_new_installation_of_another_time_is_a_contradiction(started):
    assert settled(a_look(NEW, started=started)) is None
    escalated = settled(a_look(NEW, started=started), now=SETTLE)
    assert isinstance(escalated, o.Escalated)
    assert escalated.why.code == "contradiction"


def test_the_start_is_compared_on_azures_clock():
    assert isinstance(settled(a_look(NEW, started=EPOCH + minutes(60), skew=60)), o.Accepted)


def test_an_installation_with_another_id_than_the_one_seen_is_a_contradiction():
    expecting = replace(UNKNOWN, expected=ActivityId("seen"))
    assert settled(a_look(NEW), expecting) is None
    assert settled(a_look(NEW), expecting, SETTLE).why.code == "contradiction"
    assert isinstance(settled(a_look(ActivityId("seen")), expecting), o.Accepted)


@pytest.mark.parametrize(
    ("conflict", "event", "code"),
    [
        (s.Conflict.NOT_RUNNING, o.Dropped, "not_running"),
        (s.Conflict.LOCKED, o.Broke, "locked"),
        (s.Conflict.BUSY, o.Deferred, "busy"),
    ],
)
def test_after_a_409_nothing_new_means_that_the_refusal_stands(conflict, event, code):
    happened = settled(a_look(OLD), replace(UNKNOWN, conflict=conflict), SETTLE)
    assert isinstance(happened, event)
    assert happened.why.code == code


# ------------------------------------------------------------------------------------- in progress


@pytest.mark.parametrize(
    "answer",
    [
        a.Running(),
        a.Throttled(retry_after=minutes(1), reason="429"),
        a.Unreadable(reason="500", http_status=500),
        a.Untrackable(reason="404", http_status=404),
    ],
)
def test_no_error_of_a_poll_ends_an_operation(answer):
    assert progress(RUNNING, answer, PLAN, WAVE, EPOCH + timedelta(days=9)) is None


def test_a_finished_operation_reports_its_result():
    report = Report(result=Result(status="Succeeded", failed=0), activity=NEW)
    event = progress(RUNNING, a.Finished(report=report), PLAN, WAVE, EPOCH)
    assert isinstance(event, o.Reported)
    assert event.result == report.result


def test_a_finished_operation_without_a_readable_result_is_never_a_success():
    event = progress(RUNNING, a.Finished(report=None), PLAN, WAVE, EPOCH)
    state = o.transition(operation(RUNNING), event).state
    assert needs_look(state)
    assert verify(state, a_look(), WAVE, EPOCH) is None
    late = verify(state, a_look(), WAVE, state.deadline)
    assert isinstance(late, o.Escalated)


def operation(state):
    return an_operation(state=state)


def test_an_operation_that_failed_itself_is_judged_by_its_code():
    answer = a.Collapsed(status="Failed", code="InternalOperationError", message="sorry")
    event = progress(RUNNING, answer, PLAN, WAVE, EPOCH)
    broke = verify(o.transition(operation(RUNNING), event).state, None, WAVE, EPOCH)
    assert isinstance(broke, o.Broke)
    assert broke.failure is s.FailureClass.PLATFORM


def test_the_instance_view_tells_the_end_of_what_has_no_url():
    event = progress_by_view(RUNNING, a_look(NEW, "Succeeded"), PLAN, WAVE, EPOCH)
    assert isinstance(event, o.Reported)
    assert progress_by_view(RUNNING, a_look(OLD, "Succeeded"), PLAN, WAVE, EPOCH) is None


def test_past_its_deadline_one_successful_look_puts_it_before_a_person():
    assert progress_by_view(RUNNING, a.Unreadable(reason="x"), PLAN, WAVE, RUNNING.deadline) is None
    event = progress_by_view(RUNNING, a_look(NEW), PLAN, WAVE, RUNNING.deadline)
    assert isinstance(event, o.Escalated)
    assert event.why.code == "overdue"


# --------------------------------------------------------------------------------------- verifying


def verifying(**result):
    body = Result(**{"status": "Succeeded", "installed": 1, "failed": 0, "pending": 0, **result})
    return s.Verifying(AttemptId("a"), NEW, EPOCH, EPOCH + minutes(45), body)


def test_without_a_reboot_no_look_is_needed():
    assert not needs_look(verifying(reboot="NotNeeded"))
    assert isinstance(verify(verifying(reboot="NotNeeded"), None, WAVE, EPOCH), o.Passed)


def test_after_a_reboot_the_vm_must_be_seen_well():
    state = verifying(reboot="Completed")
    assert needs_look(state)
    assert isinstance(verify(state, a_look(NEW), WAVE, EPOCH), o.Passed)
    assert verify(state, a_look(NEW, ready=False), WAVE, EPOCH) is None
    assert verify(state, a_look(NEW, power="stopped"), WAVE, EPOCH) is None


def test_a_vm_that_does_not_come_back_is_unhealthy():
    state = verifying(reboot="Completed")
    broke = verify(state, a_look(NEW, ready=False), WAVE, state.deadline)
    assert isinstance(broke, o.Broke)
    assert broke.failure is s.FailureClass.UNHEALTHY


def test_a_vm_that_cannot_be_read_is_not_called_unhealthy():
    state = verifying(reboot="Completed")
    late = verify(state, a.Unreadable(reason="x"), WAVE, state.deadline + minutes(45))
    assert verify(state, a.Unreadable(reason="x"), WAVE, state.deadline + minutes(44)) is None
    assert isinstance(late, o.Escalated)


@pytest.mark.parametrize("reboot", ["Started", "Unknown"])
def test_a_reboot_under_way_is_looked_at_until_the_vm_is_back(reboot):
    state = verifying(reboot=reboot)
    assert needs_look(state)
    assert verify(state, a_look(NEW, ready=False), WAVE, EPOCH + minutes(5)) is None
    assert verify(state, a_look(NEW), WAVE, EPOCH + minutes(4)) is None  # it has not gone down yet
    assert isinstance(verify(state, a_look(NEW), WAVE, EPOCH + minutes(5)), o.Passed)


def test_a_failed_result_needs_no_look_whatever_the_reboot():
    assert not needs_look(verifying(status="Failed", failed=1, reboot="Completed"))
    assert not needs_look(verifying(failed=1, reboot="Started"))


def test_a_missing_result_is_found_on_the_vm_by_its_exact_id():
    state = s.Verifying(AttemptId("a"), NEW, EPOCH, EPOCH + minutes(45), None)
    found = verify(state, a_look(NEW, "Succeeded"), WAVE, EPOCH + minutes(5), SILENCE)
    assert isinstance(found, o.Passed)
    assert verify(state, a_look(OLD, "Succeeded"), WAVE, EPOCH) is None


@pytest.mark.parametrize("result", [{"status": "Unknown"}, {"failed": None}])
def test_a_result_that_says_nothing_gives_way_to_that_of_the_vm(result):
    state = verifying(**result)
    assert needs_look(state)
    found = verify(state, a_look(NEW, "Succeeded"), WAVE, EPOCH + minutes(5), SILENCE)
    assert isinstance(found, o.Passed)
    assert isinstance(verify(state, a_look(NEW, "Failed"), WAVE, EPOCH), o.Broke)
    assert verify(state, a_look(OLD, "Succeeded"), WAVE, EPOCH) is None
    late = verify(state, a_look(OLD, "Succeeded"), WAVE, state.deadline)
    assert isinstance(late, o.Escalated)


# ------------------------------------------------------------------------------------- needs human


def test_only_an_end_with_the_exact_id_is_a_late_truth():
    state = s.NeedsHuman(AttemptId("a"), NEW, EPOCH, EPOCH, s.Why("overdue", "x"))
    assert isinstance(late_truth(state, a_look(NEW, "Succeeded"), PLAN, WAVE, EPOCH), o.Reported)
    assert late_truth(state, a_look(NEW), PLAN, WAVE, EPOCH) is None
    assert late_truth(state, a_look(OLD, "Succeeded"), PLAN, WAVE, EPOCH) is None
    traceless = replace(state, activity=None)
    assert late_truth(traceless, a_look(NEW, "Succeeded"), PLAN, WAVE, EPOCH) is None
