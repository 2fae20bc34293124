"""The phase of reboots: when it begins, who may be restarted, what holds the others, and what one
restart's answers mean."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.budgets import broken
from orchestrator.domain.carrying import staged
from orchestrator.domain.decisions import OpenReboots
from orchestrator.domain.model import (
    ActivityId,
    AttemptId,
    Freeze,
    Hours,
    PlanSpec,
    Reboot,
    RunStatus,
    Share,
    StagedReboot,
    Tolerance,
    WaveStatus,
    Window,
)
from orchestrator.domain.record import AttemptEnd, GrantKind, Move, Receipt
from orchestrator.domain.restarting import conclude, inspect, progress, recover, returned
from orchestrator.domain.result import Result
from orchestrator.domain.rollout import Restart, Start, plan
from orchestrator.domain.standing import standing
from orchestrator.domain.states import Conflict
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import holds
from orchestrator.domain.window import of_restarts
from tests.domain.walks import a_walk
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, minutes, opened, with_states

NOW = EPOCH + minutes(10)
PLAN = PlanSpec(name="p", waves=())
ATTEMPT, OURS = AttemptId("a"), ActivityId("ours")
NEEDS = Result(status="Succeeded", installed=3, failed=0, reboot="Required")
WAITING = s.RebootQueued(EPOCH, OURS, NEEDS, why=s.Why("reboot_staged", "3 patches installed"))
SENT = s.Rebooting(ATTEMPT, EPOCH, OURS, NEEDS)
TAKEN = replace(SENT, since=EPOCH, deadline=EPOCH + minutes(45))
WELL = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "1 patch installed"))
PATCHING = s.InProgress(ATTEMPT, EPOCH, OURS, EPOCH, EPOCH + minutes(90), tracked=True)
LOST = s.NeedsHuman(ATTEMPT, None, EPOCH, EPOCH + minutes(45), s.Why("restart_doubtful", "x"))


def a_phase(**given):
    return a_wave(parallel=3, reboot=Reboot.NEVER, staged=StagedReboot(**given))


def a_view(*states, wave=None, at_once=None, allowed=None, **plan_):
    """A run whose one wave has such VMs; with `at_once` its phase of reboots has begun."""
    spec = wave or a_phase(max_parallel=Share(count=2))
    view = RunView(with_states(a_snapshot((spec, len(states)), **plan_), states))
    view = opened(view, allowed=9)
    if at_once is not None:
        view.waves[1] = replace(
            view.waves[1], reboots_at=EPOCH, reboots_at_once=at_once, reboots_allowed=allowed
        )
    view.advance(NOW)
    return view


def restarted(view, now=NOW):
    return [each.op for each in plan(view, now).commands if isinstance(each, Restart)]


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


# ------------------------------------------------------------------------------------- the phase


@pytest.mark.parametrize("other", [s.Queued(), PATCHING, s.Preparing(EPOCH)])
def test_nobody_is_restarted_before_the_last_vm_of_the_wave_is_patched(other):
    todo = plan(a_view(WAITING, other), NOW)
    assert not [each for each in todo.decisions if isinstance(each, OpenReboots)]
    assert restarted(a_view(WAITING, other, at_once=2)) == []


@pytest.mark.parametrize("other", [WELL, LOST, s.Skipped(EPOCH, s.Why("busy", "x"))])
def test_the_phase_begins_with_its_shares_fixed_of_those_that_need_a_reboot(other):
    wave = a_phase(max_parallel=Share(percent=50), allow_failures=Share(percent=30))
    view = a_view(*[WAITING] * 4, other, wave=wave)
    assert plan(view, NOW).decisions == (OpenReboots(1, 4, 2, 1),)
    assert restarted(view) == []


def test_a_phase_that_says_nothing_restarts_as_many_as_the_wave_patches_at_once():
    view = a_view(WAITING, wave=a_phase())
    at_once = view.waves[1].max_parallel
    assert plan(view, NOW).decisions == (OpenReboots(1, 1, at_once, None),)


def test_so_many_are_restarted_as_the_phase_permits_beside_those_under_way():
    assert len(restarted(a_view(*[WAITING] * 5, at_once=2))) == 2
    assert len(restarted(a_view(*[WAITING] * 5, TAKEN, at_once=2))) == 1
    assert restarted(a_view(*[WAITING] * 5, TAKEN, SENT, at_once=2)) == []


def test_the_wave_goes_on_only_when_everybody_is_back():
    assert plan(a_view(WELL, TAKEN, at_once=2), NOW).decisions == ()
    assert plan(a_view(WELL, WAITING, at_once=2), NOW).decisions == ()
    assert len(plan(a_view(WELL, WELL, at_once=2), NOW).decisions) == 1


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.HALTED, RunStatus.CANCELLED])
def test_a_run_that_starts_nothing_restarts_nothing(status):
    view = a_view(WAITING, at_once=2)
    view.run = replace(view.run, status=status)
    assert restarted(view) == []


def test_restarts_have_hours_of_their_own_and_installations_need_no_room_for_them():
    night = Hours(windows=(Window(start=time(1), length=timedelta(hours=1)),), reserve=minutes(15))
    view = a_view(WAITING, wave=a_phase(hours=night), at_once=1)
    assert restarted(view) == []
    todo = plan(view, NOW)
    assert todo.wake_at == EPOCH + timedelta(hours=1)
    assert len(restarted(view, EPOCH + minutes(105))) == 1
    assert restarted(view, EPOCH + minutes(106)) == []
    assert of_restarts(view.waves[1].spec).hours == night


def test_a_freeze_holds_restarts():
    view = a_view(WAITING, at_once=1)
    view.thaw((Freeze(name="Black Week", begins=EPOCH, ends=EPOCH + timedelta(days=7)),))
    assert restarted(view) == []
    assert plan(view, NOW).wake_at == EPOCH + timedelta(days=7)


def test_a_strict_budget_bounds_restarts_too():
    wave = replace(
        a_phase(max_parallel=Share(count=5)), allow_failures=Tolerance(count=1, strict=True)
    )
    view = a_view(*[WAITING] * 5, wave=wave, at_once=5)
    view.waves[1] = replace(view.waves[1], allowed=1)
    assert len(restarted(view)) == 2


def test_the_phase_has_a_threshold_of_its_own_and_a_forgiven_failure_does_not_count():
    failed = s.Failed(EPOCH, s.FailureClass.UNHEALTHY, s.Why("not_back", "x"), OURS, NEEDS)
    view = a_view(failed, failed, WAITING, at_once=1, allowed=1)
    assert broken(view) is None  # they failed at their patches
    for op in list(view.ops.values())[:2]:
        view.put(replace(op, reboot_at=EPOCH))
    found = broken(view)
    assert found is not None
    assert found[1].text == "the phase of reboots of wave canary has 2 bad VMs, 1 allowed"
    view.put(replace(next(iter(view.ops.values())), reboot_at=EPOCH, forgiven=True))
    assert broken(view) is None


# ------------------------------------------------------------------------------- who enters it


def verified(view, outcome=s.Outcome.REBOOT_PENDING):
    """Return the move that ends the first VM, as the phase would have it."""
    op = next(iter(view.ops.values()))
    event = o.Passed(NOW, outcome, s.Why("reboot_pending", "3 patches installed"), NEEDS)
    return staged(view, Move(before=op, after=o.transition(op, event), event=event, actor="d"))


VERIFYING = s.Verifying(ATTEMPT, OURS, EPOCH, EPOCH + minutes(45), NEEDS)


def test_a_vm_that_needs_a_reboot_is_granted_one_with_the_end_of_its_installation():
    move = verified(a_view(VERIFYING))
    assert isinstance(move.after.state, s.RebootQueued)
    assert move.grant is not None
    assert (move.grant.kind, move.grant.attempt, move.after.attempt) == (GrantKind.REBOOT, 2, 2)


def test_nobody_else_is_granted_a_restart():
    assert verified(a_view(VERIFYING), s.Outcome.SUCCEEDED).grant is None
    assert verified(a_view(VERIFYING, wave=a_wave(parallel=1))).grant is None
    baking = a_view(VERIFYING)
    baking.waves[1] = replace(baking.waves[1], status=WaveStatus.BAKING)
    assert verified(baking).grant is None  # its end came late: the phase is over
    closed = a_view(VERIFYING)
    closed.run = replace(closed.run, status=RunStatus.CANCELLED)
    assert verified(closed).grant is None


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


# -------------------------------------------------------------------------------------- explained


def first(view, now=NOW):
    op = next(iter(view.ops.values()))
    return next(holds(view, op, now))


def test_a_waiting_vm_says_what_holds_its_restart():
    assert first(a_view(WAITING, s.Queued(), PATCHING)).code == "reboot_phase"
    assert "2 VMs are still to be patched" in first(a_view(WAITING, s.Queued(), PATCHING)).text
    night = Hours(windows=(Window(start=time(20), length=timedelta(hours=1)),))
    held = first(a_view(WAITING, wave=a_phase(hours=night), at_once=1))
    assert (held.code, held.ends) == ("window", "at 2026-01-01 20:00Z, by itself")
    assert first(a_view(WAITING, TAKEN, at_once=1)).code == "max_parallel"
    put_off = replace(WAITING, not_before=NOW + minutes(1), why=s.Why("busy", "x"))
    assert first(a_view(put_off, at_once=1)).code == "busy"
    assert first(a_view(WAITING, at_once=1)).code == "turn"


def test_a_vm_that_restarts_says_since_when_and_until_when():
    view = a_view(TAKEN, at_once=1)
    found = standing(view, next(iter(view.ops.values())), NOW)
    assert (found.state, found.since, found.holds[0].code) == ("rebooting", EPOCH, "rebooting")
    assert "at 2026-01-01 00:45Z it counts as failed" in found.holds[0].ends
    view = a_view(SENT, at_once=1)
    assert standing(view, next(iter(view.ops.values())), NOW).holds[0].code == "restarting"


# ------------------------------------------------------------------------------------------- laws


def test_in_any_walk_restarts_come_after_the_last_patch_and_no_more_than_granted():
    begun = 0
    for walk in (a_walk(seed, 150) for seed in range(200)):
        for vm, number in walk.restarted.items():
            assert number <= walk.staged[vm]
        for step in walk.steps:
            begun += _lawful(step)
    assert begun > 30


def _lawful(step):
    """Hold one step against the phase's rules; return how many it restarts."""
    begun = [each.op for each in step.plan.commands if isinstance(each, Restart)]
    waves = {wave.position: wave for wave in step.snapshot.waves}
    for op in begun:
        wave = waves[op.wave]
        mates = [each.state for each in step.snapshot.operations if each.wave == op.wave]
        unpatched = (s.Queued, s.Preparing, s.Submitting, s.Unknown, s.InProgress, s.Verifying)
        assert not [state for state in mates if isinstance(state, unpatched)]
        under_way = sum(isinstance(state, s.Rebooting) for state in mates)
        assert under_way + len(begun) <= wave.reboots_at_once
        assert step.snapshot.run.status is RunStatus.OPEN
        assert not [each for each in step.plan.commands if isinstance(each, Start)]
    return len(begun)
