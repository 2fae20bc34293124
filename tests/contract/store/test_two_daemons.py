"""Two daemons on one PostgreSQL: whatever they do at the same moment, one of them does it."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from orchestrator.domain.model import RunStatus
from orchestrator.domain.operation import Began
from orchestrator.domain.record import Brake, Change
from orchestrator.ports import Refused, Saved, Stale
from orchestrator.store.opening import open_store
from tests.contract.store.kit import (
    NOW,
    TTL,
    a_fact,
    a_move,
    a_receipt,
    a_run,
    a_wave,
    an_attempt,
    an_intent,
    an_operation,
    grown,
    moved,
    opened,
    to_submitting,
)
from tests.contract.store.test_acts import an_act
from tests.contract.store.test_schedules import a_fire
from tests.kit.clock import HandClock

ROUNDS = 10


@pytest.fixture
async def stores(migrated_postgres_url):
    """Give the stores of two daemons."""
    async with AsyncExitStack() as stack:
        opening = [open_store(migrated_postgres_url, clock=HandClock()) for _ in range(2)]
        yield [await stack.enter_async_context(one) for one in opening]


async def each(stores, ask):
    """Let both daemons ask the same at the same moment."""
    return await asyncio.gather(*(ask(store) for store in stores))


async def test_a_vm_is_intended_by_one_of_two_runs(stores):
    for n in range(ROUNDS):
        ready = []
        for side, store in enumerate(stores):
            run_id = f"run-{n}-{side}"
            lease, (op,) = await opened(store, f"vm-{n}", run_id=run_id, plan=run_id)
            ready.append((lease, await moved(store, lease, op, Began(NOW))))
        answers = await asyncio.gather(
            *(
                store.intend(lease, an_intent(op))
                for store, (lease, op) in zip(stores, ready, strict=True)
            )
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "Saved"]
        assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"busy"}


async def test_an_operation_is_intended_once_even_under_one_lease(stores):
    lease, ops = await opened(stores[0], *(f"vm-{n}" for n in range(ROUNDS)))
    for op in ops:
        ready = await moved(stores[0], lease, op, Began(NOW))
        answers = await each(stores, lambda store: store.intend(lease, an_intent(ready)))  # noqa: B023 - awaited in this round
        assert sorted(type(answer).__name__ for answer in answers) == ["Saved", "Stale"]


async def test_a_run_a_fire_a_claim_and_an_act_are_one(stores):
    for n in range(ROUNDS):
        name = f"run-{n}"
        rivals = iter([a_run(f"{name}-a", name), a_run(f"{name}-b", name)])
        answers = await each(stores, lambda store: store.open_run(next(rivals), [], [], [], None))  # noqa: B023 - awaited in this round
        assert answers.count(Saved()) == 1
        assert sorted(await each(stores, lambda store: store.fire(a_fire(name)))) == [False, True]  # noqa: B023 - awaited in this round
        (run_id,) = (run for run in await stores[0].open_runs() if run.startswith(f"{name}-"))
        holders = iter("ab")
        leases = await each(stores, lambda store: store.claim(run_id, next(holders), TTL))  # noqa: B023 - awaited in this round
        assert leases.count(None) == 1
        await each(stores, lambda store: store.ask(an_act(name, run_id=run_id)))  # noqa: B023 - awaited in this round
        assert len((await stores[1].heed(run_id)).acts) == 1
    for run_id in (*await stores[0].open_runs(), ""):
        assert await stores[0].verify_chain(run_id) is None


async def test_a_halt_and_an_intent_never_both_win_out_of_order(stores):
    """Whichever commits first, no attempt row is younger than the halt (INV-6)."""
    for n in range(ROUNDS):
        name = f"run-{n}"
        lease, (op,) = await opened(stores[0], f"vm-{n}", run_id=name, plan=name)
        op = await moved(stores[0], lease, op, Began(NOW))
        run = grown(a_run(name, name), status=RunStatus.HALTED)
        halt = Change(run=run, facts=(a_fact(),))
        halted, intended = await asyncio.gather(
            stores[1].record(lease, halt), stores[0].intend(lease, an_intent(op))
        )
        assert halted == Saved()
        events = [row["event"] for row in await stores[0].rows("v_events", run_id=name)]
        if intended == Saved():
            assert events.index("operation.intended") < events.index("run.halted")
        else:
            assert isinstance(intended, Refused)
            assert "operation.intended" not in events


async def test_a_change_waits_for_whoever_takes_its_lease(stores):
    lease, (op,) = await opened(stores[0], "vm-1")
    expired = await stores[0].claim(lease.run_id, "daemon-a", -TTL)
    taken, answer = await asyncio.gather(
        stores[1].claim(lease.run_id, "daemon-b", TTL),
        stores[0].record(expired, Change(moves=(a_move(op, Began(NOW)),))),
    )
    assert taken is not None
    assert answer == Saved() or isinstance(answer, Stale)
    late = await stores[0].record(expired, Change(facts=(a_fact(),)))
    assert isinstance(late, Stale)


async def test_a_receipt_is_kept_whoever_brings_it(stores):
    lease, (op,) = await opened(stores[0], "vm-1")
    attempt = an_attempt()
    await moved(stores[0], lease, op, *to_submitting(attempt))
    await each(stores, lambda store: store.receive(a_receipt(attempt)))
    assert await stores[1].receipts([attempt]) == {attempt: a_receipt(attempt)}


async def test_a_crossed_wait_ends_and_both_are_answered(stores):
    """Two daemons that lock the same rows the other way round: the database ends it."""
    ops = [an_operation("run-1", f"vm-{n}") for n in range(2)]
    await stores[0].open_run(a_run(), [a_wave()], ops, [], None)
    lease = await stores[0].claim(ops[0].run_id, "daemon-a", TTL)
    moves = [a_move(op, Began(NOW)) for op in ops]
    answers = await asyncio.gather(
        *(
            store.record(lease, Change(moves=tuple(order)))
            for order in (moves, moves[::-1])
            for store in stores
        )
    )
    assert answers.count(Saved()) == 1
    assert [op.version for op in (await stores[0].load(ops[0].run_id)).operations] == [1, 1]


async def test_an_intent_that_read_the_brake_before_it_was_drawn_commits_before_it(stores):
    for n in range(ROUNDS):
        name = f"run-{n}"
        lease, (op,) = await opened(stores[0], f"vm-{n}", run_id=name, plan=name)
        op = await moved(stores[0], lease, op, Began(NOW))
        brake = Brake(at=NOW, actor="ann", because="stop")
        drawn, intended = await asyncio.gather(
            stores[1].halt_all(brake), stores[0].intend(lease, an_intent(op))
        )
        assert drawn
        again = await stores[0].intend(lease, an_intent(op))
        assert isinstance(again, Refused | Stale)
        assert isinstance(intended, Saved | Refused)
        assert await stores[1].resume_all(NOW, "ann", "go on")
