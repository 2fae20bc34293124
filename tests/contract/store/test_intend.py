"""What any store owes about the intent: the one row that must be on disk before the one POST."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.model import ActivityId, RunStatus, WaveStatus
from orchestrator.domain.operation import (
    Accepted,
    Began,
    Broke,
    Deferred,
    Doubted,
    Escalated,
    Granted,
    Passed,
    Reported,
)
from orchestrator.domain.record import AttemptEnd, AttemptUpdate, Change, Grant, GrantKind, Lease
from orchestrator.domain.states import FailureClass, Outcome, Wait
from orchestrator.ports import Refused, Saved, Stale
from tests.contract.store.kit import (
    LATER,
    NOW,
    WHY,
    a_fact,
    a_move,
    a_receipt,
    a_run,
    a_wave,
    an_attempt,
    an_intent,
    grown,
    moved,
    opened,
    to_in_progress,
    to_submitting,
    to_verifying,
)


async def prepared(store, name="vm-1", run_id="run-1", plan="monthly"):
    lease, (op,) = await opened(store, name, run_id=run_id, plan=plan)
    return lease, await moved(store, lease, op, Began(NOW))


async def ended(store, lease, op, end: AttemptEnd, *events):
    """Let the operation's attempt end so, and the operation move on."""
    update = AttemptUpdate(attempt=op.state.attempt, ended_at=NOW, end=end)
    first, *rest = events
    move = a_move(op, first, attempt=update)
    assert await store.record(lease, Change(moves=(move,))) == Saved()
    return await moved(store, lease, move.after, *rest)


async def test_an_intent_leaves_the_operation_submitting_and_its_attempt_row(store):
    lease, op = await prepared(store)
    attempt = an_attempt()
    move = an_intent(op, attempt=attempt)
    assert await store.intend(lease, move) == Saved()
    assert (await store.load(op.run_id)).operations == (move.after,)
    (row,) = await store.rows("v_attempts")
    assert row["client_request_id"] == attempt
    assert (row["attempt"], row["end"]) == (1, None)
    (row,) = await store.rows("v_operations")
    assert (row["state"], row["started_at"]) == ("submitting", "2026-11-22T18:00:00.123456Z")


async def test_of_many_intents_for_one_operation_exactly_one_wins(store):
    lease, op = await prepared(store)
    answers = await asyncio.gather(*(store.intend(lease, an_intent(op)) for _ in range(20)))
    assert answers.count(Saved()) == 1
    assert sum(isinstance(answer, Stale) for answer in answers) == 19
    assert len(await store.rows("v_attempts")) == 1


async def test_of_many_runs_that_intend_for_one_vm_exactly_one_wins(store):
    many = [await prepared(store, run_id=f"run-{n}", plan=f"plan-{n}") for n in range(8)]
    answers = await asyncio.gather(*(store.intend(lease, an_intent(op)) for lease, op in many))
    assert answers.count(Saved()) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {"busy"}


@pytest.mark.parametrize("status", [status for status in RunStatus if status != RunStatus.OPEN])
async def test_no_intent_in_a_run_that_is_not_open(store, status):
    lease, op = await prepared(store)
    run = grown(a_run(), status=status)
    await store.record(lease, Change(run=run, facts=(a_fact(),)))
    answer = await store.intend(lease, an_intent(op))
    assert isinstance(answer, Refused)
    assert answer.code == "run_not_open"
    assert status in answer.reason


CANNOT_BE = {WaveStatus.PASSED}
"""With a VM that could still be started no wave passes: the database refuses that (test_guards)."""


@pytest.mark.parametrize("status", sorted(set(WaveStatus) - {WaveStatus.OPEN} - CANNOT_BE))
async def test_no_intent_in_a_wave_that_is_not_open(store, status):
    lease, op = await prepared(store)
    wave = replace(a_wave(), status=status)
    await store.record(lease, Change(waves=(wave,), facts=(a_fact("wave.halted", wave=0),)))
    answer = await store.intend(lease, an_intent(op))
    assert isinstance(answer, Refused)
    assert answer.code == "wave_not_open"


@pytest.mark.parametrize(
    "events",
    [
        to_submitting(),
        (*to_submitting(), Doubted(NOW, LATER, WHY)),
        to_in_progress(),
        to_verifying(),
        (*to_in_progress(), Escalated(NOW, LATER, WHY)),
    ],
    ids=lambda events: type(events[-1]).__name__,
)
async def test_no_intent_for_a_vm_that_another_run_holds(store, events):
    other, (held,) = await opened(store, "vm-1", run_id="run-other", plan="weekly")
    await moved(store, other, held, *events)
    lease, op = await prepared(store)
    answer = await store.intend(lease, an_intent(op))
    assert isinstance(answer, Refused)
    assert answer.code == "busy"
    assert "run-other" in answer.reason


@pytest.mark.parametrize(
    "events",
    [
        (),
        (Began(NOW),),
        (*to_in_progress(), Escalated(NOW, NOW, WHY)),
        (*to_verifying(), Passed(NOW, Outcome.SUCCEEDED, WHY)),
        (*to_verifying(), Broke(NOW, FailureClass.GUEST, WHY)),
    ],
    ids=["queued", "preparing", "lock ran out", "succeeded", "failed"],
)
async def test_an_operation_that_holds_no_vm_is_in_nobodys_way(store, events):
    other, (held,) = await opened(store, "vm-1", run_id="run-other", plan="weekly")
    await moved(store, other, held, *events)
    lease, op = await prepared(store)
    assert await store.intend(lease, an_intent(op)) == Saved()


async def test_a_late_end_is_written_although_another_run_has_begun(store):
    other, (late,) = await opened(store, "vm-1", run_id="run-other", plan="weekly")
    late = await moved(store, other, late, *to_in_progress(), Escalated(NOW, NOW, WHY))
    lease, op = await prepared(store)
    assert await store.intend(lease, an_intent(op)) == Saved()
    await moved(store, other, late, Reported(LATER, LATER, ActivityId("act-1"), None))


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (AttemptEnd.NOT_SENT, True),
        (AttemptEnd.ABANDONED, True),
        (AttemptEnd.REFUSED, True),
        (AttemptEnd.ACCEPTED, False),
        (AttemptEnd.UNKNOWN, False),
    ],
)
async def test_an_attempt_number_is_used_up_once_azure_may_have_taken_it(store, end, left):
    lease, op = await prepared(store)
    op = await moved(store, lease, op, to_submitting()[-1])
    op = await ended(store, lease, op, end, Deferred(NOW, Wait.NOT_SENT, WHY), Began(NOW))
    answer = await store.intend(lease, an_intent(op))
    if left:
        assert answer == Saved()
    else:
        assert isinstance(answer, Refused)
        assert answer.code == "no_attempt_left"


async def test_an_attempt_without_an_end_uses_its_number_up(store):
    lease, op = await prepared(store)
    op = await moved(store, lease, op, to_submitting()[-1])
    op = await moved(store, lease, op, Deferred(NOW, Wait.NOT_SENT, WHY), Began(NOW))
    answer = await store.intend(lease, an_intent(op))
    assert isinstance(answer, Refused)
    assert answer.code == "no_attempt_left"


@pytest.mark.parametrize("granted", [True, False])
async def test_a_second_attempt_needs_its_grant(store, granted):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, *to_in_progress())
    reported = Reported(NOW, LATER, None, None)
    op = await ended(store, lease, op, AttemptEnd.ACCEPTED, reported)
    op = await moved(store, lease, op, Broke(NOW, FailureClass.GUEST, WHY))
    grant = Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=2,
        kind=GrantKind.RETRY,
        actor="ada",
        why="mended",
        at=NOW,
    )
    move = a_move(op, Granted(NOW, Wait.GRANTED, WHY), grant=grant if granted else None)
    await store.record(lease, Change(moves=(move,)))
    op = await moved(store, lease, move.after, Began(LATER))
    answer = await store.intend(lease, an_intent(op, LATER))
    if granted:
        assert answer == Saved()
        (row,) = await store.rows("v_operations")
        assert (row["attempt"], row["started_at"]) == (2, "2026-11-22T18:00:00.123456Z")
    else:
        assert isinstance(answer, Refused)
        assert answer.code == "no_attempt_left"


async def test_no_intent_without_the_lease(store):
    lease, op = await prepared(store)
    foreign = Lease(run_id=lease.run_id, holder="daemon-b", epoch=lease.epoch)
    assert isinstance(await store.intend(foreign, an_intent(op)), Stale)
    assert await store.rows("v_attempts") == []


async def test_what_is_no_intent_is_a_mistake(store):
    lease, (op,) = await opened(store, "vm-1")
    with pytest.raises(TypeError, match="Began"):
        await store.intend(lease, a_move(op, Began(NOW)))


async def test_a_refused_or_guilty_neighbour_leaves_the_others_alone(store):
    ready = [await prepared(store, f"vm-{n}", f"run-{n}", f"plan-{n}") for n in range(4)]
    (lease, op), (halted, waiting), (foreign, other), (last, fourth) = ready
    run = grown(a_run("run-1", "plan-1"), status=RunStatus.HALTED)
    await store.record(halted, Change(run=run, facts=(a_fact(),)))
    answers = await asyncio.gather(
        store.intend(lease, an_intent(op)),
        store.intend(halted, an_intent(waiting)),
        store.intend(replace(foreign, epoch=99), an_intent(other)),
        store.intend(last, replace(an_intent(fourth), event=Began(NOW))),
        store.intend(foreign, an_intent(other)),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Saved, Refused, Stale, TypeError, Saved]
    assert len(await store.rows("v_attempts")) == 2


# --------------------------------------------------------------------------------- receipts


async def test_a_receipt_keeps_urls_of_any_length_as_they_came(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    await moved(store, lease, op, *to_submitting(attempt))
    receipt = a_receipt(attempt, size=20_000)
    await asyncio.gather(*(store.receive(receipt) for _ in range(5)))
    await store.receive(replace(receipt, at=LATER))
    many = [an_attempt() for _ in range(1200)]
    assert await store.receipts([*many, attempt]) == {attempt: receipt}
    assert await store.receipts([]) == {}


async def test_what_a_202_said_is_kept_even_where_its_move_comes_too_late(store):
    lease, (op, other) = await opened(store, "vm-1", "vm-2")
    attempts = [an_attempt(), an_attempt()]
    for each, attempt in zip((op, other), attempts, strict=True):
        await moved(store, lease, each, *to_submitting(attempt))
    stale = Change(moves=(a_move(op, Began(NOW)),))
    taken = replace(lease, epoch=99)
    answers = await asyncio.gather(
        store.accept(lease, a_receipt(attempts[0]), stale),
        store.accept(taken, a_receipt(attempts[1]), Change()),
    )
    assert [type(answer) for answer in answers] == [Stale, Stale]
    assert set(await store.receipts(attempts)) == set(attempts)


async def test_a_vm_is_contested_while_another_attempt_on_it_has_an_unknown_fate(store):
    lease, (one, two) = await opened(store, "vm-1", "vm-2")
    first, second = an_attempt(), an_attempt()
    one = await moved(store, lease, one, *to_submitting(first))
    await moved(store, lease, two, *to_submitting(second))
    vm = one.target.vm_id
    assert not await store.is_contested(vm, first)
    assert await store.is_contested(vm, an_attempt())
    assert await store.is_contested(vm, second)  # whosever it is: the VM counts
    doubted = a_move(
        one,
        Doubted(NOW, LATER, WHY),
        attempt=AttemptUpdate(attempt=first, end=AttemptEnd.UNKNOWN),
    )
    await store.record(lease, Change(moves=(doubted,)))
    assert await store.is_contested(vm, an_attempt())
    await store.receive(a_receipt(first))
    assert not await store.is_contested(vm, an_attempt())


async def test_an_installation_is_known_by_its_receipt_or_by_its_attempt(store):
    lease, (one, two) = await opened(store, "vm-1", "vm-2")
    first, second = an_attempt(), an_attempt()
    await moved(store, lease, one, *to_submitting(first))
    two = await moved(store, lease, two, *to_submitting(second))
    assert not await store.knows(ActivityId("act-1"))
    await store.receive(a_receipt(first))
    assert await store.knows(ActivityId("act-1"))
    update = AttemptUpdate(attempt=second, activity=ActivityId("act-2"))
    adopted = Accepted(NOW, ActivityId("act-2"), LATER, tracked=False)
    await store.record(lease, Change(moves=(a_move(two, adopted, attempt=update),)))
    assert await store.knows(ActivityId("act-2"))
    assert not await store.knows(ActivityId("act-3"))
