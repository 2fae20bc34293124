"""The looks at VMs whose wave bakes: when, at whom, and what they prove."""

from dataclasses import replace

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.answer import Gone, LookAnswer, Seen, Unreadable
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import CloseWave, HaltRun
from orchestrator.domain.model import WaveStatus
from orchestrator.domain.operation import transition
from orchestrator.domain.record import DAEMON, Change, Move
from orchestrator.domain.rollout import plan
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import UNWELL_FOR, Visit, unwell
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, minutes, opened, show, with_states

GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "x"))
FAILED = s.Failed(EPOCH, s.FailureClass.GUEST, s.Why("code", "x"))
SKIPPED = s.Skipped(EPOCH, s.Why("not_running", "x"))
BAKE = minutes(100)


def seen(power="running", *, agent=True) -> LookAnswer:
    return Seen(
        vm_id=a_vm(0),
        region="westeurope",
        os="Linux",
        power=power,
        agent_ready=agent,
        last=None,
    )


WELL, OFF = seen(), seen("deallocated")


class Bake:
    """A wave that bakes from the epoch on, and a next one."""

    def __init__(self, *states, allowed=0):
        rows = a_snapshot((a_wave(bake=BAKE), len(states)), (a_wave("broad"), 1))
        rows = with_states(rows, states)
        begun = tuple(replace(op, started_at=EPOCH) for op in rows.operations)
        self.view = opened(RunView(replace(rows, operations=begun)), allowed=allowed)
        self.view.waves[1] = replace(
            self.view.waves[1], status=WaveStatus.BAKING, baking_until=EPOCH + BAKE
        )

    def plan(self, after):
        self.view.advance(EPOCH + minutes(after))
        return plan(self.view, EPOCH + minutes(after))

    def visited(self, after):
        return [each.op for each in self.plan(after).commands if isinstance(each, Visit)]

    def answer(self, after, answer):
        """Answer every look that is due."""
        now = EPOCH + minutes(after)
        for op in self.visited(after):
            event = self.view.vigil.judge(op, answer, now)
            if event is not None:
                move = Move(before=op, after=transition(op, event), event=event, actor=DAEMON)
                show(self.view, Change(moves=(move,)))
                self.view.vigil.note(op.target.vm_id)


def test_each_patched_vm_is_looked_at_after_half_of_the_bake_and_in_its_last_tenth():
    on = Bake(GOOD, GOOD, FAILED, SKIPPED, allowed=1)
    assert on.visited(49) == []
    assert on.plan(49).wake_at == EPOCH + minutes(50)
    assert len(on.visited(50)) == 2
    on.answer(50, WELL)
    assert on.visited(80) == []
    assert on.plan(80).wake_at == EPOCH + minutes(90)
    assert len(on.visited(90)) == 2
    on.answer(90, WELL)
    assert isinstance(on.plan(100).decisions[0], CloseWave)


def test_a_wave_does_not_close_before_its_last_looks():
    on = Bake(GOOD)
    assert on.plan(100).decisions == ()
    on.answer(100, WELL)
    assert isinstance(on.plan(100).decisions[0], CloseWave)


def test_a_vm_that_is_unwell_twice_breaks_and_halts_the_next_wave():
    on = Bake(GOOD, GOOD)
    on.answer(50, OFF)
    assert on.plan(54).wake_at == EPOCH + minutes(55)
    assert on.plan(54).decisions == ()
    on.answer(55, OFF)
    (halt,) = on.plan(55).decisions
    assert isinstance(halt, HaltRun)
    show(on.view, write(on.view, halt, EPOCH))
    assert on.view.waves[1].status is WaveStatus.HALTED
    assert on.plan(200).decisions[0].why.code == "halted"  # nothing but the reminder
    broken = on.view.ops[a_vm(0)].state
    assert (broken.failure, broken.why.code) == (s.FailureClass.UNHEALTHY, "died_in_bake")
    assert "deallocated during the bake" in broken.why.text


def test_one_look_at_a_vm_that_restarts_proves_nothing():
    on = Bake(GOOD)
    on.answer(50, seen(agent=False))
    on.answer(55, WELL)
    on.answer(90, OFF)
    on.answer(95, WELL)
    assert isinstance(on.plan(100).decisions[0], CloseWave)


def test_a_death_within_the_budget_lets_the_wave_pass_and_none_left_does_not():
    on = Bake(GOOD, GOOD, allowed=2)
    first = on.visited(90)[0]
    on.view.take(first.target.vm_id)
    on.answer(90, WELL)
    on.view.give_back(first.target.vm_id)
    on.answer(91, OFF)
    on.answer(96, OFF)
    assert isinstance(on.plan(100).decisions[0], CloseWave)
    on = Bake(GOOD, allowed=2)
    on.answer(90, OFF)
    on.answer(95, OFF)
    assert on.plan(100).decisions[0].why.code == "none_good"


def test_what_cannot_be_read_holds_the_wave_for_a_while_and_not_for_ever():
    on = Bake(GOOD)
    overdue = on.view.run.plan.tracking.overdue / minutes(1)
    on.answer(100, Unreadable(reason="500", http_status=500))
    assert on.plan(100 + overdue - 1).decisions == ()
    assert isinstance(on.plan(100 + overdue).decisions[0], CloseWave)


def test_who_takes_the_run_over_looks_once_more():
    on = Bake(GOOD)
    on.answer(90, WELL)
    on.view.vigil = type(on.view.vigil)()
    assert len(on.visited(95)) == 1


def test_a_wave_without_a_bake_is_not_looked_at():
    on = Bake(GOOD)
    spec = replace(on.view.waves[1].spec, bake=minutes(0))
    on.view.waves[1] = replace(on.view.waves[1], spec=spec, baking_until=EPOCH)
    assert isinstance(on.plan(0).decisions[0], CloseWave)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (WELL, None),
        (seen(""), None),
        (OFF, "deallocated"),
        (seen(agent=False), "running with its agent not ready"),
        (Gone(reason="404"), "gone"),
        (Unreadable(reason="time-out"), None),
    ],
)
def test_what_is_unwell(answer, what):
    assert unwell(answer) == what


def test_the_two_looks_lie_five_minutes_apart_or_a_tenth_of_a_short_bake():
    assert minutes(5) == UNWELL_FOR
    on = Bake(GOOD)
    spec = replace(on.view.waves[1].spec, bake=minutes(10))
    on.view.waves[1] = replace(on.view.waves[1], spec=spec, baking_until=EPOCH + minutes(10))
    on.answer(9, OFF)
    assert on.visited(9.9) == []
    on.answer(10, OFF)
    assert isinstance(on.plan(10).decisions[0], HaltRun)
