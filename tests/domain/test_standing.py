"""What `explain` says: for each situation the reason that blocks, and what would end it."""

import re
from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain.model import (
    AttemptId,
    Freeze,
    GroupLimit,
    Hours,
    Limits,
    Quarantine,
    RunStatus,
    Share,
    Tolerance,
    Tracking,
    Trait,
    WaveStatus,
    Window,
)
from orchestrator.domain.record import Brake, SafeMode
from orchestrator.domain.standing import standing
from orchestrator.domain.states import (
    Cancelled,
    Failed,
    FailureClass,
    InProgress,
    NeedsHuman,
    Outcome,
    Preparing,
    Queued,
    Skipped,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
    Wait,
    Why,
)
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_gate, a_snapshot, a_wave, minutes, opened, with_states

NOW = EPOCH + minutes(10)
LATER = NOW + minutes(5)
ONE = AttemptId("a-1")
TRACELESS = NeedsHuman(ONE, None, EPOCH, EPOCH + timedelta(days=1), Why("no_trace", "no trace"))


def a_view(*states, waves=None, parallel=None, **plan):
    view = RunView(with_states(a_snapshot(*(waves or ((a_wave(), 3),)), **plan), states))
    return opened(view, allowed=9, **({} if parallel is None else {"parallel": parallel}))


def the_run(status, reason=""):
    view = a_view()
    view.run = replace(view.run, status=status, reason=reason)
    return view


def the_wave(status, **given):
    view = a_view()
    view.waves[1] = replace(view.waves[1], status=status, **given)
    return view


def braked():
    view = a_view()
    view.brake = Brake(at=EPOCH, actor="ann", because="a bad patch")
    return view


def distrusted():
    view = a_view()
    view.safe_mode = SafeMode(since=EPOCH, code="older_copy", reason="an old copy")
    return view


def outside(**given):
    """A wave whose window opens in the evening, or one in a freeze."""
    window = Window(start=time(20), length=timedelta(hours=2))
    hours = Hours(windows=() if given else (window,), timezone="UTC")
    view = a_view(waves=((replace(a_wave(), hours=hours), 3),))
    view.freezes = given.get("freezes", ())
    return view


FREEZE = Freeze(name="Black Week", begins=EPOCH, ends=EPOCH + timedelta(days=2))


def limited():
    """One VM of each cluster at a time, and the second of a cluster waits."""
    per = (GroupLimit(kind="subscription", most=Share(count=1)),)
    return a_view(Queued(), Preparing(EPOCH), limits=Limits(per=per))


def strict():
    wave = replace(a_wave(), allow_failures=Tolerance(count=0, strict=True))
    rows = with_states(a_snapshot((wave, 3)), (Queued(), Preparing(EPOCH)))
    return opened(RunView(rows), allowed=0)


def ramping():
    view = a_view(Queued(), Preparing(EPOCH), parallel=9)
    view.waves[1] = replace(view.waves[1], ramp=(1, 5))
    return view


def gated():
    view = a_view(waves=((replace(a_wave(), before=(a_gate("before"),)), 3),))
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PENDING)
    return view


def queued(wait, code):
    return a_view(Queued(LATER, wait, Why(code, f"it is {code}")))


SITUATIONS = {
    "window": (outside, "at 2026-01-01 20:00Z"),
    "freeze": (lambda: outside(freezes=(FREEZE,)), "at 2026-01-03 00:00Z"),
    "limit": (limited, "has ended"),
    "strict_budget": (strict, "has ended well"),
    "wave_awaiting_approval": (
        lambda: the_wave(WaveStatus.AWAITING_APPROVAL),
        'orchestrator approve monthly-1 --wave canary --because "…"',
    ),
    "halted_all": (braked, 'orchestrator resume --all --because "…"'),
    "safe_mode": (distrusted, 'orchestrator db confirm --because "…"'),
    "run_paused": (
        lambda: the_run(RunStatus.PAUSED, "lunch"),
        'orchestrator resume monthly-1 --because "…"',
    ),
    "run_halted": (
        lambda: the_run(RunStatus.HALTED),
        'orchestrator resume monthly-1 --because "…"',
    ),
    "run_cancelled": (lambda: the_run(RunStatus.CANCELLED), "never"),
    "run_expired": (lambda: the_run(RunStatus.EXPIRED), "never"),
    "wave_pending": (lambda: the_wave(WaveStatus.PENDING), "opens the wave"),
    "wave_halted": (
        lambda: the_wave(WaveStatus.HALTED),
        'orchestrator resume monthly-1 --because "…"',
    ),
    "throttled": (lambda: queued(Wait.THROTTLED, "throttled"), "at 2026-01-01 00:15:00Z"),
    "busy": (lambda: queued(Wait.BUSY, "busy"), "at 2026-01-01 00:15:00Z"),
    "credentials": (lambda: queued(Wait.CREDENTIALS, "credentials"), "at 2026-01-01 00:15:00Z"),
    "max_parallel": (lambda: a_view(Queued(), Preparing(EPOCH), parallel=1), "has ended"),
    "max_unknown": (
        lambda: a_view(Queued(), TRACELESS, tracking=Tracking(max_unknown=1)),
        "resolved by a person",
    ),
    "turn": (a_view, "by itself"),
    "preparing": (lambda: a_view(Preparing(EPOCH)), "by itself"),
    "submitting": (lambda: a_view(Submitting(ONE, EPOCH, None)), "Azure's answer"),
    "no_answer": (
        lambda: a_view(Unknown(ONE, EPOCH, None, EPOCH, LATER, Why("no_answer", "no answer"))),
        "at 2026-01-01 00:15:00Z: then a person is asked",
    ),
    "in_progress": (
        lambda: a_view(InProgress(ONE, EPOCH, None, EPOCH, LATER, tracked=True)),
        "with its end",
    ),
    "verifying": (lambda: a_view(Verifying(ONE, None, EPOCH, LATER, None)), "when it is"),
    "no_trace": (lambda: a_view(TRACELESS), "orchestrator resolve monthly-1 "),
    "guest": (
        lambda: a_view(Failed(EPOCH, FailureClass.GUEST, Why("guest", "1 patch failed"))),
        "orchestrator retry monthly-1 ",
    ),
    "quarantined": (
        lambda: a_view(Skipped(EPOCH, Why("quarantined", "held back: image a:b:old"))),
        "orchestrator retry monthly-1 --reason quarantined",
    ),
    "not_running": (lambda: a_view(Skipped(EPOCH, Why("not_running", "off"))), "a later one"),
    "cancelled": (lambda: a_view(Cancelled(EPOCH, Why("cancelled", "by ann"))), "it has ended"),
    "succeeded": (
        lambda: a_view(Succeeded(EPOCH, Outcome.SUCCEEDED, Why("succeeded", "2 installed"))),
        "it has ended",
    ),
}


@pytest.mark.parametrize("code", SITUATIONS)
def test_each_situation_is_named_with_what_would_end_it(code):
    make, ends = SITUATIONS[code]
    view = make()
    first = next(iter(view.ops.values()))
    found = standing(view, first, NOW)
    assert found.holds[0].code == code
    assert ends in found.holds[0].ends
    assert found.holds[0].text


@pytest.mark.parametrize("code", SITUATIONS)
def test_each_time_in_a_situation_has_its_day_and_is_in_utc(code):
    view = SITUATIONS[code][0]()
    for hold in standing(view, next(iter(view.ops.values())), NOW).holds:
        for text in (hold.text, hold.ends):
            times = re.findall(r"\d\d:\d\d", text)
            assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?Z", text)) == len(times)


def test_a_queued_vm_of_the_group_that_is_held_back_names_it_before_its_wave():
    view = a_view(waves=((a_wave("one"), 1), (a_wave("two"), 1)))
    group = Quarantine(kind=Trait.REGION, value="westeurope", reason="held back: region westeurope")
    view.run = replace(view.run, quarantine=group)
    last = list(view.ops.values())[-1]
    found = standing(view, last, NOW).holds
    assert [hold.code for hold in found] == ["quarantined", "wave_before"]
    assert "--reason quarantined" in found[0].ends


def test_a_ramp_says_its_present_step():
    view = ramping()
    (hold,) = standing(view, next(iter(view.ops.values())), NOW).holds
    assert (hold.code, hold.text[:9]) == ("max_parallel", "1 at once")


def test_a_wave_behind_a_gate_says_what_opens_it():
    view = gated()
    (hold,) = standing(view, next(iter(view.ops.values())), NOW).holds
    assert (hold.code, "green" in hold.ends) == ("wave_pending", True)


def test_a_vm_that_several_things_hold_is_told_all_of_them_in_their_order():
    view = queued(Wait.THROTTLED, "throttled")
    view.brake = Brake(at=EPOCH, actor="ann", because="a bad patch")
    view.run = replace(view.run, status=RunStatus.HALTED, reason="3 bad")
    found = standing(view, next(iter(view.ops.values())), NOW)
    assert [hold.code for hold in found.holds] == ["halted_all", "run_halted", "throttled"]


def test_a_later_wave_names_the_one_it_waits_for():
    view = a_view(waves=((a_wave("one"), 1), (a_wave("two"), 1)))
    last = list(view.ops.values())[-1]
    assert [hold.code for hold in standing(view, last, NOW).holds] == ["wave_before"]


def test_what_runs_is_told_since_when():
    view = a_view(Preparing(EPOCH))
    assert standing(view, next(iter(view.ops.values())), NOW).since == EPOCH
