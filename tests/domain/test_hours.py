"""Whole runs walked through windows, freezes and carry-overs: what may start when, and that nobody
is forgotten."""

from dataclasses import replace
from datetime import time, timedelta
from random import Random

import pytest

from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.carrying import carry_over, may_carry_over
from orchestrator.domain.hours import out_of_hours
from orchestrator.domain.model import Freeze, Hours, RunStatus, Window
from orchestrator.domain.record import GrantKind
from orchestrator.domain.result import Result
from orchestrator.domain.rollout import Start, plan
from orchestrator.domain.states import Wait
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import holds, waits
from orchestrator.domain.window import frozen, needed, open_until
from tests.domain.walking import Walk
from tests.kit.rows import (
    EPOCH,
    a_snapshot,
    a_wave,
    an_operation,
    minutes,
    opened,
    with_states,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = Hours(
    windows=(Window(start=time(22), length=4 * HOUR),), timezone="UTC", reserve=minutes(15)
)
TONIGHT = EPOCH + 22 * HOUR
"""When the first window opens; the run begins at midnight, outside it."""


def a_view(hours=NIGHT, vms=3, **given) -> RunView:
    given.setdefault("carry_over", 2)
    return opened(RunView(a_snapshot((a_wave(hours=hours), vms), **given)), allowed=vms)


def starts(view, now):
    view.advance(now)
    return [command for command in plan(view, now).commands if isinstance(command, Start)]


# ------------------------------------------------------------------------------ the plan


def test_outside_its_window_a_run_starts_nothing_and_wakes_at_the_opening():
    view = a_view()
    todo = plan(view, EPOCH + 12 * HOUR)
    assert (todo.commands, todo.decisions) == ((), ())
    assert todo.wake_at == TONIGHT
    assert len(starts(view, TONIGHT)) == 3


def test_a_run_that_waits_for_its_window_does_not_spin():
    view, now, looks = a_view(), EPOCH + 3 * HOUR, 0
    while not starts(view, now):
        wakes = plan(view, now).wake_at
        assert wakes is not None
        assert wakes > now
        now, looks = wakes, looks + 1
    assert (now, looks) == (TONIGHT, 1)


def test_nothing_starts_in_the_morning_of_last_nights_window():
    view = a_view()
    for now in (TONIGHT + minutes(136), EPOCH + 26 * HOUR, EPOCH + 30 * HOUR, EPOCH + 45 * HOUR):
        assert starts(view, now) == []
        assert plan(view, now).wake_at == TONIGHT + DAY


def test_a_freeze_holds_whatever_the_window_says():
    view = a_view()
    view.thaw((Freeze(name="f", begins=EPOCH, ends=TONIGHT + HOUR),))
    assert starts(view, TONIGHT) == []
    assert plan(view, TONIGHT).wake_at == TONIGHT + HOUR


def test_an_approved_emergency_is_held_by_no_freeze_and_by_its_window_all_the_same():
    snapshot = a_snapshot((a_wave(hours=NIGHT), 1))
    urgent = replace(snapshot.run, approved_by="the CISO")
    view = opened(RunView(replace(snapshot, run=urgent)))
    view.thaw((Freeze(name="f", begins=EPOCH, ends=EPOCH + 9 * DAY),))
    assert starts(view, EPOCH + 12 * HOUR) == []
    assert len(starts(view, TONIGHT)) == 1


def test_a_run_whose_windows_never_come_again_expires_at_its_deadline():
    view = a_view(deadline=20 * HOUR)
    assert plan(view, EPOCH + HOUR).wake_at == EPOCH + 20 * HOUR
    (expire,) = plan(view, EPOCH + 20 * HOUR).decisions
    assert type(expire).__name__ == "ExpireRun"


def test_a_slot_taken_before_the_window_closed_is_given_back_after_it():
    snapshot = with_states(a_snapshot((a_wave(hours=NIGHT), 1)), [s.Preparing(TONIGHT)])
    view = opened(RunView(snapshot))
    (op,) = view.ops.values()
    assert out_of_hours(view, op, TONIGHT + minutes(135)) is None
    event = out_of_hours(view, op, TONIGHT + minutes(136))
    assert event is not None
    assert (event.wait, event.why.code, event.not_before) == (
        Wait.WINDOW,
        "window",
        TONIGHT + DAY,
    )


def test_status_says_why_and_until_when_vms_wait_for_their_window():
    (sentence,) = waits(a_view(), EPOCH + 12 * HOUR)
    assert sentence == "not before 2026-01-01 22:00Z: the window is closed"


def test_explain_says_what_ends_a_wait_for_a_window_or_a_freeze():
    view = a_view()
    (op, *_) = view.ops.values()
    assert [(hold.code, hold.ends) for hold in holds(view, op, EPOCH + 12 * HOUR)] == [
        ("window", "at 2026-01-01 22:00Z, by itself")
    ]
    view.thaw((Freeze(name="f", begins=EPOCH, ends=TONIGHT + HOUR),))
    assert [(hold.code, hold.ends) for hold in holds(view, op, EPOCH + 12 * HOUR)] == [
        ("freeze", "at 2026-01-01 23:00Z, by itself")
    ]
    late = a_view(deadline=20 * HOUR)
    (hold, *_) = holds(late, op, EPOCH + 12 * HOUR)
    assert hold.ends == "never: no window fits before the deadline; open a new run"


# ------------------------------------------------------------------------------ carry-over


def ran_out(view) -> tuple[o.Operation, o.Broke]:
    """The only VM of a view, whose installation ran out of its time, and the verdict on it."""
    (op,) = view.ops.values()
    why = s.Why("window_exceeded", "window exceeded, 3 patches still pending")
    return op, o.Broke(TONIGHT + HOUR, s.FailureClass.GUEST, why)


def verifying(**given) -> RunView:
    result = Result(status="Failed", failed=0, pending=3, window_exceeded=True)
    state = s.Verifying("a", None, TONIGHT, TONIGHT + DAY, result)  # type: ignore[arg-type]  # an id
    hours = given.pop("hours", NIGHT)
    snapshot = a_snapshot((a_wave(hours=hours), 1), **given)
    return opened(RunView(with_states(snapshot, [state])))


def test_a_vm_that_ran_out_of_its_time_goes_on_in_a_later_window_on_a_grant():
    view = verifying()
    op, broke = ran_out(view)
    assert may_carry_over(view, op, broke)
    move = carry_over(view, op, broke, used=0)
    assert move is not None
    assert isinstance(move.after.state, s.Queued)
    assert (move.after.state.not_before, move.after.attempt) == (TONIGHT + DAY, 2)
    assert move.grant is not None
    assert (move.grant.kind, move.grant.attempt) == (GrantKind.CARRY_OVER, 2)


@pytest.mark.parametrize(("used", "again"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_vm_is_carried_over_twice_at_most(used, again):
    view = verifying()
    assert (carry_over(view, *ran_out(view), used) is not None) is again


def test_a_vm_is_not_carried_over_the_deadline():
    view = verifying(deadline=40 * HOUR)
    assert carry_over(view, *ran_out(view), 0) is None


@pytest.mark.parametrize("status", [RunStatus.CANCELLED, RunStatus.EXPIRED])
def test_a_run_that_takes_no_more_starts_carries_nobody_over(status):
    view = verifying()
    view.run = replace(view.run, status=status)
    assert not may_carry_over(view, *ran_out(view))


def test_a_plan_without_windows_never_carries_over():
    view = verifying(hours=Hours())
    assert not may_carry_over(view, *ran_out(view))


def test_another_failure_is_not_carried_over():
    view = verifying()
    op, broke = ran_out(view)
    other = replace(broke, why=s.Why("patches_failed", "1 of 4 patches failed"))
    assert not may_carry_over(view, op, other)


# ------------------------------------------------------------------------------ whole runs


class Nightly(Walk):
    """A walk of a run with hours: it notes when each request was sent, and carries over."""

    def __init__(self, rng, view, *, calm=False) -> None:
        super().__init__(rng, view, calm=calm)
        self.sent: list = []
        self.carried: dict = {}

    def start(self, op):
        self.now += self.delay(50)  # a slow look, a paused process
        if isinstance(op.state, s.Queued):
            op = self.move(op, o.Began(self.now))
        self.now += self.delay(90)
        late = out_of_hours(self.view, op, self.now)
        if late is not None:
            self.move(op, late)
            return
        before = len(self.sent)
        super().start(op)
        assert len(self.sent) <= before + 1

    def delay(self, most):
        return minutes(0 if self.calm else self.rng.choice([0, 0, 0, 1, most]))

    def move(self, op, event):
        if isinstance(event, o.Intended):
            self.sent.append((op, self.now))
        return super().move(op, event)

    def concluded(self, op, event):
        late = isinstance(event, o.Reported) and not self.calm and self.rng.random() < 0.4
        if late and isinstance(op.state, s.InProgress):
            ran = Result(status="Failed", failed=0, installed=1, pending=2, window_exceeded=True)
            event = replace(event, result=ran)
            after = self.move(op, event)
            why = s.Why("window_exceeded", "window exceeded")
            broke = o.Broke(self.now, s.FailureClass.GUEST, why, ran)
            vm = op.target.vm_id
            again = None
            if may_carry_over(self.view, after, broke):
                again = carry_over(self.view, after, broke, self.carried.get(vm, 0))
            if again is None:
                self.move(after, broke)
            else:
                self.carried[vm] = self.carried.get(vm, 0) + 1
                self.move(after, again.event)
            return
        super().concluded(op, event)


def a_night_walk(seed: int, length: int = 3_000, *, calm: bool = False) -> Nightly:
    """Walk a run of two waves with windows of their own and two freezes, to its end."""
    rng = Random(seed)
    zone = rng.choice(["UTC", "Europe/Berlin", "America/New_York"])

    def hours():
        windows = tuple(
            Window(
                start=time(rng.randrange(24)),
                length=rng.choice([2, 3, 4, 9]) * HOUR,
                days=tuple(sorted(rng.sample(range(7), rng.choice([2, 4, 7])))),
            )
            for _ in range(rng.randint(1, 2))
        )
        return Hours(windows=windows, timezone=zone, reserve=minutes(rng.choice([0, 15])))

    specs = [
        a_wave(
            f"wave{n}",
            parallel=rng.randint(1, 3),
            failures=9,
            bake=minutes(rng.choice([0, 90])),
            allow_empty=True,
            hours=hours(),
            max_duration=minutes(rng.choice([30, 90])),
        )
        for n in range(2)
    ]
    snapshot = a_snapshot(*((spec, rng.randint(1, 5)) for spec in specs), deadline=30 * DAY)
    walk = Nightly(rng, RunView(snapshot), calm=calm)
    begins = [EPOCH + rng.randrange(200) * HOUR for _ in range(2)]
    walk.view.thaw(
        tuple(Freeze(name="f", begins=at, ends=at + rng.choice([5, 60]) * HOUR) for at in begins)
    )
    for _ in range(length):
        walk.step()
        if walk.view.run.closed_at is not None:
            break
    return walk


@pytest.fixture(scope="module")
def walks():
    return [a_night_walk(seed) for seed in range(120)]


def test_no_request_is_sent_outside_a_window_or_in_a_freeze_and_each_has_room(walks):
    sent = [(walk, op, at) for walk in walks for op, at in walk.sent]
    assert len(sent) > 300
    for walk, op, at in sent:
        spec = walk.view.waves[op.wave].spec
        closes = open_until(spec.hours, at)
        assert closes is not None, at
        assert at + needed(spec) <= closes
        assert frozen(walk.view.freezes, at) is None


def test_no_vm_is_forgotten_and_every_run_ends(walks):
    for walk in walks:
        assert walk.view.run.closed_at is not None, walk.view.run
        assert all(tally.settled for tally in walk.view.tallies())


@pytest.mark.parametrize("seed", range(200, 240))
def test_where_nothing_fails_every_night_brings_a_run_forward_and_none_back(seed):
    walk = a_night_walk(seed, calm=True)
    assert walk.view.run.status is RunStatus.PASSED
    assert all(isinstance(op.state, s.Succeeded) for op in walk.view.ops.values())
    ended = [
        sum(isinstance(op.state, s.Succeeded) for op in step.snapshot.operations)
        for step in walk.steps
    ]
    assert ended == sorted(ended)
    assert len(walk.sent) == len(walk.view.ops)  # nobody had to be sent twice


def test_vms_are_carried_over_and_never_more_than_allowed(walks):
    carried = [number for walk in walks for number in walk.carried.values()]
    assert len(carried) > 50
    assert max(carried) == 2


def test_some_slots_were_given_back_because_the_window_closed(walks):
    """Else the walks would not test it."""
    waited = [
        op
        for walk in walks
        for step in walk.steps
        for op in step.snapshot.operations
        if isinstance(op.state, s.Queued) and op.state.wait is Wait.WINDOW
    ]
    assert len(waited) > 100


@pytest.mark.parametrize("length", range(1, 120, 7))
def test_a_view_that_waited_for_its_window_equals_the_view_of_its_rows(length):
    walk = a_night_walk(length, length)
    lived, fresh = walk.view, RunView(walk.rows())
    for view in (lived, fresh):
        view.advance(walk.now + minutes(10_000))
    assert lived.indexes() == fresh.indexes()


def test_an_operation_not_begun_needs_no_row_to_wait():
    """What can be derived is not stored: fifty thousand VMs cost no write when a window closes."""
    view = a_view(vms=50)
    plan(view, EPOCH + 12 * HOUR)
    assert all(op.version == an_operation().version for op in view.ops.values())
