"""Limits: which groups a VM is in, how many of each may start, and what the blocked cost."""

from dataclasses import replace

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.limits import ceilings, group_of
from orchestrator.domain.model import AttemptId, GroupLimit, Limits, Share, Target
from orchestrator.domain.ready import Ready
from orchestrator.domain.rollout import Start, plan
from orchestrator.domain.slots import Slots
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import waits
from tests.kit.rows import (
    EPOCH,
    SUBSCRIPTION,
    a_snapshot,
    a_target,
    a_vm,
    a_wave,
    an_operation,
    minutes,
    opened,
)

PLACE = (SUBSCRIPTION, "westeurope")
LOCKED = s.NeedsHuman(AttemptId("a"), None, EPOCH, EPOCH + minutes(60), s.Why("code", "text"))


def per(kind: str, **most: int) -> Limits:
    return Limits(per=(GroupLimit(kind=kind, most=Share(**most)),))


def somewhere(**fields) -> Target:
    return replace(a_target(1), **fields)


@pytest.mark.parametrize(
    ("kind", "target", "group"),
    [
        ("in_flight", somewhere(), "in_flight"),
        ("subscription", somewhere(), f"subscription:{SUBSCRIPTION}"),
        ("subscription_region", somewhere(), f"subscription_region:{SUBSCRIPTION}/westeurope"),
        ("zone", somewhere(zone="1"), f"zone:{SUBSCRIPTION}/westeurope/1"),
        ("zone", somewhere(), None),
        ("availability_set", somewhere(availability_set="/set"), "availability_set:/set"),
        ("availability_set", somewhere(), None),
        ("tag:Cluster", somewhere(tags=(("cluster", "SQL-1"),)), "tag:cluster=sql-1"),
        ("tag:cluster", somewhere(tags=(("app", "web"),)), None),
        ("tag:cluster", somewhere(tags=(("cluster", ""),)), None),
    ],
)
def test_a_vm_is_in_the_group_that_its_place_or_tag_names(kind, target, group):
    assert group_of(kind, target) == group


@pytest.mark.parametrize(
    ("limits", "vms", "most", "everywhere"),
    [
        (Limits(in_flight=400), 10, 400, True),
        (per("zone", count=3), 10, 3, True),
        (per("zone", percent=50), 10, 5, False),
        (per("zone", percent=50), 3, 1, False),
        (per("zone", percent=20), 4, 1, False),  # a permission is never below one
        (per("zone", percent=100), 4, 4, False),
    ],
)
def test_a_count_holds_over_all_runs_and_a_percentage_of_the_runs_own_vms(
    limits, vms, most, everywhere
):
    found = ceilings(limits, [replace(a_target(n), zone="1") for n in range(vms)])
    (ceiling,) = found.values()
    assert (ceiling.most, ceiling.everywhere) == (most, everywhere)


def a_view(limits: Limits, zones: str, **wave) -> RunView:
    """Return a run with one VM for each letter of `zones`; `-` is in none."""
    rows = a_snapshot((a_wave(**wave), len(zones)), limits=limits)
    ops = [
        replace(op, target=replace(op.target, zone="" if zone == "-" else zone), rank=rank)
        for rank, (op, zone) in enumerate(zip(rows.operations, zones, strict=True))
    ]
    return opened(RunView(replace(rows, operations=tuple(ops))), allowed=99)


def starting(view: RunView, now=EPOCH) -> list[int]:
    view.run = replace(view.run, reminded_at=now)  # a reminder comes before starts
    commands = plan(view, now).commands
    return [int(c.op.target.name[-4:]) for c in commands if isinstance(c, Start)]


def test_the_blocked_let_the_others_pass_in_their_order():
    assert starting(a_view(per("zone", count=1), "1121-23")) == [0, 2, 4, 6]


def test_all_limits_hold_at_once():
    limits = Limits(in_flight=3, per=per("zone", count=1).per)
    assert starting(a_view(limits, "1121-23")) == [0, 2, 4]


def test_a_slot_that_is_given_back_goes_to_whoever_waits_longest_for_it():
    view = a_view(per("zone", count=1), "1112")
    view.put(replace(view.ops[a_vm(0)], state=s.Preparing(EPOCH)))
    assert starting(view) == [3]
    view.put(replace(view.ops[a_vm(0)], state=s.Skipped(EPOCH, s.Why("code", "text"))))
    assert starting(view) == [1, 3]


def test_whoever_is_taken_up_has_its_slots_before_its_row_says_so():
    view = a_view(per("zone", count=1), "111")
    view.take(a_vm(0))
    assert starting(view) == []
    view.give_back(a_vm(0))
    assert starting(view) == [0]


def test_what_other_runs_hold_counts_for_a_count_and_not_for_a_percentage():
    group = f"zone:{SUBSCRIPTION}/westeurope/1"
    for limits, started in ((per("zone", count=2), [0]), (per("zone", percent=50), [0, 1])):
        view = a_view(limits, "1111")
        view.slots.hear({group: 1, "zone:elsewhere": 7})
        assert starting(view) == started
        view.slots.hear({})
        assert starting(view) == [0, 1]


def test_a_vm_that_needs_a_person_keeps_its_slot_until_its_lock_runs_out():
    view = a_view(per("zone", count=1), "11")
    view.put(replace(view.ops[a_vm(0)], state=LOCKED))
    view.advance(EPOCH + minutes(59))
    assert starting(view, EPOCH + minutes(59)) == []
    assert plan(view, EPOCH + minutes(59)).wake_at == EPOCH + minutes(60)
    view.advance(EPOCH + minutes(60))
    assert starting(view, EPOCH + minutes(60)) == [1]


def test_whoever_waits_for_a_slot_can_say_for_which():
    view = a_view(per("zone", count=1), "11")
    view.put(replace(view.ops[a_vm(0)], state=s.Preparing(EPOCH)))
    (reason,) = waits(view, EPOCH)
    assert reason == (
        f"a limit: zone:{SUBSCRIPTION}/westeurope/1: 1 in flight over all runs, 1 allowed"
    )


def test_who_was_deferred_goes_behind_those_who_were_not():
    view = a_view(Limits(), "-----", parallel=2)
    deferred = s.Queued(None, s.Wait.NOT_SENT, s.Why("not_sent", "text"))
    view.put(replace(view.ops[a_vm(0)], state=deferred))
    assert starting(view) == [1, 2, 3, 4, 0]


class Counted(Slots):
    """Slots that count how often they are asked for room."""

    asked = 0

    def room(self, group: str) -> int:
        self.asked += 1
        return super().room(group)


def test_a_thousand_blocked_queues_cost_one_event_no_more_than_a_few():
    """Each VM is a cluster of its own, and the whole run may have one VM in flight."""
    limits = Limits(in_flight=1, per=per("tag:cluster", count=1).per)
    ops = [
        an_operation(n, target=replace(a_target(n), tags=(("cluster", str(n)),)))
        for n in range(1_000)
    ]
    slots = Counted(limits, ops)
    ready = Ready(slots)
    for n, op in enumerate(ops):
        ready.put(op.target.vm_id, 1, PLACE, n)
    assert list(ready.pick(1, 5, EPOCH, ())) == [a_vm(0)]  # looks at each queue once
    for n in range(100):
        ready.remove(a_vm(n))
        slots.put(ops[n], begun=True)
        slots.asked = 0
        assert list(ready.pick(1, 5, EPOCH, ())) == []
        slots.put(ops[n], begun=False)
        assert list(ready.pick(1, 5, EPOCH, ())) == [a_vm(n + 1)]
        assert slots.asked < 20
