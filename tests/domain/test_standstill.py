"""When a run that stays open may be left, and what it waits for then."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain.gate import Approval, GateStand, Moment
from orchestrator.domain.model import (
    AttemptId,
    Freeze,
    GroupLimit,
    Hours,
    Limits,
    RunStatus,
    Share,
    Tracking,
    WaveStatus,
    Window,
)
from orchestrator.domain.standstill import SOON, standstill
from orchestrator.domain.states import (
    NeedsHuman,
    Outcome,
    Preparing,
    Queued,
    RebootQueued,
    Submitting,
    Succeeded,
    Wait,
    Why,
)
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_gate, a_snapshot, a_wave, minutes, opened, with_states

NOW = EPOCH + minutes(10)
EVENING = Hours(windows=(Window(start=time(20), length=timedelta(hours=2)),), timezone="UTC")
FREEZE = Freeze(name="Black Week", begins=EPOCH, ends=EPOCH + timedelta(days=2))
PATCHED = RebootQueued(EPOCH, None, None)
GOOD = Succeeded(EPOCH, Outcome.SUCCEEDED, Why("succeeded", "2 installed"))
TRACELESS = NeedsHuman(
    AttemptId("a-1"), None, EPOCH, EPOCH + timedelta(days=9), Why("no_trace", "no trace")
)


def a_view(*states, spec=None, vms=3, **plan):
    view = RunView(with_states(a_snapshot((spec or a_wave(), vms), **plan), states))
    return opened(view, allowed=9)


def the_wave(status, spec=None, **given):
    view = a_view(spec=spec)
    view.waves[1] = replace(view.waves[1], status=status, **given)
    return view


def frozen():
    view = a_view()
    view.freezes = (FREEZE,)
    return view


def gated(status, since=EPOCH, *, green, **given):
    """A wave at its door or behind its bake, whose one gate was read."""
    moment = Moment.BEFORE if status is WaveStatus.PENDING else Moment.CHECK
    spec = replace(a_wave(), **{moment.value: (a_gate("health", **given),)})
    stand = GateStand(moment=moment, number=1, green=green, since=since, said="status 503, not 200")
    return the_wave(status, spec, gates=(stand,), baking_until=EPOCH)


def retried(after, wait=Wait.THROTTLED):
    return a_view(Queued(NOW + after, wait, Why(str(wait), f"it is {wait}")), vms=1)


def awaiting():
    spec = replace(a_wave(), approve=Approval(group="on-call"))
    return the_wave(WaveStatus.AWAITING_APPROVAL, spec, asked_at=EPOCH)


def limited():
    """The one slot is held by a VM that needs a person."""
    limits = Limits(per=(GroupLimit(kind="subscription", most=Share(count=1)),))
    return a_view(TRACELESS, vms=2, limits=limits)


LEFT = {
    "a freeze": (frozen, "the freeze Black Week lasts until", "at 2026-01-03 00:00Z"),
    "a closed window": (
        lambda: a_view(spec=replace(a_wave(), hours=EVENING)),
        "the window is closed",
        "at 2026-01-01 20:00Z, by itself",
    ),
    "an approval": (
        awaiting,
        "wave canary waits for an approval by on-call",
        "orchestrator approve monthly-1 --wave canary",
    ),
    "a bake": (
        lambda: the_wave(WaveStatus.BAKING, baking_until=EPOCH + minutes(30)),
        "wave canary bakes until 2026-01-01 00:30Z",
        "at 2026-01-01 00:30Z, by itself",
    ),
    "a red gate at its door": (
        lambda: gated(WaveStatus.PENDING, green=False),
        "is red since 2026-01-01 00:00Z: status 503, not 200",
        "green for their time",
    ),
    "a red gate at its end": (
        lambda: gated(WaveStatus.BAKING, green=False),
        "wave canary waits for its gates: gate https://health.example/ is red",
        "green for their time",
    ),
    "a gate that must be green for long": (
        lambda: gated(WaveStatus.PENDING, NOW, green=True, held_for=minutes(5)),
        "is green since",
        "green for their time",
    ),
    "a limit that somebody else holds": (limited, "a limit: ", "has ended"),
    "what the VMs wait for that are to be patched before the first restart": (
        lambda: a_view(
            PATCHED, Queued(NOW + minutes(5), Wait.BUSY, Why("busy", "it is busy")), vms=2
        ),
        "it is busy",
        "then it is tried again",
    ),
    "a later try": (lambda: retried(minutes(5), Wait.BUSY), "it is busy", "then it is tried again"),
}


@pytest.mark.parametrize("what", LEFT)
def test_a_run_that_waits_for_it_may_be_left(what):
    make, text, ends = LEFT[what]
    hold = standstill(make(), NOW)
    assert hold is not None
    assert text in hold.text
    assert ends in hold.ends


UNDER_WAY = {
    "VMs whose turn it is": a_view,
    "a VM in flight, while others are out of their hours": lambda: a_view(
        Preparing(EPOCH), spec=replace(a_wave(), hours=EVENING)
    ),
    "a request without an answer": lambda: a_view(Submitting(AttemptId("a-1"), EPOCH, None)),
    "a wave that the daemon opens": lambda: the_wave(WaveStatus.PENDING),
    "a wave that the daemon closes": lambda: a_view(GOOD, GOOD, GOOD),
    "an approval that was not asked for yet": lambda: the_wave(
        WaveStatus.PENDING, replace(a_wave(), approve=Approval(group="on-call"))
    ),
    "a gate that nobody has read yet": lambda: the_wave(
        WaveStatus.PENDING, replace(a_wave(), before=(a_gate(),))
    ),
    "a gate that has held": lambda: gated(WaveStatus.PENDING, green=True, held_for=minutes(5)),
    "a gate that soon has held": lambda: gated(
        WaveStatus.BAKING, NOW, green=True, held_for=timedelta(seconds=20)
    ),
    "a bake that is over": lambda: the_wave(WaveStatus.BAKING, baking_until=EPOCH),
    "a try within a minute": lambda: retried(SOON),
    "one VM at a time where a fate is unknown": lambda: a_view(
        TRACELESS, tracking=Tracking(max_unknown=1)
    ),
    "a restart that waits for the others": lambda: a_view(PATCHED, vms=2),
}


@pytest.mark.parametrize("what", UNDER_WAY)
def test_a_run_that_is_under_way_is_followed(what):
    assert standstill(UNDER_WAY[what](), NOW) is None


def test_a_retry_that_comes_due_out_of_hours_waits_for_its_hours():
    view = frozen()
    first = next(iter(view.ops.values()))
    for op in list(view.ops.values())[1:]:
        view.put(replace(op, state=GOOD))
    later = Queued(NOW + minutes(0.5), Wait.THROTTLED, Why("throttled", "throttled"))
    view.put(replace(first, state=later))
    hold = standstill(view, NOW)
    assert hold is not None
    assert hold.code == "freeze"


def test_what_holds_most_vms_is_named():
    later = Queued(NOW + minutes(5), Wait.BUSY, Why("busy", "it is busy"))
    last = Queued(NOW + minutes(9), Wait.CREDENTIALS, Why("credentials", "no token"))
    hold = standstill(a_view(last, later, later), NOW)
    assert hold is not None
    assert hold.code == "busy"


@pytest.mark.parametrize("status", [each for each in RunStatus if each is not RunStatus.OPEN])
def test_a_run_that_is_not_open_waits_for_nothing(status):
    view = frozen()
    view.run = replace(view.run, status=status)
    assert standstill(view, NOW) is None
