"""One restart: the read before it, what its answers mean, and who is back."""

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.model import (
    ActivityId,
)
from orchestrator.domain.record import (
    AttemptEnd,
    Receipt,
)
from orchestrator.domain.restarting import conclude, inspect, progress, recover, returned
from orchestrator.domain.result import Result
from orchestrator.domain.states import Conflict
from tests.domain.phases import (
    ATTEMPT,
    NEEDS,
    NOW,
    OURS,
    PLAN,
    TAKEN,
    WAITING,
)
from tests.kit.rows import EPOCH, a_vm, minutes


def a_look(power="running", *, ready=True, running=False, provisioning="succeeded"):
    last = None
    if running:
        result = Result(status="InProgress")
        last = a.LastInstallation(activity=ActivityId("other"), started_at=EPOCH, result=result)
    return a.Seen(
        vm_id=a_vm(0),
        region="r",
        os="Linux",
        power=power,
        agent_ready=ready,
        last=last,
        provisioning=provisioning,
    )


# ------------------------------------------------------------------------------------ one restart


@pytest.mark.parametrize(
    ("look", "event", "code"),
    [
        (a_look("starting"), o.Deferred, "busy"),
        (a_look("stopping"), o.Deferred, "busy"),
        (a_look(running=True), o.Deferred, "busy"),
        (a_look("deallocated"), o.Passed, "not_running"),
        (a_look(provisioning="Deleting"), o.Passed, "not_found"),
        (a.Gone(reason="404"), o.Passed, "not_found"),
        (a.Unreadable(reason="503"), o.Deferred, "unreachable"),
        (a.Throttled(retry_after=minutes(1), reason="429"), o.Deferred, "throttled"),
    ],
)
def test_a_vm_that_cannot_be_restarted_now_waits_or_is_left_as_patched(look, event, code):
    found = inspect(WAITING, look, NOW)
    assert isinstance(found, event)
    assert found.why.code == code
    if isinstance(found, o.Passed):
        assert (found.outcome, found.result) == (s.Outcome.REBOOT_PENDING, NEEDS)


def test_a_vm_that_is_up_may_be_restarted_whether_its_agent_answers_or_not():
    assert inspect(WAITING, a_look(), NOW) is None
    assert inspect(WAITING, a_look(ready=False), NOW) is None


TRACKER = a.Tracker(status_url="https://x")


@pytest.mark.parametrize(
    ("answer", "event", "end"),
    [
        (a.Taken(tracker=TRACKER, activity=OURS), o.Accepted, AttemptEnd.ACCEPTED),
        (a.NotSent(reason="refused"), o.Deferred, AttemptEnd.NOT_SENT),
        (a.NotSent(reason="late", abandoned=True), o.Deferred, AttemptEnd.ABANDONED),
        (a.Throttled(retry_after=minutes(1), reason="429"), o.Deferred, AttemptEnd.REFUSED),
        (a.Unauthenticated(reason="401"), o.Deferred, AttemptEnd.REFUSED),
        (a.Rejected(http_status=403, code="X", message="no"), o.Broke, AttemptEnd.REFUSED),
        (a.InDoubt(reason="reset"), o.Escalated, AttemptEnd.UNKNOWN),
        *(
            (a.Conflicted(conflict=each, code="X", message="y"), o.Escalated, AttemptEnd.UNKNOWN)
            for each in Conflict
        ),
    ],
)
def test_only_a_proof_that_nothing_was_taken_lets_a_restart_be_sent_again(answer, event, end):
    found, ended = conclude(answer, PLAN, NOW)
    assert (type(found), ended) == (event, end)


def test_a_restart_whose_sender_died_is_accepted_by_its_receipt_and_else_a_persons():
    receipt = Receipt(attempt=ATTEMPT, at=EPOCH, tracker=TRACKER, activity=None)
    assert isinstance(recover(receipt, PLAN, NOW), o.Accepted)
    lost = recover(None, PLAN, NOW)
    assert isinstance(lost, o.Escalated)
    assert lost.why.code == "restart_doubtful"


def test_the_end_of_the_operation_ends_nothing_unless_it_failed():
    assert progress(TAKEN, a.Finished(report=None), NOW) is None
    assert progress(TAKEN, a.Running(), NOW) is None
    failed = progress(TAKEN, a.Collapsed(status="Failed", code="X", message="no"), NOW)
    assert isinstance(failed, o.Broke)
    assert failed.failure is s.FailureClass.PLATFORM


def test_a_vm_is_back_when_it_is_up_with_its_agent_ready_and_failed_when_it_is_late():
    deadline = EPOCH + minutes(45)
    back = returned(TAKEN, a_look(), PLAN, NOW)
    assert isinstance(back, o.Passed)
    assert back.result is not None
    assert (back.outcome, back.result.reboot) == (s.Outcome.SUCCEEDED, "Completed")
    assert returned(TAKEN, a_look(ready=False), PLAN, NOW) is None
    late = returned(TAKEN, a_look(ready=False), PLAN, deadline)
    assert isinstance(late, o.Broke)
    assert late.failure is s.FailureClass.UNHEALTHY
    gone = returned(TAKEN, a.Gone(reason="404"), PLAN, deadline)
    assert isinstance(gone, o.Escalated)
    assert returned(TAKEN, a.Unreadable(reason="x"), PLAN, deadline) is None
