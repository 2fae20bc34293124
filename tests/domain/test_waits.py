"""Why VMs wait: one sentence each, and none for what does not wait."""

import shlex
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.gate import Approval, GateStand, Moment
from orchestrator.domain.model import AttemptId, RunId, RunStatus, Tracking, WaveStatus
from orchestrator.domain.record import Brake
from orchestrator.domain.states import NeedsHuman, Preparing, Queued, Submitting, Wait, Why
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import holds, waits
from tests.kit.rows import EPOCH, a_gate, a_snapshot, a_wave, minutes, opened, with_states

NOW = EPOCH + minutes(10)
BUSY = Submitting(AttemptId("a-1"), EPOCH, None)
TRACELESS = NeedsHuman(
    AttemptId("a-2"), None, EPOCH, EPOCH + timedelta(days=1), Why("no_trace", "nothing")
)


def a_view(*states, waves=None, **plan):
    waves = waves or ((a_wave(), 3),)
    return opened(RunView(with_states(a_snapshot(*waves, **plan), states)), allowed=9)


def test_a_vm_whose_turn_it_is_waits_for_nothing_but_its_turn():
    ((reason, number),) = waits(a_view(), NOW).items()
    assert (number, "their turn" in reason) == (3, True)


def test_what_runs_or_has_ended_does_not_wait():
    assert sum(waits(a_view(BUSY, TRACELESS), NOW).values()) == 1


def test_the_fleet_wide_halt_is_named_before_anything_else():
    view = a_view()
    view.run = replace(view.run, status=RunStatus.PAUSED, reason="lunch")
    view.brake = Brake(at=EPOCH, actor="ann", because="a bad patch")
    assert waits(view, NOW) == {
        "everything is halted by ann since 2026-01-01 00:00Z: a bad patch": 3
    }


def test_the_run_s_state_is_named_with_its_reason():
    view = a_view()
    view.run = replace(view.run, status=RunStatus.PAUSED, reason="lunch")
    assert waits(view, NOW) == {"the run is paused: lunch": 3}


def test_a_later_wave_waits_for_the_one_before_and_its_bake():
    view = a_view(waves=((a_wave("one"), 1), (a_wave("two"), 2)))
    assert waits(view, NOW)["wave two comes after wave one"] == 2
    view.waves[1] = replace(
        view.waves[1], status=WaveStatus.BAKING, baking_until=EPOCH + timedelta(days=2)
    )
    found = waits(view, NOW)
    assert found["wave two comes after wave one, which bakes until 2026-01-03 00:00Z"] == 2
    assert found["wave one is baking"] == 1


def test_a_wave_at_its_door_says_whom_or_which_gate_it_waits_for_and_what_ends_it():
    gates = (a_gate("one"), a_gate("two"))
    view = a_view(waves=((a_wave("broad", approve=Approval(group="on-call"), before=gates), 1),))
    (op,) = view.ops.values()
    asked = {"status": WaveStatus.AWAITING_APPROVAL, "reason": "waits for on-call"}
    view.waves[1] = replace(view.waves[1], **asked)
    (hold,) = [each for each in holds(view, op, NOW) if each.code == "wave_awaiting_approval"]
    assert hold.text == "wave broad is awaiting_approval: waits for on-call"
    assert hold.ends == 'orchestrator approve monthly-1 --wave broad --because "…"'
    stands = tuple(
        GateStand(moment=Moment.BEFORE, number=n, green=n == 1, since=EPOCH, said=said)
        for n, said in ((1, "status 200"), (2, "status 503, not 200"))
    )
    waiting = {"status": WaveStatus.PENDING, "reason": "", "approved_at": EPOCH, "gates": stands}
    view.waves[1] = replace(view.waves[1], **waiting)
    (hold,) = [each for each in holds(view, op, NOW) if each.code == "wave_pending"]
    assert "gate https://two.example/ is red since 2026-01-01 00:00Z: status 503" in hold.text
    assert hold.ends == "when its gates have been green for their time"


def test_a_command_that_ends_a_wait_can_be_pasted_whatever_the_run_and_the_wave_are_called():
    view = a_view(waves=((a_wave("the rest; all"), 1),))
    view.run = replace(view.run, id=RunId("patch 'em-1"), status=RunStatus.PAUSED)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.AWAITING_APPROVAL)
    (op,) = view.ops.values()
    found = {hold.code: shlex.split(hold.ends) for hold in holds(view, op, NOW)}
    because = ["--because", "…"]
    assert found["run_paused"] == ["orchestrator", "resume", "patch 'em-1", *because]
    approved = ["orchestrator", "approve", "patch 'em-1", "--wave", "the rest; all", *because]
    assert found["wave_awaiting_approval"] == approved


def test_a_wave_whose_bake_is_over_or_that_has_none_waits_for_its_gates_and_not_for_the_past():
    view = a_view(waves=((a_wave("one", check=(a_gate("one"),)), 1), (a_wave("two"), 2)))
    view.waves[1] = replace(view.waves[1], status=WaveStatus.BAKING, baking_until=EPOCH)
    assert waits(view, NOW)["wave two comes after wave one, which waits for its gates"] == 2
    (hold,) = holds(view, next(iter(view.ops.values())), NOW)
    assert hold.ends.startswith("when its gates have been green for their time")


def test_a_ramp_holds_back_with_the_step_that_holds_now():
    view = a_view(BUSY)
    view.waves[1] = replace(view.waves[1], ramp=(1, 5), max_parallel=5)
    assert waits(view, NOW)["1 at once in wave canary, and so many are busy"] == 2


def test_a_vm_that_was_put_off_says_until_when_and_why():
    later = Queued(NOW + minutes(5), Wait.THROTTLED, Why("throttled", "Azure asked for a pause"))
    earlier = Queued(NOW - minutes(5), Wait.THROTTLED, Why("throttled", "it is over"))
    found = waits(a_view(later, earlier), NOW)
    assert found["not before 2026-01-01 00:15:00Z: Azure asked for a pause"] == 1
    assert sum(found.values()) == 3
    assert len(found) == 2


def test_the_breaker_says_where_it_tripped():
    view = a_view(TRACELESS, tracking=Tracking(max_unknown=1))
    ((reason, number),) = waits(view, NOW).items()
    assert number == 2
    assert reason.startswith("1 request of unknown fate in ")
    assert "westeurope" in reason


def test_a_full_wave_says_how_many_may_run_at_once():
    view = opened(a_view(Preparing(EPOCH)), parallel=1)
    assert waits(view, NOW) == {"1 at once in wave canary, and so many are busy": 2}
