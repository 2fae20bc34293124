"""How long a plan is foreseen to take, and who moves when it changes: on values."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from orchestrator.domain.durations import Durations, Lasted
from orchestrator.domain.forecast import forecast as foreseen
from orchestrator.domain.model import (
    Freeze,
    GroupLimit,
    Hours,
    Limits,
    PlanSpec,
    Reboot,
    Selection,
    Share,
    StagedReboot,
    Target,
    Tolerance,
    VmId,
    WaveSpec,
    Window,
)
from orchestrator.domain.moving import NOWHERE, Moved, moves, places
from orchestrator.domain.waves import Membership
from tests.kit.rows import EPOCH

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = EPOCH + 12 * HOUR
NIGHT = Hours(windows=(Window(start=time(22), length=4 * HOUR),))


def a_vm(number: int, region: str = "westeurope") -> Target:
    return Target(
        vm_id=VmId(f"/vm-{number}"),
        name=f"vm-{number}",
        subscription_id="s",
        resource_group="rg",
        region=region,
        os="Linux",
    )


def a_plan(*waves: WaveSpec, **given) -> PlanSpec:
    return PlanSpec(name="p", waves=waves, **given)


def a_wave(name: str = "w", **given) -> WaveSpec:
    return WaveSpec(name=name, select=Selection(tags=(("a", ("b",)),)), **given)


def members(*waves: tuple[Target, ...]) -> Membership:
    none = tuple(() for _ in waves)
    return Membership(waves=waves, missing=none, excluded=none, notes=())


def forecast(*given, opens_at=EPOCH, **more):
    return foreseen(*given, opens_at=opens_at, **more)


def all_lasting(length: timedelta, number: int = 2_000) -> Durations:
    known = Durations()
    past = [
        Lasted(vm_id=VmId("/x"), os="Linux", reboot=Reboot.IF_REQUIRED, lasted=length)
        for _ in range(number)
    ]
    known.remember(past, ())
    return known


def about(length: timedelta) -> object:
    return pytest.approx(length.total_seconds(), rel=0.2)


@pytest.mark.parametrize(
    ("vms", "parallel", "rounds"), [(8, 1, 8), (8, 4, 2), (9, 4, 3), (8, 100, 1), (1, 5, 1)]
)
def test_a_wave_takes_as_many_rounds_as_its_slots_leave(vms, parallel, rounds):
    plan = a_plan(a_wave(max_parallel=Share(count=parallel)))
    found = forecast(plan, members(tuple(map(a_vm, range(vms)))), all_lasting(20 * MINUTE))
    assert found.usual.total_seconds() == about(rounds * 20 * MINUTE)
    assert found.waves[0].careful >= found.waves[0].usual


def test_shares_are_fixed_as_counts_as_a_run_would_fix_them():
    plan = a_plan(a_wave(max_parallel=Share(percent=10), allow_failures=Tolerance(percent=10)))
    (wave,) = forecast(plan, members(tuple(map(a_vm, range(57)))), Durations()).waves
    assert (wave.vms, wave.max_parallel, wave.allowed) == (57, 5, 5)
    (small,) = forecast(a_plan(a_wave()), members(tuple(map(a_vm, range(7)))), Durations()).waves
    assert (small.max_parallel, small.allowed) == (1, 0)


def test_azure_takes_six_hundred_at_once_in_a_region_and_two_hundred_a_minute_more():
    plan, known = a_plan(a_wave(max_parallel=Share(percent=100))), all_lasting(20 * MINUTE)
    here = tuple(a_vm(n) for n in range(1_600))
    crowded = forecast(plan, members(here), known).usual
    spread = tuple(a_vm(n, region=f"region-{n % 4}") for n in range(1_600))
    assert crowded - forecast(plan, members(spread), known).usual == 5 * MINUTE


def test_an_installation_is_not_foreseen_to_last_longer_than_it_may():
    plan = a_plan(a_wave(max_duration=30 * MINUTE))
    found = forecast(plan, members((a_vm(1),)), all_lasting(timedelta(hours=3)))
    assert found.usual == 30 * MINUTE


def test_bakes_count_and_the_deadline_is_compared_with_long_installations():
    waves = (a_wave("a", bake=timedelta(days=2)), a_wave("b"))
    plan = a_plan(*waves, deadline=timedelta(days=3))
    found = forecast(plan, members((a_vm(1),), (a_vm(2),)), all_lasting(20 * MINUTE))
    assert timedelta(days=2) < found.usual <= found.careful < timedelta(days=3)
    assert found.fits
    assert not replace(found, deadline=timedelta(days=2)).fits


def test_an_empty_wave_takes_no_time():
    assert forecast(a_plan(a_wave()), members(()), Durations()).usual == timedelta(0)


def test_a_run_waits_for_its_windows_and_goes_on_the_next_night():
    """One at a time, an hour and a half each: two fit into a night, the third waits for the next
    one."""
    plan = a_plan(a_wave(hours=NIGHT, max_parallel=Share(count=1)))
    vms = members(tuple(map(a_vm, range(3))))
    found = forecast(plan, vms, all_lasting(90 * MINUTE), opens_at=NOON)
    (wave,) = found.waves
    assert wave.begins == EPOCH + 22 * HOUR
    assert EPOCH + DAY + 22 * HOUR < wave.ends <= EPOCH + DAY + 24 * HOUR
    assert wave.ends == NOON + found.usual
    assert found.fits


def test_the_next_wave_begins_after_the_bake_and_in_its_own_window():
    late = Hours(windows=(Window(start=time(1), length=2 * HOUR),))
    plan = a_plan(a_wave("a", hours=NIGHT, bake=DAY), a_wave("b", hours=late))
    vms = members((a_vm(1),), (a_vm(2),))
    found = forecast(plan, vms, all_lasting(20 * MINUTE), opens_at=NOON)
    assert found.waves[1].begins == EPOCH + 2 * DAY + HOUR


def test_a_freeze_moves_what_is_left_to_the_window_after_it():
    plan = a_plan(a_wave(hours=NIGHT))
    freeze = Freeze(name="x", begins=EPOCH + 23 * HOUR, ends=EPOCH + 5 * DAY + 3 * HOUR)
    vms, known = members(tuple(map(a_vm, range(2)))), all_lasting(80 * MINUTE)
    found = forecast(plan, vms, known, opens_at=NOON, freezes=(freeze,))
    assert found.waves[0].begins == EPOCH + 22 * HOUR
    assert found.waves[0].ends > EPOCH + 5 * DAY + 22 * HOUR


def test_a_phase_of_reboots_counts_as_if_every_vm_needed_one():
    plan = a_plan(
        a_wave(max_parallel=Share(count=4), staged=StagedReboot(max_parallel=Share(count=2))),
        a_wave(max_parallel=Share(count=4)),
    )
    eight = tuple(map(a_vm, range(8)))
    staged, plain = forecast(plan, members(eight, eight), all_lasting(20 * MINUTE)).waves
    assert staged.usual == plain.usual + 4 * 5 * MINUTE
    assert staged.careful == plain.careful + 4 * 15 * MINUTE


def test_as_many_are_restarted_at_once_as_are_patched_unless_the_phase_says_otherwise():
    plan = a_plan(
        a_wave(max_parallel=Share(count=4), staged=StagedReboot()),
        a_wave(max_parallel=Share(count=4)),
    )
    eight = tuple(map(a_vm, range(8)))
    staged, plain = forecast(plan, members(eight, eight), all_lasting(20 * MINUTE)).waves
    assert staged.usual == plain.usual + 2 * 5 * MINUTE


def test_a_phase_of_reboots_waits_for_its_own_window_and_what_finds_none_is_counted():
    """One at a time, with room for a quarter of an hour, which a long one takes: one fits into a
    window of twenty minutes, and there are two nights before the deadline."""
    small = Hours(windows=(Window(start=time(2), length=20 * MINUTE),), reserve=15 * MINUTE)
    phase = StagedReboot(hours=small, max_parallel=Share(count=1))
    plan = a_plan(a_wave(hours=NIGHT, max_parallel=Share(count=5), staged=phase), deadline=2 * DAY)
    known = all_lasting(20 * MINUTE)
    (wave,) = forecast(plan, members((a_vm(1),)), known, opens_at=NOON).waves
    assert wave.ends == EPOCH + DAY + 2 * HOUR + 5 * MINUTE
    (wave,) = forecast(plan, members(tuple(map(a_vm, range(5)))), known, opens_at=NOON).waves
    assert wave.left == 3


def test_vms_that_find_no_window_before_the_deadline_are_counted_and_nothing_fits():
    plan = a_plan(a_wave(hours=NIGHT, max_parallel=Share(count=1)), deadline=DAY)
    vms = members(tuple(map(a_vm, range(5))))
    found = forecast(plan, vms, all_lasting(90 * MINUTE), opens_at=NOON)
    assert found.left == 3
    assert not found.fits


@pytest.mark.parametrize("hours", [Hours(), NIGHT], ids=["without a window", "with one"])
def test_what_does_not_fit_is_as_long_as_the_deadline_and_every_later_wave_is_left_over(hours):
    waves = (a_wave(max_parallel=Share(count=1), hours=hours), a_wave("after", hours=hours))
    plan, eight = a_plan(*waves, deadline=12 * HOUR), tuple(map(a_vm, range(20)))
    found = forecast(plan, members(eight, eight), all_lasting(90 * MINUTE), opens_at=NOON)
    assert found.careful >= found.usual >= plan.deadline
    assert 0 < found.waves[0].unstarted <= found.waves[0].left < 20
    assert (found.waves[1].unstarted, found.waves[1].left) == (20, 20)
    assert not found.fits


STRICT = Tolerance(count=1, strict=True)


@pytest.mark.parametrize(
    ("wave", "whole", "rounds"),
    [
        ({"allow_failures": STRICT}, {}, 4),
        ({}, {"allow_failures": STRICT}, 4),
        ({}, {"limits": Limits(in_flight=4)}, 2),
        ({}, {"limits": Limits(per=(GroupLimit(kind="subscription", most=Share(count=1)),))}, 8),
        ({}, {"limits": Limits(per=(GroupLimit(kind="zone", most=Share(count=1)),))}, 1),
        ({"ramp": (Share(count=1), Share(count=8))}, {}, 2),
    ],
    ids=["strict", "strict run", "in_flight", "subscription", "no group", "ramp"],
)
def test_what_bounds_a_run_bounds_what_is_foreseen(wave, whole, rounds):
    plan = a_plan(a_wave(max_parallel=Share(count=8), **wave), **whole)
    found = forecast(plan, members(tuple(map(a_vm, range(8)))), all_lasting(20 * MINUTE))
    assert found.usual.total_seconds() == about(rounds * 20 * MINUTE)


def test_a_limit_of_a_group_holds_its_own_vms_alone():
    limits = Limits(per=(GroupLimit(kind="subscription_region", most=Share(count=1)),))
    plan = a_plan(a_wave(max_parallel=Share(count=8)), limits=limits)
    spread = tuple(a_vm(n, region=f"region-{n % 4}") for n in range(8))
    found = forecast(plan, members(spread), all_lasting(20 * MINUTE))
    assert found.usual.total_seconds() == about(2 * 20 * MINUTE)


def test_a_vm_moves_when_it_is_in_another_wave_than_before():
    plan = a_plan(a_wave("a"), a_wave("b"))
    before = places(plan, members((a_vm(1), a_vm(2), a_vm(3)), (a_vm(4),)))
    after = places(plan, members((a_vm(1),), (a_vm(2), a_vm(3), a_vm(5))))
    assert moves(before, after) == (
        Moved(before="a", after="b", vms=(VmId("/vm-2"), VmId("/vm-3"))),
        Moved(before=NOWHERE, after="b", vms=(VmId("/vm-5"),)),
        Moved(before="b", after=NOWHERE, vms=(VmId("/vm-4"),)),
    )
    assert moves(before, before) == ()
