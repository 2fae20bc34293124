"""Hostile names in every field, on both databases: kept as they are, found by what they are, and
nothing else done by them."""

import json

from orchestrator.store.column_types import plain
from tests.contract.hostile_runs import FIELDS, fill, run_id, vm_id
from tests.kit.hostile import NAMES

KEPT = 500
"""So much of a name every column keeps."""


async def test_every_view_gives_every_name_back_to_who_asks_for_it(store):
    await fill(store)
    await every_name_stands_in_every_view(store)
    await every_name_is_in_the_audit_log(store)
    await a_name_finds_its_own_rows(store)


async def every_name_stands_in_every_view(store):
    names = {run_id(number): plain(name)[:KEPT] for number, name in enumerate(NAMES.values())}
    for view, columns in FIELDS.items():
        rows = await store.rows(view)
        assert len(rows) == len(NAMES), view
        for row in rows:
            assert [each for each in columns if names[row["run_id"]] not in (row[each] or "")] == []


async def every_name_is_in_the_audit_log(store):
    for number, name in enumerate(NAMES.values()):
        events = await store.rows("v_events", run_id=run_id(number))
        said = [row for row in events if row["event"] in {"run.noted", "run.halted"}]
        assert {(row["actor"], row["why"] or "") for row in said} == {(plain(name), plain(name))}
        detail = json.loads(said[0]["detail"])
        assert detail.get(plain(name), detail.get(name)) in {name, plain(name)}
        assert await store.verify_chain(run_id(number)) is None
        [act] = (await store.heed(run_id(number))).acts
        assert (act.actor, act.because, act.wave) == (plain(name), plain(name), plain(name))


async def a_name_finds_its_own_rows(store):
    """In a condition a name is a value: no statement, no pattern and no number."""
    for number, name in enumerate(NAMES.values()):
        [row] = await store.rows("v_operations", vm_id=vm_id(number, name))
        assert (row["run_id"], row["vm_name"]) == (run_id(number), plain(name))
        assert len(await store.rows("v_runs", plan=f"plan-{number}-{plain(name)}")) == 1
        assert await store.rows("v_runs", status=name) == []
