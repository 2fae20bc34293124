"""The order of starts within a wave: decided when the run opens, and the same wherever it is
decided."""

from datetime import timedelta

import pytest

from orchestrator.domain.durations import Durations, Lasted
from orchestrator.domain.model import Order, PlanSpec, Reboot, RunId
from orchestrator.domain.order import ordered
from orchestrator.domain.waves import Membership, Origin, in_order, open_run
from tests.kit.rows import EPOCH, a_target, a_vm, a_wave

MEMBERS = tuple(a_target(n) for n in range(20))


def names(spec, run_id="run-1", past=(), members=MEMBERS) -> list[int]:
    durations = Durations()
    durations.remember(past, {member.vm_id for member in members})
    return [int(t.name[-4:]) for t in ordered(members, spec, RunId(run_id), durations)]


def test_as_listed_leaves_the_order_alone():
    backwards = MEMBERS[::-1]
    assert names(a_wave(), members=backwards) == list(range(19, -1, -1))


def test_a_shuffle_is_the_same_in_the_same_run_and_another_in_another():
    spec = a_wave(order=Order.SHUFFLE)
    assert names(spec) == names(spec, members=MEMBERS[::-1])
    assert names(spec) != names(spec, "run-2")
    assert sorted(names(spec)) == list(range(20))
    assert names(spec) != list(range(20))


def lasted(vm: int, minutes: float) -> Lasted:
    return Lasted(
        vm_id=a_vm(vm), os="Linux", reboot=Reboot.IF_REQUIRED, lasted=timedelta(minutes=minutes)
    )


def test_the_longest_first_goes_by_each_vms_own_past_and_else_by_its_systems():
    past = [lasted(n, 10) for n in range(3, 20)] * 5 + [lasted(7, 50)] * 9 + [lasted(2, 2)] * 9
    order = names(a_wave(order=Order.LONGEST_FIRST), past=past)
    assert order[0] == 7
    assert order[-1] == 2
    rest = [n for n in order if n not in {7, 2}]
    assert rest[:2] == [0, 1] or rest[-2:] == [0, 1]


def test_without_a_past_the_longest_first_is_as_listed():
    assert names(a_wave(order=Order.LONGEST_FIRST)) == list(range(20))


@pytest.mark.parametrize("order", Order)
def test_a_run_keeps_the_order_as_ranks(order):
    wave = a_wave(order=order)
    plan = PlanSpec(name="monthly", waves=(wave,))
    origin = Origin(run_id=RunId("run-1"), config_hash="", opened_by="ann", now=EPOCH)
    members = Membership(waves=(MEMBERS,), missing=((),), notes=())
    opening = open_run(origin, plan, members, {})
    assert [op.rank for op in opening.operations] == list(range(20))
    assert [op.target for op in opening.operations] == list(
        ordered(MEMBERS, wave, RunId("run-1"), Durations())
    )


def test_before_a_run_opens_no_lots_are_drawn():
    members = Membership(waves=(MEMBERS,), missing=((),), notes=())
    plan = PlanSpec(name="monthly", waves=(a_wave(order=Order.SHUFFLE),))
    assert in_order(plan, members, Durations()) == members
