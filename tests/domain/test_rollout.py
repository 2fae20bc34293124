"""Laws of the plan, checked at every step of walks through whole runs, and named single
situations."""

from dataclasses import replace
from random import Random

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import (
    BakeWave,
    CloseRun,
    CloseWave,
    ExpireRun,
    HaltRun,
    OpenWave,
    PauseRun,
)
from orchestrator.domain.model import AttemptId, RunStatus, Share, Tolerance, WaveStatus
from orchestrator.domain.operation import Broke
from orchestrator.domain.record import DAEMON, ActKind, Move
from orchestrator.domain.rollout import STARTED_AT_ONCE, Start, hindrance, plan
from orchestrator.domain.tally import is_bad
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.domain.walks import a_walk
from tests.kit.rows import EPOCH, a_snapshot, a_wave, minutes, opened, show, with_states

WHY = s.Why("code", "a sentence")
FAILED = s.Failed(EPOCH, s.FailureClass.GUEST, WHY)
GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, WHY)
SKIPPED = s.Skipped(EPOCH, WHY)
RUNNING = s.InProgress(AttemptId("a"), EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)
UNSETTLED = s.Queued | s.InFlight
SENDING = s.Submitting(AttemptId("a"), EPOCH, None)


def starts(step):
    return [command.op for command in step.plan.commands if isinstance(command, Start)]


# ------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("seeds", range(0, 400, 50))
def test_the_laws_of_a_run_hold_at_every_step(seeds):
    for step in (step for seed in range(seeds, seeds + 50) for step in a_walk(seed).steps):
        no_wave_runs_more_at_once_than_it_allows(step)
        nothing_starts_but_in_an_open_wave_of_an_open_run(step)
        no_wave_starts_before_the_waves_before_it_passed(step)
        a_wave_over_its_budget_starts_nothing(step)
        each_operation_has_at_most_one_command(step)
        a_run_with_work_left_says_what_or_when(step)


@pytest.mark.parametrize("seeds", range(0, 200, 100))
def test_what_a_wave_tolerates_never_changes_once_it_is_open(seeds):
    changed = 0
    for walk in (a_walk(seed) for seed in range(seeds, seeds + 100)):
        fixed: dict[int, int] = {}
        for step in walk.steps:
            for wave in step.snapshot.waves:
                if wave.allowed is not None:
                    assert fixed.setdefault(wave.position, wave.allowed) == wave.allowed
            changed += any(isinstance(op.state, s.Skipped) for op in step.snapshot.operations)
    assert changed > 1_000  # VMs were skipped after their wave had opened


def no_wave_runs_more_at_once_than_it_allows(step):
    for wave in step.snapshot.waves:
        members = [op for op in step.snapshot.operations if op.wave == wave.position]
        busy = sum(isinstance(op.state, s.InFlight) for op in members)
        new = [op for op in starts(step) if isinstance(op.state, s.Queued)]
        assert not new or busy + sum(op.wave == wave.position for op in new) <= (
            wave.max_parallel or len(members) + busy
        )


def nothing_starts_but_in_an_open_wave_of_an_open_run(step):
    waves = {wave.position: wave for wave in step.snapshot.waves}
    for op in starts(step):
        if isinstance(op.state, s.Queued):
            assert step.snapshot.run.status is RunStatus.OPEN
            assert waves[op.wave].status is WaveStatus.OPEN
            assert op.state.not_before is None or op.state.not_before <= step.now


def no_wave_starts_before_the_waves_before_it_passed(step):
    for op in starts(step):
        for wave in step.snapshot.waves:
            if wave.position < op.wave:
                assert wave.status in {WaveStatus.PASSED, WaveStatus.SKIPPED}
                members = (one for one in step.snapshot.operations if one.wave == wave.position)
                assert not [one for one in members if isinstance(one.state, UNSETTLED)]


def a_wave_over_its_budget_starts_nothing(step):
    for wave in step.snapshot.waves:
        members = [op for op in step.snapshot.operations if op.wave == wave.position]
        bad = sum(is_bad(op, wave.spec) for op in members)
        if wave.allowed is not None and bad > wave.allowed:
            assert not [op for op in starts(step) if isinstance(op.state, s.Queued)]


def each_operation_has_at_most_one_command(step):
    named = [command.op.target.vm_id for command in step.plan.commands]
    assert len(named) == len(set(named))


def a_run_with_work_left_says_what_or_when(step):
    if step.snapshot.run.status is RunStatus.OPEN:
        assert step.plan.commands or step.plan.decisions or step.plan.wake_at


@pytest.mark.parametrize("length", range(1, 120))
def test_a_lived_view_equals_the_view_of_its_rows(length):
    walk = a_walk(length, length)
    lived, fresh = walk.view, RunView(walk.rows())
    lived.advance(walk.now + minutes(10_000))
    fresh.advance(walk.now + minutes(10_000))
    assert lived.indexes() == fresh.indexes()


def test_azure_never_has_more_installations_of_a_vm_than_one_and_its_grants():
    walked = [a_walk(seed, 150) for seed in range(200)]
    assert sum(sum(walk.started.values()) for walk in walked) > 300
    for walk in walked:
        for vm, started in walk.started.items():
            assert started <= walk.view.ops[vm].attempt


def resting(walk: Walk) -> bool:
    if walk.view.run.closed_at is not None:
        return True
    return walk.view.run.status is not RunStatus.OPEN and all(
        tally.in_flight == 0 for tally in walk.view.tallies()
    )


@pytest.mark.parametrize("seed", range(100))
def test_a_run_that_nobody_steers_comes_to_rest(seed):
    assert resting(a_walk(seed, 2_000, acts=False, until=resting))


def test_the_walks_reach_every_end_of_a_run():
    ends = {a_walk(seed, 2_000, acts=False, until=resting).view.run.status for seed in range(100)}
    assert ends >= {RunStatus.PASSED, RunStatus.HALTED}


# -------------------------------------------------------------------------------- single situations


def test_a_wave_opens_with_its_shares_fixed_as_counts():
    view = RunView(a_snapshot((a_wave(max_parallel=Share(percent=25), failures=3), 8)))
    assert plan(view, EPOCH).decisions == (OpenWave(1, 3, 2),)


def test_known_skips_do_not_count_into_the_size_of_a_wave():
    spec = a_wave(max_parallel=Share(percent=50), allow_failures=Tolerance(percent=50))
    view = RunView(with_states(a_snapshot((spec, 10)), [SKIPPED] * 6))
    assert plan(view, EPOCH).decisions == (OpenWave(1, 2, 2),)


def test_only_as_many_vms_start_as_the_wave_has_slots():
    view = opened(RunView(a_snapshot((a_wave(), 10))), parallel=4)
    assert len(plan(view, EPOCH).commands) == 4


def test_no_more_vms_are_begun_together_than_can_be_sent_in_time():
    def begun(*given):
        view = RunView(with_states(a_snapshot((a_wave(), 400)), given))
        todo = plan(opened(view, parallel=400), EPOCH)
        return sum(isinstance(command, Start) for command in todo.commands)

    assert begun() == STARTED_AT_ONCE
    assert begun(*[RUNNING] * 150) == STARTED_AT_ONCE
    assert begun(*[SENDING] * 30, *[RUNNING] * 150) == STARTED_AT_ONCE - 30


def test_a_vm_in_the_engines_hand_takes_its_slot():
    view = opened(RunView(a_snapshot((a_wave(), 10))), parallel=4)
    for command in plan(view, EPOCH).commands[:3]:
        view.take(command.op.target.vm_id)
    assert len(plan(view, EPOCH).commands) == 1


def test_one_failure_more_than_allowed_halts_the_run_and_its_wave():
    view = opened(RunView(with_states(a_snapshot((a_wave(), 9)), [FAILED, FAILED])), allowed=1)
    todo = plan(view, EPOCH)
    assert isinstance(todo.decisions[0], HaltRun)
    assert not todo.commands
    show(view, write(view, todo.decisions[0], EPOCH))
    assert (view.run.status, view.waves[1].status) == (RunStatus.HALTED, WaveStatus.HALTED)
    assert "2 bad VMs, 1 allowed" in view.run.reason


def test_a_failure_within_the_budget_halts_nothing():
    view = opened(RunView(with_states(a_snapshot((a_wave(), 9)), [FAILED])), allowed=1)
    assert not plan(view, EPOCH).decisions


def test_the_runs_own_budget_counts_over_all_waves():
    rows = a_snapshot((a_wave(), 5), (a_wave("broad"), 5), allow_failures=Tolerance(count=1))
    rows = with_states(rows, [FAILED, GOOD, GOOD, GOOD, GOOD, FAILED])
    view = opened(RunView(rows), allowed=5)
    assert plan(view, EPOCH).decisions[0].why.text.startswith("the run has 2 bad VMs, 1 allowed")


def test_a_vm_that_breaks_after_its_wave_passed_halts_the_run():
    rows = with_states(a_snapshot((a_wave(), 1), (a_wave("broad"), 2)), [FAILED])
    view = opened(RunView(rows), allowed=0)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    todo = plan(opened(view, wave=2), EPOCH)
    assert isinstance(todo.decisions[0], HaltRun)
    show(view, write(view, todo.decisions[0], EPOCH))
    assert view.waves[1].status is WaveStatus.PASSED


def test_a_vm_that_needs_a_person_counts_as_bad_but_lets_the_wave_close():
    needs = s.NeedsHuman("a", None, EPOCH, EPOCH, WHY)
    view = opened(RunView(with_states(a_snapshot((a_wave(), 2)), [needs, GOOD])), allowed=1)
    assert isinstance(plan(view, EPOCH).decisions[0], CloseWave)
    view = opened(RunView(with_states(a_snapshot((a_wave(), 2)), [needs, GOOD])), allowed=0)
    assert isinstance(plan(view, EPOCH).decisions[0], HaltRun)


def test_a_wave_in_which_nothing_was_started_halts():
    view = opened(RunView(with_states(a_snapshot((a_wave(), 2)), [SKIPPED, SKIPPED])))
    assert plan(view, EPOCH).decisions[0].why.code == "empty_wave"


def test_a_wave_in_which_nothing_ended_well_halts():
    view = opened(RunView(with_states(a_snapshot((a_wave(), 1)), [FAILED])), allowed=1)
    assert plan(view, EPOCH).decisions[0].why.code == "none_good"


def test_an_empty_wave_passes_where_the_plan_allows_it():
    rows = with_states(a_snapshot((a_wave(allow_empty=True), 1)), [SKIPPED])
    assert isinstance(plan(opened(RunView(rows)), EPOCH).decisions[0], CloseWave)


def test_a_wave_bakes_before_the_next_one_opens():
    rows = with_states(a_snapshot((a_wave(bake=minutes(60)), 1), (a_wave("broad"), 1)), [GOOD])
    view = opened(RunView(rows))
    (bake,) = plan(view, EPOCH).decisions
    assert bake == BakeWave(1, EPOCH + minutes(60))
    show(view, write(view, bake, EPOCH))
    assert plan(view, EPOCH + minutes(59)).decisions == ()
    assert plan(view, EPOCH + minutes(59)).wake_at == EPOCH + minutes(60)
    view.advance(EPOCH + minutes(60))
    assert isinstance(plan(view, EPOCH + minutes(60)).decisions[0], CloseWave)


def test_the_deadline_expires_a_run_with_work_left_and_drops_what_is_queued():
    view = opened(RunView(a_snapshot((a_wave(), 2))))
    late = view.run.deadline_at
    (expire,) = plan(view, late).decisions
    assert isinstance(expire, ExpireRun)
    show(view, write(view, expire, late))
    assert [command.why.code for command in plan(view, late).commands] == ["deadline"] * 2


def test_a_slow_first_wave_may_use_the_whole_deadline():
    """No wave has a share of the time: only the run's own deadline ends it."""
    view = opened(RunView(a_snapshot((a_wave(), 4), (a_wave("broad"), 4))), parallel=1)
    last = view.run.deadline_at - minutes(1)
    assert plan(view, last).decisions == ()
    assert [each.op.wave for each in plan(view, last).commands] == [1]
    for op in list(view.ops.values()):
        if op.wave == 1:
            view.put(replace(op, state=GOOD))
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    assert plan(view, last).decisions == (OpenWave(2, 0, 1),)


def test_a_cancelled_run_ends_only_when_nothing_is_in_flight():
    running = s.InProgress("a", EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)
    view = opened(RunView(with_states(a_snapshot((a_wave(), 1)), [running])))
    view.run = replace(view.run, status=RunStatus.CANCELLED)
    assert plan(view, EPOCH - minutes(1)).decisions == ()
    view.put(replace(view.ops[running_vm(view)], state=GOOD))
    assert plan(view, EPOCH).decisions[0].status is RunStatus.CANCELLED


def running_vm(view):
    return next(iter(view.ops))


def test_a_run_ends_as_passed_when_every_wave_has():
    view = RunView(with_states(a_snapshot((a_wave(), 1)), [GOOD]))
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    assert isinstance(plan(view, EPOCH).decisions[0], CloseRun)


def test_nothing_of_azure_for_a_quarter_of_an_hour_pauses_the_run():
    view = opened(RunView(a_snapshot((a_wave(), 1))))
    view.unreachable_since = EPOCH
    assert not plan(view, EPOCH + minutes(60)).decisions  # one request in vain is no silence
    view.silence = minutes(15)
    assert isinstance(plan(view, EPOCH + minutes(15)).decisions[0], PauseRun)


@pytest.mark.parametrize(("unknown", "begun"), [(2, 3), (3, 0)])
def test_the_breaker_stops_starts_where_too_many_are_unknown(unknown, begun):
    doubt = s.Unknown("a", EPOCH, None, EPOCH, EPOCH + minutes(15), WHY)
    view = opened(RunView(with_states(a_snapshot((a_wave(), 6)), [doubt] * unknown)), parallel=5)
    assert len([c for c in plan(view, EPOCH).commands if isinstance(c, Start)]) == begun


def test_after_traceless_requests_one_probe_goes_at_a_time():
    lost = s.NeedsHuman("a", None, EPOCH, EPOCH, s.Why("no_trace", "x"))
    view = opened(
        RunView(with_states(a_snapshot((a_wave(), 9)), [lost] * 3)), allowed=9, parallel=9
    )
    show(view, write(view, plan(view, EPOCH).decisions[0], EPOCH))  # that somebody is needed
    (probe,) = plan(view, EPOCH).commands
    view.take(probe.op.target.vm_id)
    assert plan(view, EPOCH).commands == ()


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.HALTED])
def test_a_stopped_run_starts_nothing_and_goes_on_following(status):
    running = s.InProgress("a", EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)
    view = opened(RunView(with_states(a_snapshot((a_wave(), 2)), [running])))
    view.run = replace(view.run, status=status)
    view.advance(EPOCH)
    assert [type(command).__name__ for command in plan(view, EPOCH).commands] == ["Poll"]


def test_a_resume_accepts_the_bad_vms_and_the_rest_goes_on():
    rows = with_states(a_snapshot((a_wave(), 3)), [FAILED])
    view = opened(RunView(rows), allowed=0)
    show(view, write(view, plan(view, EPOCH).decisions[0], EPOCH))
    walk = Walk(Random(0), view)
    walk.act(ActKind.RESUME)
    assert view.run.status is RunStatus.OPEN
    assert len(plan(view, EPOCH).commands) == 2
    assert not plan(view, EPOCH).decisions


def test_no_vm_is_submitted_beside_a_failure_that_is_being_written():
    """The failure is not in the rows yet, so that nothing can be decided on it; but it has
    happened."""
    rows = with_states(a_snapshot((a_wave(failures=0), 2)), [RUNNING])
    view = opened(RunView(rows))
    failing, next_one = view.ops.values()
    event = Broke(EPOCH, s.FailureClass.GUEST, WHY)
    move = Move(before=failing, after=replace(failing, state=FAILED), event=event, actor=DAEMON)
    view.coming.count([move])
    assert "1 bad VM" in str(hindrance(view, next_one))
    assert plan(view, EPOCH).decisions == ()
    view.coming.count([move], -1)
    assert hindrance(view, next_one) is None
