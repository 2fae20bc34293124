"""What any store owes about limits and strict budgets: an intent that would exceed one is refused,
whoever else intends at that moment."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from orchestrator.domain.bounds import Bounds, Ceiling, StrictBudget
from orchestrator.domain.operation import (
    Began,
    Broke,
    Doubted,
    Escalated,
    Forgiven,
    Passed,
)
from orchestrator.domain.states import FailureClass, Outcome
from orchestrator.ports import Refused, Saved
from orchestrator.store.opening import open_store
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    WHY,
    a_run,
    a_target,
    a_wave,
    an_intent,
    an_operation,
    moved,
    to_in_progress,
    to_submitting,
    to_verifying,
)
from tests.kit.clock import HandClock

SET = "/subscriptions/s1/availabilitysets/web"
GROUPS = {
    "in_flight": "in_flight",
    "subscription": "subscription:s1",
    "subscription_region": "subscription_region:s1/westeurope",
    "zone": "zone:s1/westeurope/1",
    "availability_set": f"availability_set:{SET}",
    "tag:cluster": "tag:cluster=sql",
}
STOOD = {
    "submitting": to_submitting(),
    "unknown": (*to_submitting(), Doubted(NOW, LATER, WHY)),
    "in_progress": to_in_progress(),
    "verifying": to_verifying(),
    "needs_human": (*to_in_progress(), Escalated(NOW, LATER, WHY)),
}
LEFT = {
    "preparing": (Began(NOW),),
    "failed": (*to_verifying(), Broke(NOW, FailureClass.GUEST, WHY)),
    "succeeded": (*to_verifying(), Passed(NOW, Outcome.SUCCEEDED, WHY)),
    "lock ran out": (*to_in_progress(), Escalated(NOW, NOW, WHY)),
}


def a_member(run_id: str, name: str, **fields):
    target = replace(
        a_target(name), zone="1", availability_set=SET, tags=(("Cluster", "SQL"), ("app", "a"))
    )
    return an_operation(run_id, name, target=target, **fields)


async def a_run_of(store, run_id, *names, waves=1):
    """Open a run whose VMs are in every group; all its waves are open."""
    ops = [a_member(run_id, name, wave=n % waves) for n, name in enumerate(names)]
    opened = [replace(a_wave(n, vms=len(ops)), status=a_wave().status) for n in range(waves)]
    run = a_run(run_id, run_id, waves=waves)
    assert await store.open_run(run, opened, ops, [], None) == Saved()
    lease = await store.claim(run.id, "daemon-a", TTL)
    return lease, ops


async def prepared(store, lease, op):
    return await moved(store, lease, op, Began(NOW))


def at_most(most: int, kind: str = "zone", *, everywhere: bool = True) -> Bounds:
    return Bounds(ceilings=(Ceiling(kind, GROUPS[kind], most, everywhere),))


async def intended(store, lease, op, bounds):
    return await store.intend(lease, an_intent(await prepared(store, lease, op)), bounds)


@pytest.mark.parametrize("kind", GROUPS)
async def test_a_start_beyond_a_limit_is_refused_and_leaves_nothing(store, kind):
    lease, (first, second) = await a_run_of(store, "run-1", "vm-1", "vm-2")
    bounds = at_most(1, kind)
    assert await intended(store, lease, first, bounds) == Saved()
    waiting = await prepared(store, lease, second)
    answer = await store.intend(lease, an_intent(waiting), bounds)
    assert isinstance(answer, Refused)
    assert (answer.code, GROUPS[kind] in answer.reason) == ("limit", True)
    assert waiting in (await store.load(waiting.run_id)).operations
    assert len(await store.rows("v_attempts")) == 1


@pytest.mark.parametrize(("stood", "events"), [*STOOD.items(), *LEFT.items()])
async def test_of_other_runs_those_in_flight_count_and_those_a_person_must_look_at(
    store, stood, events
):
    theirs, (other,) = await a_run_of(store, "run-other", "vm-other")
    await moved(store, theirs, other, *events)
    lease, (op,) = await a_run_of(store, "run-1", "vm-1")
    answer = await intended(store, lease, op, at_most(1))
    assert isinstance(answer, Refused) is (stood in STOOD)
    elsewhere = await store.slots_elsewhere(op.run_id, ["zone", "tag:cluster"], NOW)
    counted = {GROUPS["zone"]: 1, GROUPS["tag:cluster"]: 1}
    assert elsewhere == (counted if stood in STOOD else {})


async def test_a_vm_that_is_not_in_the_group_takes_none_of_its_slots(store):
    run = a_run("run-far", "run-far")
    far = an_operation("run-far", "vm-far", target=replace(a_target("vm-far"), zone="2"))
    assert await store.open_run(run, [a_wave()], [far], [], None) == Saved()
    their_lease = await store.claim(run.id, "daemon-a", TTL)
    await moved(store, their_lease, far, *to_in_progress())
    lease, (op,) = await a_run_of(store, "run-1", "vm-1")
    assert await intended(store, lease, op, at_most(1)) == Saved()


async def test_a_percentage_counts_only_the_runs_own(store):
    theirs, (other,) = await a_run_of(store, "run-other", "vm-other")
    await moved(store, theirs, other, *to_in_progress())
    lease, (first, second) = await a_run_of(store, "run-1", "vm-1", "vm-2")
    own = at_most(1, everywhere=False)
    assert await intended(store, lease, first, own) == Saved()
    answer = await intended(store, lease, second, own)
    assert isinstance(answer, Refused)
    assert "of this run" in answer.reason


async def test_of_many_intents_at_once_only_as_many_pass_as_a_limit_bears(store):
    lease, ops = await a_run_of(store, "run-1", *(f"vm-{n}" for n in range(12)))
    ready = [await prepared(store, lease, op) for op in ops]
    answers = await asyncio.gather(
        *(store.intend(lease, an_intent(op), at_most(5, "tag:cluster")) for op in ready)
    )
    assert answers.count(Saved()) == 5
    assert {a.code for a in answers if isinstance(a, Refused)} == {"limit"}


async def test_an_intent_whose_answer_was_lost_is_not_in_its_own_way(store):
    lease, (op,) = await a_run_of(store, "run-1", "vm-1")
    move = an_intent(await prepared(store, lease, op))
    strict = Bounds(ceilings=at_most(1).ceilings, strict=(StrictBudget(0, 0),))
    assert await store.intend(lease, move, strict) == Saved()
    assert await store.intend(lease, move, strict) == Saved()


# ----------------------------------------------------------------------------------------- strict

WARNED = (*to_verifying(), Passed(NOW, Outcome.WARNED, WHY))


@pytest.mark.parametrize(
    ("events", "warned", "risks"),
    [
        *((events, (), True) for events in STOOD.values()),
        (LEFT["failed"], (), True),
        (LEFT["lock ran out"], (), True),
        (WARNED, (0,), True),
        (WARNED, (1,), False),
        (LEFT["succeeded"], (), False),
        (LEFT["preparing"], (), False),
        ((*LEFT["failed"], Forgiven(NOW, WHY)), (), False),
    ],
)
@pytest.mark.parametrize("wave", [0, None])
async def test_a_strict_budget_bears_a_start_only_beside_less_than_it_allows(
    store, events, warned, risks, wave
):
    lease, (first, second) = await a_run_of(store, "run-1", "vm-1", "vm-2")
    await moved(store, lease, first, *events)
    bounds = Bounds(strict=(StrictBudget(wave, 0),), warned=warned)
    answer = await intended(store, lease, second, bounds)
    assert isinstance(answer, Refused) is risks
    if isinstance(answer, Refused):
        assert answer.code == "budget"


async def test_a_strict_budget_counts_its_own_wave_and_a_runs_counts_all(store):
    lease, (first, second) = await a_run_of(store, "run-1", "vm-1", "vm-2", waves=2)
    await moved(store, lease, first, *to_in_progress())
    whole = await intended(store, lease, second, Bounds(strict=(StrictBudget(None, 0),)))
    assert isinstance(whole, Refused)
    (op,) = [o for o in (await store.load(first.run_id)).operations if o.wave == 1]
    assert await store.intend(lease, an_intent(op), Bounds(strict=(StrictBudget(1, 0),))) == Saved()


async def test_a_strict_budget_counts_no_other_run(store):
    theirs, (other,) = await a_run_of(store, "run-other", "vm-other")
    await moved(store, theirs, other, *to_in_progress())
    lease, (op,) = await a_run_of(store, "run-1", "vm-1")
    assert await intended(store, lease, op, Bounds(strict=(StrictBudget(None, 0),))) == Saved()


async def test_of_many_strict_intents_at_once_one_more_than_allowed_passes(store):
    lease, ops = await a_run_of(store, "run-1", *(f"vm-{n}" for n in range(9)))
    ready = [await prepared(store, lease, op) for op in ops]
    bounds = Bounds(strict=(StrictBudget(0, 2),))
    answers = await asyncio.gather(*(store.intend(lease, an_intent(op), bounds) for op in ready))
    assert answers.count(Saved()) == 3


# ---------------------------------------------------------------------- two daemons at one moment


async def test_two_daemons_that_intend_at_one_moment_exceed_no_limit(migrated_postgres_url):
    """Each writes beside the other's uncommitted starts: the groups are locked before they are
    counted."""
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(open_store(migrated_postgres_url, clock=HandClock()))
            for _ in range(2)
        ]
        asked = []
        for n in range(6):
            store = stores[n % 2]
            lease, ops = await a_run_of(store, f"run-{n}", *(f"vm-{n}-{m}" for m in range(4)))
            asked += [(store, lease, await prepared(store, lease, op)) for op in ops]
        both = Bounds(ceilings=(*at_most(3).ceilings, *at_most(3, "tag:cluster").ceilings))
        answers = await asyncio.gather(
            *(store.intend(lease, an_intent(op), both) for store, lease, op in asked)
        )
    assert answers.count(Saved()) == 3
    assert sum(isinstance(answer, Refused) for answer in answers) == 21
