"""The phase of reboots: when it begins, who may be restarted, what holds the others, and how it
ends."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.budgets import broken
from orchestrator.domain.carrying import staged
from orchestrator.domain.decisions import CloseRun, CloseWave, OpenReboots
from orchestrator.domain.model import (
    Freeze,
    Hours,
    RunStatus,
    Share,
    Tolerance,
    WaveStatus,
    Window,
)
from orchestrator.domain.record import (
    Act,
    ActKind,
    GrantKind,
    Move,
    Resolution,
)
from orchestrator.domain.reminding import Remind
from orchestrator.domain.rollout import Drop, Restart, Start, hindrance, plan
from orchestrator.domain.standing import standing
from orchestrator.domain.steering import apply
from orchestrator.domain.waits import holds
from orchestrator.domain.window import of_restarts
from tests.domain.phases import (
    ATTEMPT,
    LOST,
    NEEDS,
    NOW,
    OURS,
    PATCHING,
    SENT,
    TAKEN,
    WAITING,
    WELL,
    a_phase,
    a_view,
    restarted,
)
from tests.domain.walks import a_walk
from tests.kit.rows import EPOCH, RUN, a_wave, minutes, show

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


def test_a_restart_that_failed_and_is_being_written_counts_already():
    view = a_view(TAKEN, WAITING, at_once=2, allowed=0)
    lost, waits = view.ops.values()
    view.put(replace(lost, reboot_at=EPOCH))
    lost = view.ops[lost.target.vm_id]
    event = o.Broke(NOW, s.FailureClass.UNHEALTHY, s.Why("not_back", "x"))
    move = Move(before=lost, after=o.transition(lost, event), event=event, actor="d")
    assert hindrance(view, waits) is None
    view.coming.count([move])
    assert "the phase of reboots of wave canary has 1 bad VM" in str(hindrance(view, waits))


def test_a_vm_that_came_back_and_died_in_the_bake_is_no_restart_that_failed():
    died = s.Failed(EPOCH, s.FailureClass.UNHEALTHY, s.Why("died_in_bake", "x"), OURS, NEEDS)
    view = a_view(died, WELL, at_once=1, allowed=0)
    view.put(replace(next(iter(view.ops.values())), reboot_at=EPOCH))
    assert view.tally(1).bad == 1
    assert broken(view) is None


def an_act(kind, **given):
    return Act(id="a", run_id=RUN, kind=kind, actor="ann", because="why", at=NOW, **given)


@pytest.mark.parametrize(("own", "at_once"), [(Share(count=2), 2), (None, 3)])
def test_who_sets_how_many_run_at_once_sets_it_for_the_restarts_under_way_too(own, at_once):
    view = a_view(*[WAITING] * 5, wave=a_phase(max_parallel=own), at_once=2)
    change = apply(view, an_act(ActKind.SET, max_parallel=Share(count=3)), NOW)
    show(view, change)
    assert len(restarted(view)) == at_once
    assert f"{at_once} at once are restarted" in change.acts[0].result
    show(view, apply(view, an_act(ActKind.SET, max_parallel=Share(count=1)), NOW))
    assert len(restarted(view)) == 1


def test_a_wave_that_is_skipped_says_who_will_not_be_restarted():
    view = a_view(*[WAITING] * 5, at_once=2)
    said = apply(view, an_act(ActKind.SKIP, wave="canary"), NOW).acts[0].result
    assert said.endswith("5 VMs will not be restarted")


def test_a_patched_vm_whose_restart_was_not_made_is_no_skipped_one_once_its_wave_has_passed():
    view = a_view(LOST, WELL, at_once=2)
    op = next(iter(view.ops.values()))
    view.put(replace(op, patched_at=EPOCH, reboot_at=EPOCH))
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    act = an_act(ActKind.RESOLVE, resolution=Resolution.NOT_STARTED)
    (move,) = apply(view, act, NOW).moves
    assert isinstance(move.after.state, s.Succeeded)
    assert move.after.state.outcome is s.Outcome.REBOOT_PENDING


# ------------------------------------------------------------------ a late end and a closing wave


def test_no_wave_ends_beside_a_vm_that_is_on_its_way_back_into_it():
    """Its hourly look has just found its end; that is not in the rows yet."""
    human = s.NeedsHuman(ATTEMPT, OURS, EPOCH, EPOCH + minutes(90), s.Why("overdue", "x"))
    view = a_view(human, WELL)
    op = next(iter(view.ops.values()))
    event = o.Reported(NOW, NOW + minutes(45), OURS, NEEDS)
    first = Move(before=op, after=o.transition(op, event), event=event, actor="d")
    passed = o.Passed(NOW, s.Outcome.REBOOT_PENDING, s.Why("reboot_pending", "x"), NEEDS)
    ended = o.transition(first.after, passed)
    last = staged(view, Move(before=first.after, after=ended, event=passed, actor="d"))
    assert [type(each) for each in plan(view, NOW).decisions] == [CloseWave]
    view.coming.count([first, last])
    assert [type(each) for each in plan(view, NOW).decisions] == [Remind]
    view.coming.count([first, last], -1)
    view.put(last.after)
    assert OpenReboots in [type(each) for each in plan(view, NOW).decisions]


def test_who_waits_in_a_wave_that_has_passed_is_left_behind_and_the_run_ends():
    """No version that guards the closing wave writes such rows; one that did not may have."""
    view = a_view(WAITING, s.Queued(), WELL)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    drops = [each for each in plan(view, NOW).commands if isinstance(each, Drop)]
    assert [each.why.code for each in drops] == ["wave_passed"] * 2
    for each in drops:
        view.put(o.transition(each.op, o.Dropped(NOW, each.why)))
    assert [type(each) for each in plan(view, NOW).decisions] == [CloseRun]


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
    assert "at 2026-01-01 00:45:00Z it counts as failed" in found.holds[0].ends
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
