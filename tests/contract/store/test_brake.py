"""What any store owes about the fleet-wide halt: nothing begins once it is drawn."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.exc import DatabaseError

from orchestrator.domain.operation import Began
from orchestrator.domain.record import Brake
from orchestrator.ports import Refused, Saved
from tests.contract.store.kit import (
    LATER,
    NOW,
    a_run,
    a_wave,
    an_attempt,
    an_intent,
    an_operation,
    moved,
    opened,
)

BRAKE = Brake(at=NOW, actor="ann", because="a bad patch is out")


async def test_without_it_nothing_is_halted(store):
    assert await store.brake() is None
    assert not await store.resume_all(NOW, "ann", "nothing to lift")


async def test_it_holds_until_it_is_lifted_and_the_first_who_drew_it_is_named(store):
    assert await store.halt_all(BRAKE)
    assert not await store.halt_all(replace(BRAKE, actor="bob", at=LATER))
    assert await store.brake() == BRAKE
    assert await store.resume_all(LATER, "bob", "the patch is pulled")
    assert not await store.resume_all(LATER, "bob", "again")
    assert await store.brake() is None


async def test_who_drew_and_lifted_it_and_why_is_in_the_systems_log(store):
    await store.halt_all(BRAKE)
    await store.resume_all(LATER, "bob", "the patch is pulled")
    lines = await store.rows("v_events")
    assert [(line["run_id"], line["event"], line["actor"], line["why"]) for line in lines] == [
        (None, "fleet.halted", "ann", "a bad patch is out"),
        (None, "fleet.resumed", "bob", "the patch is pulled"),
    ]
    assert await store.verify_chain("") is None


async def test_no_intent_is_written_while_it_holds_and_what_runs_goes_on(store):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, Began(NOW))
    await store.halt_all(BRAKE)
    answer = await store.intend(lease, an_intent(op))
    assert isinstance(answer, Refused)
    assert (answer.code, BRAKE.because in answer.reason) == ("halted_all", True)
    await store.resume_all(LATER, "bob", "go on")
    assert await store.intend(lease, an_intent(op)) == Saved()


async def test_no_run_opens_while_it_holds(store):
    await store.halt_all(BRAKE)
    answer = await store.open_run(a_run(), [a_wave()], [an_operation("run-1", "vm-1")], [], None)
    assert isinstance(answer, Refused)
    assert (answer.code, BRAKE.because in answer.reason) == ("halted_all", True)
    assert await store.open_runs() == []


async def test_the_database_itself_refuses_an_attempt_while_it_holds(store, raw):
    await opened(store, "vm-1")
    await store.halt_all(BRAKE)
    with pytest.raises(DatabaseError, match="everything is halted"):
        await raw(
            "INSERT INTO attempt (id, run_id, vm_id, number, intent_at, holder, epoch)"
            " SELECT :id, run_id, vm_id, 1, :at, 'x', 1 FROM operation",
            id=an_attempt(),
            at=NOW,
        )


async def test_the_row_stays(store, raw):
    with pytest.raises(DatabaseError, match="brake is kept"):
        await raw("DELETE FROM brake")


async def test_of_many_who_draw_it_at_once_one_does(store):
    drawn = await asyncio.gather(
        *(store.halt_all(replace(BRAKE, actor=f"p-{n}")) for n in range(5))
    )
    assert sorted(drawn) == [False] * 4 + [True]


async def test_no_intent_commits_after_it_was_drawn(store):
    """Whichever commits first: where the halt was first, there is no attempt."""
    for n in range(5):
        lease, (op,) = await opened(store, f"vm-{n}", run_id=f"run-{n}", plan=f"plan-{n}")
        op = await moved(store, lease, op, Began(NOW))
        intended, drawn = await asyncio.gather(
            store.intend(lease, an_intent(op)), store.halt_all(BRAKE)
        )
        assert drawn
        attempts = await store.rows("v_attempts", run_id=op.run_id)
        assert len(attempts) == (1 if intended == Saved() else 0)
        await store.resume_all(LATER, "bob", "next round")
