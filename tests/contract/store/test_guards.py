"""What the database refuses by itself, whoever asks and whatever our statements forgot."""

# ruff: noqa: S608 - a test puts together what it meddles with

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from orchestrator.domain.gate import Approval
from orchestrator.domain.model import AttemptId, RunId
from orchestrator.domain.operation import Accepted, Began, Escalated, Intended, transition
from orchestrator.domain.states import (
    STATE_NAMES,
    Cancelled,
    Conflict,
    Failed,
    FailureClass,
    InProgress,
    NeedsHuman,
    Outcome,
    Preparing,
    Queued,
    Rebooting,
    RebootQueued,
    Skipped,
    Submitting,
    Succeeded,
    Unknown,
    Verifying,
)
from orchestrator.ports import Saved
from orchestrator.store.guards import MOVES, guards
from tests.contract.store.kit import (
    LATER,
    NOW,
    WHY,
    a_receipt,
    a_run,
    a_vm,
    a_wave,
    an_attempt,
    an_operation,
    opened,
    to_in_progress,
    to_verifying,
)
from tests.contract.store.kit import moved as moved_to
from tests.contract.store.strategies import EVENTS, may_happen
from tests.contract.store.test_acts import an_act
from tests.contract.store.test_schedules import a_fire

A = AttemptId("a")
STATES = (
    Queued(),
    Preparing(NOW),
    Submitting(A, NOW, None),
    Unknown(A, NOW, None, NOW, LATER, WHY),
    Unknown(A, NOW, None, NOW, LATER, WHY, conflict=Conflict.BUSY),
    InProgress(A, NOW, None, NOW, LATER, tracked=True),
    Verifying(A, None, NOW, LATER, None),
    RebootQueued(NOW, None, None),
    Rebooting(A, NOW, None, None),
    Rebooting(A, NOW, None, None, NOW, LATER),
    NeedsHuman(A, None, NOW, LATER, WHY),
    Succeeded(NOW, Outcome.WARNED, WHY),
    Failed(NOW, FailureClass.GUEST, WHY),
    Skipped(NOW, WHY),
    Cancelled(NOW, WHY),
)
BY_NAME = {STATE_NAMES[type(state)]: state for state in STATES}
MOVE = "UPDATE operation SET state = :state, version = version + 1, attempt_id = :attempt"
ATTEMPT = (
    "INSERT INTO attempt (id, run_id, vm_id, number, intent_at, holder, epoch)"
    " VALUES (:id, 'run-1', :vm, :number, '2026-11-22T18:00:00.000000Z', 'a', 1)"
)


async def is_refused(raw, statement, **values) -> str | None:
    """Return what the database says against a statement, or None when it lets it pass."""
    try:
        await raw(statement, **values)
    except IntegrityError as error:
        return str(error.orig)
    return None


def test_the_graph_is_what_transition_permits():
    permitted = {
        (STATE_NAMES[type(op.state)], STATE_NAMES[type(transition(op, event).state)])
        for op in (an_operation("run-1", "vm-1", state=state) for state in STATES)
        for event in EVENTS
        if may_happen(op, event)
    }
    assert permitted == MOVES


async def test_each_move_of_the_graph_is_let_pass_and_each_other_is_refused(store, raw):
    pairs = [(before, after) for before in BY_NAME for after in BY_NAME]
    ops = [an_operation("run-1", f"{a}>{b}", state=BY_NAME[a]) for a, b in pairs]
    assert await store.open_run(a_run(), [a_wave()], ops, [], None) == Saved()
    passed = set()
    for before, after in pairs:
        vm, attempt = a_vm(f"{before}>{after}"), None
        if after in {"submitting", "rebooting"}:
            attempt = f"{before}>{after}"
            await raw(ATTEMPT, id=attempt, vm=vm, number=1)
        statement = f"{MOVE} WHERE vm_id = :vm"
        if before == after:
            statement = "UPDATE operation SET forgiven = :on, version = version + 1"
            refused = await is_refused(raw, f"{statement} WHERE vm_id = :vm", on=True, vm=vm)
        else:
            refused = await is_refused(raw, statement, state=after, attempt=attempt, vm=vm)
        if refused is None:
            passed.add((before, after))
    assert passed == MOVES


@pytest.mark.parametrize(
    "setting",
    [
        "outcome = 'succeeded', version = version + 1",
        "finished_at = NULL, version = version + 1",
        "failure_class = 'guest', version = version + 1",
        "forgiven = NOT forgiven",
        "forgiven = NOT forgiven, version = version + 2",
        "wave = 1, version = version + 1",
        "vm_id = 'another', version = version + 1",
    ],
)
async def test_an_ended_operation_changes_in_nothing_but_forgiveness(store, raw, setting):
    op = an_operation("run-1", "vm-1", state=BY_NAME["failed"])
    ended = an_operation("run-1", "vm-2", state=Succeeded(NOW, Outcome.WARNED, WHY))
    waves = [a_wave(0), a_wave(1)]
    await store.open_run(a_run(waves=2), waves, [op, ended], [], None)
    vm = a_vm("vm-1" if "succeeded" in setting else "vm-2")
    assert await is_refused(raw, f"UPDATE operation SET {setting} WHERE vm_id = :vm", vm=vm)


async def test_nothing_submits_without_the_row_of_its_attempt(store, raw):
    ops = [an_operation("run-1", name, state=Preparing(NOW)) for name in ("vm-1", "vm-2")]
    await store.open_run(a_run(), [a_wave()], ops, [], None)
    values = {"state": "submitting", "attempt": "a", "vm": a_vm("vm-1")}
    assert await is_refused(raw, f"{MOVE} WHERE vm_id = :vm", **values)
    await raw(ATTEMPT, id="a", vm=a_vm("vm-2"), number=1)
    assert await is_refused(raw, f"{MOVE} WHERE vm_id = :vm", **values)
    await raw(ATTEMPT, id="b", vm=a_vm("vm-1"), number=1)
    assert not await is_refused(raw, f"{MOVE} WHERE vm_id = :vm", **{**values, "attempt": "b"})


@pytest.mark.parametrize(
    ("meddling", "refused"),
    [
        ("UPDATE run SET reason = 'none', version = version + 1", False),
        ("UPDATE run SET status = 'halted', version = version + 1", True),
        ("UPDATE run SET status = 'paused', version = version + 1", True),
        ("UPDATE run SET closed_at = opened_at, version = version + 1", True),
        ("UPDATE wave SET status = 'baking'", True),
        ("UPDATE wave SET status = 'pending'", True),
    ],
)
async def test_no_attempt_begins_unless_run_and_wave_are_open(store, raw, meddling, refused):
    await store.open_run(a_run(), [a_wave()], [an_operation("run-1", "vm-1")], [], None)
    await raw(meddling)
    found = await is_refused(raw, ATTEMPT, id="a", vm=a_vm("vm-1"), number=1)
    assert bool(found) is refused


async def test_an_attempt_after_the_first_needs_its_grant(store, raw):
    await store.open_run(a_run(), [a_wave()], [an_operation("run-1", "vm-1")], [], None)
    assert await is_refused(raw, ATTEMPT, id="a", vm=a_vm("vm-1"), number=2)
    await raw(
        "INSERT INTO permission VALUES"
        " ('run-1', :vm, 2, 'retry', 'ada', 'x', '2026-11-22T18:00:00.000000Z')",
        vm=a_vm("vm-1"),
    )
    assert not await is_refused(raw, ATTEMPT, id="a", vm=a_vm("vm-1"), number=2)
    assert await is_refused(raw, ATTEMPT, id="b", vm=a_vm("vm-1"), number=2)


@pytest.mark.parametrize(
    ("end", "then", "refused"),
    [
        (None, "accepted", False),
        (None, "unknown", False),
        ("unknown", "accepted", False),
        ("unknown", "refused", False),
        ("accepted", "refused", True),
        ("accepted", None, True),
        ("not_sent", "accepted", True),
        ("refused", None, True),
    ],
)
async def test_a_known_end_of_an_attempt_stays(store, raw, end, then, refused):
    await store.open_run(a_run(), [a_wave()], [an_operation("run-1", "vm-1")], [], None)
    await raw(ATTEMPT, id="a", vm=a_vm("vm-1"), number=1)
    await raw("UPDATE attempt SET ended_as = :end", end=end)
    found = await is_refused(raw, "UPDATE attempt SET ended_as = :end", end=then)
    assert bool(found) is refused
    assert not await is_refused(raw, "UPDATE attempt SET http_status = 202")
    assert await is_refused(raw, "UPDATE attempt SET number = 2")


PASSES = "UPDATE wave SET status = 'passed'"
ON_THE_WAY = (Began(NOW), Intended(NOW, A, None), Accepted(NOW, None, LATER, tracked=True))


@pytest.mark.parametrize("events", range(len(ON_THE_WAY) + 1))
async def test_a_wave_does_not_pass_before_each_of_its_vms_is_settled(store, raw, events):
    lease, (op,) = await opened(store, "vm-1")
    await moved_to(store, lease, op, *ON_THE_WAY[:events])
    assert await is_refused(raw, PASSES)


async def test_a_wave_passes_with_vms_that_need_a_person_and_whatever_other_waves_do(store, raw):
    waves = [a_wave(0), a_wave(1)]
    ops = [an_operation("run-1", "vm-1"), an_operation("run-1", "vm-2", wave=1)]
    await store.open_run(a_run(waves=2), waves, ops, [], None)
    lease = await store.claim(RunId("run-1"), "daemon-a", timedelta(seconds=15))
    await moved_to(store, lease, ops[0], *ON_THE_WAY, Escalated(NOW, LATER, WHY))
    assert await is_refused(raw, f"{PASSES} WHERE position = 1")
    await raw(f"{PASSES} WHERE position = 0")


@pytest.mark.parametrize("status", ["open", "baking", "passed"])
async def test_a_wave_that_needs_an_approval_opens_only_with_one(store, raw, status):
    spec = replace(a_wave(1).spec, approve=Approval(group="on-call"))
    waves = [a_wave(0), replace(a_wave(1), spec=spec)]
    await store.open_run(a_run(waves=2), waves, [], [], None)
    opens = f"UPDATE wave SET status = '{status}' WHERE position = 1"
    assert await is_refused(raw, opens)
    assert await is_refused(raw, "UPDATE wave SET approval = NULL WHERE position = 1")
    at = "approved_at = '2026-11-22T18:00:00.000000Z', approved_by = 'ada'"
    await raw(f"UPDATE wave SET {at} WHERE position = 1")
    assert not await is_refused(raw, opens)
    for taken_back in ("approved_by = 'eve'", "approved_at = NULL"):
        assert await is_refused(raw, f"UPDATE wave SET {taken_back} WHERE position = 1")


async def test_a_closed_run_stays_closed_and_a_run_keeps_its_plan(store, raw):
    await store.open_run(a_run(), [a_wave()], [], [], None)
    assert await is_refused(raw, "UPDATE run SET spec = '{}', version = version + 1")
    assert await is_refused(raw, "UPDATE run SET reason = 'x'")
    await raw("UPDATE run SET status = 'passed', closed_at = opened_at, version = version + 1")
    for setting in ("status = 'open'", "closed_at = NULL", "closed_at = deadline_at"):
        assert await is_refused(raw, f"UPDATE run SET {setting}, version = version + 1")


# ------------------------------------------------------------------------ written once, kept


async def filled(store, raw) -> None:
    """Put a row into every table that is written once."""
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    await store.ask(an_act("a-1"))
    await store.fire(a_fire())
    op = await moved_to(store, lease, op, *to_in_progress(attempt))
    await store.receive(a_receipt(attempt))
    await moved_to(store, lease, op, to_verifying()[-1])
    time = "'2026-11-22T18:00:00.000000Z'"
    await raw(f"INSERT INTO act_done VALUES ('a-1', {time}, 'done')")
    await raw(f"INSERT INTO result VALUES (:a, {time}, 'act', 'Succeeded', 'x')", a=attempt)
    await raw(
        f"INSERT INTO permission VALUES ('run-1', :vm, 2, 'retry', 'ada', 'x', {time})",
        vm=a_vm("vm-1"),
    )
    await raw("INSERT INTO emergency VALUES ('run-1', 'the CISO')")
    await raw("INSERT INTO hours VALUES ('run-1', 0, '[]', NULL)")


PRUNED = (
    "INSERT INTO pruned SELECT id, plan, opened_at, opened_at, 1, 'x', opened_at, 'ada' FROM run"
)
KEPT = sorted({guard.table for guard in guards() if guard.on == "DELETE"} - {"pruned"})
WRITTEN_ONCE = sorted({g.table for g in guards() if g.on == "UPDATE" and g.condition == "1 = 1"})


async def test_what_is_written_once_is_not_changed(store, raw):
    await filled(store, raw)
    column = {"event": "why", "receipt": "status_url", "permission": "why", "fire": "reason"}
    column |= {"result": "status", "act": "because", "act_done": "result", "pruned": "actor"}
    column |= {"emergency": "approved_by", "hours": "document"}
    for table in set(WRITTEN_ONCE) - {"pruned"}:
        assert await is_refused(raw, f"UPDATE {table} SET {column[table]} = 'x'"), table
    assert set(column) == set(WRITTEN_ONCE)


async def test_nothing_is_deleted_unless_its_run_was_pruned(store, raw):
    await filled(store, raw)
    for table in KEPT:
        assert await is_refused(raw, f"DELETE FROM {table}"), table
    assert await is_refused(raw, PRUNED)
    await raw("UPDATE run SET status = 'passed', closed_at = opened_at, version = version + 1")
    await raw(PRUNED)
    order = ["receipt", "result", "permission", "attempt", "operation", "hours"]
    order += ["wave", "act_done", "act", "emergency"]
    await raw("DELETE FROM lease")
    for table in [*order, "event", "run"]:
        events = " WHERE run_id = 'run-1'" if table == "event" else ""
        assert not await is_refused(raw, f"DELETE FROM {table}{events}"), table
    for table in ("event", "fire", "pruned"):
        assert await is_refused(raw, f"DELETE FROM {table}"), table
    assert await is_refused(raw, "UPDATE pruned SET actor = 'eve'")
