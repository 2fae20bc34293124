"""Approvals and gates: what holds a wave up at its door and at its end."""

from dataclasses import replace
from random import Random

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import BakeWave, CloseRun, CloseWave, HaltRun, OpenWave, PauseRun
from orchestrator.domain.gate import Approval, Bound, Reading, Relation
from orchestrator.domain.gating import AskApproval, TurnGates, every
from orchestrator.domain.model import RunStatus, WaveStatus
from orchestrator.domain.record import ActKind
from orchestrator.domain.reminding import Remind
from orchestrator.domain.rollout import Start, plan
from orchestrator.domain.steering import apply
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.domain.walks import a_walk
from tests.kit.rows import EPOCH, a_gate, a_snapshot, a_wave, minutes, opened, show, with_states

WHY = s.Why("code", "a sentence")
GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, WHY)
GREEN, RED = Reading(True, "status 200"), Reading(False, "status 503")
ON_CALL = Approval(group="on-call", timeout=minutes(60))


class Evening:
    """One run and its clock; gates answer what `answer` says."""

    def __init__(self, wave, vms=2, states=()):
        self.view = RunView(with_states(a_snapshot((wave, vms)), states))
        self.now, self.answer, self.read = EPOCH, GREEN, 0

    def go(self, span=0.0):
        """Turn the clock, then decide and read until nothing is left to do; return what was
        decided."""
        self.now += minutes(span)
        decided = []
        for _ in range(20):
            self.view.advance(self.now)
            todo = plan(self.view, self.now)
            for each in todo.readings:
                self.read += 1
                self.view.gates.heard(each.key, self.answer, self.now)
            for each in todo.decisions:
                show(self.view, write(self.view, each, self.now))
                decided += [type(each)] * (not isinstance(each, Remind))
            if not (todo.readings or todo.decisions):
                return decided
        raise AssertionError("it never comes to rest")

    def pass_by(self, span):
        """Let time pass as the run wakes for it."""
        until, decided = self.now + minutes(span), []
        while self.now < until:
            wake_at = plan(self.view, self.now).wake_at
            self.now = min(until, wake_at or until)
            decided += self.go()
        return decided

    @property
    def wave(self):
        return self.view.waves[1]

    def act(self, kind, **given):
        walk = Walk(Random(0), self.view, self.now)
        act = replace(walk.an_act(kind), vms=(), **given)
        change = apply(self.view, act, self.now)
        show(self.view, change)
        return change.acts[0].result


# ---------------------------------------------------------------------------------- approvals


def test_a_wave_that_needs_an_approval_asks_for_it_and_starts_nothing():
    on = Evening(a_wave(approve=ON_CALL))
    assert on.go() == [AskApproval]
    assert on.wave.status is WaveStatus.AWAITING_APPROVAL
    assert on.pass_by(59) == []
    assert not plan(on.view, on.now).commands


def test_an_approval_lets_the_wave_open_and_says_who_and_why():
    on = Evening(a_wave(approve=ON_CALL))
    on.go()
    assert on.act(ActKind.APPROVE) == "wave canary is approved"
    assert (on.wave.approved_by, on.wave.approved_at) == ("ann", EPOCH)
    assert on.go() == [OpenWave]
    assert on.act(ActKind.APPROVE).startswith("nothing to do: ann has approved")


def test_a_wave_is_not_approved_before_its_turn():
    on = Evening(a_wave(approve=ON_CALL))
    assert "waits for no approval" in on.act(ActKind.APPROVE)
    assert on.go() == [AskApproval]


def test_an_approval_that_does_not_come_pauses_the_run_and_a_resume_waits_anew():
    on = Evening(a_wave(approve=ON_CALL))
    on.go()
    assert on.pass_by(60) == [PauseRun]
    assert on.view.run.reason == "wave canary waited 1h for an approval by on-call"
    on.act(ActKind.RESUME)
    assert on.go(59) == []
    assert on.go(1) == [PauseRun]
    said = on.act(ActKind.APPROVE)  # paused as it is
    resume = f'orchestrator resume {on.view.run.id} --because "…"'
    assert said == f"wave canary is approved; the run is paused: {resume} lets it go on"
    on.act(ActKind.RESUME)
    assert on.go() == [OpenWave]


@pytest.mark.parametrize("seeds", range(0, 400, 100))
def test_nothing_starts_in_a_wave_that_needs_an_approval_and_has_none(seeds):
    started = 0
    for step in (step for seed in range(seeds, seeds + 100) for step in a_walk(seed).steps):
        waves = {wave.position: wave for wave in step.snapshot.waves}
        for op in (each.op for each in step.plan.commands if isinstance(each, Start)):
            wave = waves[op.wave]
            started += wave.spec.approve is not None
            assert wave.spec.approve is None or wave.approved_at is not None
    assert started > 10


# ---------------------------------------------------------------------------------- gates


def test_a_gate_holds_a_wave_at_its_door_until_it_was_green_for_its_time():
    on = Evening(a_wave(before=(a_gate(held_for=minutes(5)),)))
    assert on.go() == [TurnGates]
    assert on.pass_by(4.9) == []
    assert on.pass_by(0.1) == [OpenWave]
    assert 9 <= on.read <= 12  # every 30 s


def test_a_gate_that_turns_red_in_between_begins_to_count_anew():
    on = Evening(a_wave(before=(a_gate(held_for=minutes(5)),)))
    on.go()
    on.pass_by(4)
    on.answer = RED
    assert on.pass_by(1) == [TurnGates]
    on.answer = GREEN
    assert on.pass_by(5) == [TurnGates]
    assert on.pass_by(1) == [OpenWave]


def test_a_gate_that_nobody_read_for_a_while_begins_to_count_anew():
    on = Evening(a_wave(before=(a_gate(held_for=minutes(5)),)))
    on.go()
    assert on.go(30) == [TurnGates]  # in one step: the process was asleep
    assert on.pass_by(4.9) == []
    assert on.pass_by(0.1) == [OpenWave]


def test_a_restart_begins_to_count_anew():
    on = Evening(a_wave(before=(a_gate(held_for=minutes(5)),)))
    on.go()
    on.pass_by(4)
    walk = Walk(Random(0), on.view)
    on.view = RunView(walk.rows())
    assert on.go() == [TurnGates]
    assert on.pass_by(4) == []
    assert on.pass_by(1) == [OpenWave]


def test_a_gate_that_is_red_for_its_time_out_halts_the_run_and_a_resume_asks_anew():
    on = Evening(a_wave(before=(a_gate(timeout=minutes(20)),)))
    on.answer = RED
    assert on.go() == [TurnGates]
    assert on.pass_by(19.9) == []
    assert on.pass_by(0.1) == [HaltRun]
    assert "https://health.example/ of wave canary is red since 2026-01-01 00:00Z" in (
        on.view.run.reason
    )
    on.answer = GREEN
    on.act(ActKind.RESUME)
    assert on.go() == [TurnGates]  # what was read last was red
    assert on.pass_by(1) == [TurnGates, OpenWave]


def test_a_gate_that_flickers_for_ever_halts_the_run_too():
    on = Evening(a_wave(before=(a_gate(held_for=minutes(10), timeout=minutes(30)),)))
    on.go()
    for _ in range(14):
        on.answer = RED if on.answer is GREEN else GREEN
        on.pass_by(3)
    assert on.view.run.status is RunStatus.HALTED
    assert "was not green for 10m within 40m" in on.view.run.reason


def test_a_wave_with_a_check_closes_only_while_the_check_is_green():
    on = Evening(a_wave(check=(a_gate(held_for=minutes(5)),)), 1, [GOOD])
    opened(on.view)
    assert on.go() == [BakeWave, TurnGates]
    assert on.pass_by(4.9) == []
    assert on.pass_by(0.1) == [CloseWave, CloseRun]


def test_a_check_is_read_during_the_bake_and_holds_the_wave_open_after_it():
    on = Evening(a_wave(bake=minutes(60), check=(a_gate(timeout=minutes(90)),)), 1, [GOOD])
    opened(on.view)
    on.go()
    on.pass_by(50)
    on.answer = RED
    assert on.pass_by(60) == [TurnGates]
    assert on.wave.status is WaveStatus.BAKING
    on.answer = GREEN
    assert on.pass_by(1) == [TurnGates, CloseWave, CloseRun]


def test_all_gates_must_hold():
    on = Evening(a_wave(before=(a_gate("one"), a_gate("two"))))
    on.answer = RED
    assert on.go() == [TurnGates]
    first, _ = [(1, *key) for key in (("before", 1), ("before", 2))]
    on.view.gates.heard(first, GREEN, on.now)
    assert on.go() == [TurnGates]
    assert [stand.green for stand in on.wave.gates] == [True, False]


def test_no_gate_is_read_while_the_run_is_halted_or_everything_is():
    on = Evening(a_wave(before=(a_gate(),)))
    on.view.run = replace(on.view.run, status=RunStatus.HALTED)
    assert plan(on.view, EPOCH).readings == ()


@pytest.mark.parametrize(("held", "seconds"), [(0, 30), (0.05, 1), (1, 15), (10, 30)])
def test_a_gate_is_read_four_times_while_it_must_hold(held, seconds):
    assert every(a_gate(held_for=minutes(held))).total_seconds() == seconds


@pytest.mark.parametrize(
    ("relation", "good", "bad"),
    [
        (Relation.BELOW, 0.9, 1.0),
        (Relation.AT_MOST, 1.0, 1.1),
        (Relation.ABOVE, 1.1, 1.0),
        (Relation.AT_LEAST, 1.0, 0.9),
        (Relation.EQUAL, 1.0, 0.9),
        (Relation.OTHER, 0.9, 1.0),
    ],
)
def test_a_bound_holds_for_what_it_says_and_never_for_what_is_no_number(relation, good, bad):
    bound = Bound(relation=relation, value=1.0)
    assert (bound.holds(good), bound.holds(bad), bound.holds(float("nan"))) == (True, False, False)
