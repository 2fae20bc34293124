"""What any store owes a quarantine: the row says which group, the log says it too, and no VM of it
gets an intent."""

from dataclasses import replace

import pytest

from orchestrator.domain.model import Quarantine, RunId, Trait
from orchestrator.domain.operation import Began, Broke, Forgiven
from orchestrator.domain.record import Change
from orchestrator.domain.states import FailureClass
from orchestrator.ports import DamagedError, Refused, Saved
from tests.contract.store import fold
from tests.contract.store.kit import (
    NOW,
    TTL,
    WHY,
    a_fact,
    a_move,
    a_run,
    a_wave,
    an_intent,
    an_operation,
    grown,
    moved,
    to_verifying,
)

GROUP = Quarantine(kind=Trait.IMAGE, value="a:b:old", reason="held back: image a:b:old")


async def a_held_run(store):
    """Open a run of VMs of two images, break one of the old, and hold that image back."""
    run = a_run()
    images = {"vm-1": "a:b:old", "vm-2": "a:b:old", "vm-3": "a:b:new"}
    ops = [an_operation(run.id, name) for name in images]
    ops = [replace(op, target=replace(op.target, image=images[op.target.name])) for op in ops]
    assert await store.open_run(run, [a_wave(vms=3)], ops, [], None) == Saved()
    lease = await store.claim(run.id, "daemon-a", TTL)
    broke = Broke(NOW, FailureClass.GUEST, WHY)
    first = await moved(store, lease, ops[0], *to_verifying(), broke)
    rest = [await moved(store, lease, op, Began(NOW)) for op in ops[1:]]
    held = grown(run, quarantine=GROUP)
    change = Change(
        moves=(a_move(first, Forgiven(NOW, WHY)),), run=held, facts=(a_fact("run.quarantined"),)
    )
    assert await store.record(lease, change) == Saved()
    return lease, rest


async def test_no_vm_of_the_group_gets_an_intent_and_its_neighbours_do(store):
    lease, (of_the_group, other) = await a_held_run(store)
    answer = await store.intend(lease, an_intent(of_the_group))
    assert answer == Refused("quarantined", GROUP.reason)
    assert await store.intend(lease, an_intent(other)) == Saved()


async def test_the_group_is_in_the_row_the_view_and_the_log(store, database):
    await a_held_run(store)
    snapshot = await store.load(RunId("run-1"))
    assert snapshot.run.quarantine == GROUP
    assert [op.forgiven for op in snapshot.operations] == [True, False, False]
    (row,) = await store.rows("v_runs")
    assert row["quarantine"] == (
        '{"kind":"image","value":"a:b:old","reason":"held back: image a:b:old"}'
    )
    folded = await database.read(lambda connection: fold.folded(connection, "run-1"))
    assert folded == await database.read(lambda connection: fold.stored(connection, "run-1"))
    assert folded["run"]["run-1"]["quarantine"] == row["quarantine"]


@pytest.mark.parametrize("text", ["{}", '{"kind":"weather","value":"x","reason":"y"}', "old"])
async def test_a_group_that_makes_no_sense_is_damage(store, raw, text):
    await a_held_run(store)
    await raw("UPDATE run SET quarantine = :text, version = version + 1", text=text)
    with pytest.raises(DamagedError):
        await store.load(RunId("run-1"))
