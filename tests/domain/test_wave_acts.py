"""The acts on waves: approve, skip, set. What each does, and that repeating it is harmless."""

from dataclasses import replace
from random import Random

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.decisions import CloseRun, OpenWave
from orchestrator.domain.model import AttemptId, RunStatus, Share, WaveStatus
from orchestrator.domain.record import ActKind
from orchestrator.domain.rollout import Drop, Start, plan
from orchestrator.domain.steering import apply
from orchestrator.domain.view import RunView
from orchestrator.domain.wave_acts import must_wait
from tests.domain.walking import Walk
from tests.domain.walks import a_walk
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, minutes, opened, show, with_states

RUNNING = s.InProgress(AttemptId("a"), EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)
GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "x"))


def a_view(*states, vms=3):
    rows = a_snapshot((a_wave(), vms), (a_wave("broad"), 2))
    return opened(RunView(with_states(rows, states)), allowed=1, parallel=2)


def an_act(view, kind, *vms, **given):
    wave = given.pop("wave", None)
    return replace(Walk(Random(0), view).an_act(kind), vms=vms, wave=wave, **given)


def said(view, kind, *vms, **given):
    """Apply an act and return what was answered."""
    change = apply(view, an_act(view, kind, *vms, **given), EPOCH)
    show(view, change)
    return change.acts[0].result


def test_a_named_vm_that_waits_is_skipped_with_the_person_s_reason():
    view = a_view(RUNNING)
    assert said(view, ActKind.SKIP, a_vm(1), because="being moved") == "1 VM will not start"
    state = view.ops[a_vm(1)].state
    assert (state.why.code, state.why.text) == ("by_skip", "being moved")
    assert said(view, ActKind.SKIP, a_vm(1)).startswith("nothing to do")


def test_what_has_begun_is_not_skipped_and_the_answer_says_so():
    view = a_view(RUNNING)
    assert "1 VM of those meant had begun or ended" in said(view, ActKind.SKIP, a_vm(0), a_vm(1))
    assert isinstance(view.ops[a_vm(0)].state, s.InProgress)


@pytest.mark.parametrize("state", [None, s.Preparing(EPOCH)])
def test_a_vm_in_the_engines_hand_is_waited_for(state):
    view = a_view(*([state] if state else []))
    if state is None:
        view.take(a_vm(0))
    act = an_act(view, ActKind.SKIP, a_vm(0))
    assert must_wait(view, act)
    assert not must_wait(view, an_act(view, ActKind.SKIP, a_vm(1)))
    assert not must_wait(view, an_act(view, ActKind.HALT))
    if state is None:
        view.give_back(a_vm(0))
        assert not must_wait(view, act)


def test_nothing_is_skipped_by_leaving_out_what():
    view = a_view()
    assert said(view, ActKind.SKIP) == "nothing to do: name a wave or VMs"


def test_a_skipped_wave_drops_what_waits_and_the_next_one_waits_for_what_runs():
    view = a_view(RUNNING)
    told = said(view, ActKind.SKIP, wave="canary", because="next week")
    assert told == "wave canary is skipped: 2 VMs will not start, 1 VM is followed to its end"
    todo = plan(view, EPOCH)
    assert todo.decisions == ()  # the next wave does not open beside a VM that runs
    drops = [each for each in todo.commands if isinstance(each, Drop)]
    assert {each.op.target.vm_id for each in drops} == {a_vm(1), a_vm(2)}
    assert {(each.why.code, each.why.text) for each in drops} == {("by_skip", "next week")}
    for each in drops:
        dropped = replace(each.op, state=s.Skipped(EPOCH, each.why))
        view.put(dropped)
    view.put(replace(view.ops[a_vm(0)], state=GOOD))
    assert isinstance(plan(view, EPOCH).decisions[0], OpenWave)
    assert said(view, ActKind.SKIP, wave="canary") == "nothing to do: wave canary is skipped"


def test_a_run_whose_waves_are_all_skipped_ends_when_its_vms_have():
    view = a_view(RUNNING)
    said(view, ActKind.SKIP, wave="canary")
    said(view, ActKind.SKIP, wave="broad")
    assert not plan(view, EPOCH).decisions
    for op in list(view.ops.values()):
        view.put(replace(op, state=GOOD))
    assert isinstance(plan(view, EPOCH).decisions[0], CloseRun)


def test_a_halted_run_goes_on_behind_a_wave_that_is_skipped():
    view = a_view(GOOD, GOOD, GOOD)
    view.run = replace(view.run, status=RunStatus.HALTED)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.HALTED)
    said(view, ActKind.SKIP, wave="canary")
    said(view, ActKind.RESUME)
    assert view.waves[1].status is WaveStatus.SKIPPED
    assert plan(view, EPOCH).decisions[0].wave == 2


def test_set_changes_how_many_run_at_once_and_ends_a_ramp():
    view = a_view(RUNNING, vms=9)
    view.waves[1] = replace(view.waves[1], ramp=(1, 2))
    five = {"max_parallel": Share(count=5)}
    assert "max_parallel is 5, was 2" in said(view, ActKind.SET, **five)
    assert sum(isinstance(each, Start) for each in plan(view, EPOCH).commands) == 4
    assert said(view, ActKind.SET, **five).startswith("nothing to do")


def test_a_smaller_number_lets_run_what_runs():
    view = a_view(RUNNING, RUNNING, vms=9)
    said(view, ActKind.SET, max_parallel=Share(count=1))
    assert not [each for each in plan(view, EPOCH).commands if isinstance(each, Start)]


def test_set_before_a_wave_opens_holds_when_it_does():
    view = RunView(a_snapshot((a_wave(ramp=(Share(count=1), Share(count=2))), 8)))
    said(view, ActKind.SET, wave="canary", max_parallel=Share(percent=50))
    (decision,) = plan(view, EPOCH).decisions
    assert (decision.max_parallel, decision.ramp) == (4, ())


@pytest.mark.parametrize("kind", [ActKind.APPROVE, ActKind.SKIP, ActKind.SET])
def test_an_act_on_a_wave_of_an_ended_run_or_on_no_wave_changes_nothing(kind):
    view = a_view()
    given = {"wave": "unheard-of", "max_parallel": Share(count=1)}
    assert said(view, kind, **given) == "nothing to do: the run has no wave unheard-of"
    view.run = replace(view.run, status=RunStatus.CANCELLED)
    given["wave"] = "canary"
    assert said(view, kind, **given) == "nothing to do: the run is cancelled"


def test_a_repeated_act_changes_nothing_wherever_a_walk_has_come_to():
    changed = 0
    for seed in range(60):
        walk = a_walk(seed, 25)
        for kind in (ActKind.APPROVE, ActKind.SKIP, ActKind.SET, ActKind.HALT, ActKind.PAUSE):
            act = walk.an_act(kind)
            first = apply(walk.view, act, walk.now)
            changed += first.run is not None or bool(first.moves)
            show(walk.view, first)
            again = apply(walk.view, act, walk.now)
            assert (again.run, again.waves, again.moves) == (None, (), ())
    assert changed > 60


@pytest.mark.parametrize("seeds", range(0, 300, 100))
def test_no_act_forgets_a_vm_and_an_ended_run_leaves_none_waiting(seeds):
    ended = 0
    for seed in range(seeds, seeds + 100):
        walk = a_walk(seed, 400, until=lambda walk: walk.view.run.closed_at is not None)
        vms = {op.target.vm_id for op in walk.steps[0].snapshot.operations}
        assert set(walk.view.ops) == vms
        if walk.view.run.closed_at is not None:
            ended += 1
            left = s.Queued | s.InFlight
            assert not [op for op in walk.view.ops.values() if isinstance(op.state, left)]
    assert ended > 30
