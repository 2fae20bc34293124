"""Who is reminded of a run that needs somebody, and how often."""

from dataclasses import replace

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.gate import Approval
from orchestrator.domain.model import AttemptId, RunStatus, WaveStatus
from orchestrator.domain.reminding import Remind, need
from orchestrator.domain.rollout import plan
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_snapshot, a_wave, minutes, opened, show, with_states

LOST = s.NeedsHuman(AttemptId("a"), None, EPOCH, EPOCH, s.Why("no_trace", "x"))


def a_view(*states):
    spec = a_wave(approve=Approval(group="on-call"))
    return opened(RunView(with_states(a_snapshot((spec, 3)), states)), allowed=3)


def reminders(view, until, every=1):
    """Return the minutes at which a reminder was written."""
    found = []
    for minute in range(0, until, every):
        for decision in plan(view, EPOCH + minutes(minute)).decisions:
            show(view, write(view, decision, EPOCH + minutes(minute)))
            found += [minute] * isinstance(decision, Remind)
    return found


def test_a_vm_that_needs_a_person_is_told_at_once_and_every_half_hour_then():
    view = a_view(LOST)
    assert reminders(view, 95) == [0, 30, 60, 90]
    assert plan(view, EPOCH + minutes(95)).wake_at == EPOCH + minutes(120)


@pytest.mark.parametrize(
    ("status", "code"), [(RunStatus.HALTED, "halted"), (RunStatus.PAUSED, "paused")]
)
def test_a_stopped_run_is_told_again_half_an_hour_after_it_stopped(status, code):
    view = a_view()
    view.run = replace(view.run, status=status, reason="because", reminded_at=EPOCH)
    assert need(view).code == code
    assert "because" in need(view).text
    assert reminders(view, 61) == [30, 60]


def test_a_wave_that_waits_for_an_approval_is_told_with_its_group():
    view = a_view()
    view.waves[1] = replace(
        view.waves[1], status=WaveStatus.AWAITING_APPROVAL, opened_at=None, asked_at=EPOCH
    )
    view.run = replace(view.run, reminded_at=EPOCH)
    assert need(view).text == "wave canary waits for an approval by on-call"
    assert reminders(view, 61) == [30, 60]


def test_nobody_is_reminded_of_a_run_that_needs_nobody():
    view = a_view()
    assert need(view) is None
    assert reminders(view, 120) == []
    view.run = replace(view.run, status=RunStatus.CANCELLED)
    assert need(view) is None


def test_a_restart_keeps_the_rhythm():
    view = a_view(LOST)
    reminders(view, 1)
    again = RunView(replace(a_snapshot((a_wave(), 3)), run=view.run))
    again.waves, again.ops = view.waves, view.ops
    for op in list(view.ops.values()):
        again.put(op)
    assert again.run.reminded_at == EPOCH
