"""The audit log: gapless, chained, enough to rebuild the state from, and never told a lie."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from orchestrator.domain.model import RunStatus, WaveStatus
from orchestrator.domain.operation import Began, Granted, Intended
from orchestrator.domain.record import AttemptEnd, AttemptUpdate, Change, Grant, GrantKind
from orchestrator.ports import Saved
from orchestrator.store.chain import Broken
from tests.contract.store import fold
from tests.contract.store.kit import (
    LATER,
    NOW,
    a_fact,
    a_move,
    a_name,
    a_run,
    a_vm,
    a_wave,
    an_attempt,
    grown,
    moved,
    opened,
    to_in_progress,
)
from tests.contract.store.strategies import next_events


async def test_a_move_tells_where_it_came_from_and_what_changed(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    await moved(store, lease, op, *to_in_progress(attempt))
    lines = await store.rows("v_events", run_id="run-1")
    assert [row["seq"] for row in lines] == [1, 2, 3, 4, 5]
    assert [row["event"] for row in lines] == [
        "run.opened",
        "operation.selected",
        "operation.began",
        "operation.intended",
        "operation.accepted",
    ]
    assert lines[-1] == {
        "seq": 5,
        "at": "2026-11-22T18:00:00.123456Z",
        "run_id": "run-1",
        "vm_id": a_vm("vm-1"),
        "event": "operation.accepted",
        "actor": "daemon-a",
        "why": None,
        "detail": lines[-1]["detail"],
    }
    assert json.loads(lines[-1]["detail"]) == {
        "from": "submitting",
        "to": "in_progress",
        "changed": {
            "operation": {
                "state": "in_progress",
                "version": 3,
                "since": "2026-11-22T18:00:00.123456Z",
                "deadline_at": "2026-11-22T19:00:00.123456Z",
                "activity_id": "act-1",
                "tracked": True,
            }
        },
    }


async def test_a_fact_brings_its_reason_its_wave_and_what_changed(store):
    lease, _ = await opened(store)
    run = grown(a_run(), status=RunStatus.HALTED, reason="One failed.")
    wave = replace(a_wave(vms=0), status=WaveStatus.HALTED)
    fact = a_fact("wave.halted", wave=0, detail={"bad": 1, "rate": 0.5, "wave": "a lie"})
    await store.record(lease, Change(run=run, waves=(wave,), facts=(fact, a_fact())))
    *_, line, last = await store.rows("v_events")
    assert (line["actor"], line["why"]) == ("ada", "It was asked for.")
    assert json.loads(line["detail"]) == {
        "bad": 1,
        "rate": 0.5,
        "code": "because",
        "wave": 0,
        "changed": {
            "run": {"reason": "One failed.", "status": "halted", "version": 1},
            "waves": {"0": {"status": "halted"}},
        },
    }
    assert json.loads(last["detail"]) == {"code": "because"}


# ------------------------------------------------------------------------------------- chain


@pytest.mark.parametrize(
    "meddling",
    [
        "UPDATE event SET why = 'all is well' WHERE seq = 2",
        "UPDATE event SET detail = replace(detail, 'preparing', 'Preparing') WHERE seq = 3",
        "UPDATE event SET actor = 'eve' WHERE seq = 1",
        "UPDATE event SET vm_id = NULL WHERE seq = 3",
        "DELETE FROM event WHERE seq = 2",
        "DELETE FROM event WHERE seq = 3",
        "UPDATE event_head SET seq = 2",
    ],
)
async def test_a_changed_byte_or_a_missing_line_is_found(store, database, meddling):
    lease, (op,) = await opened(store, "vm-1")
    await moved(store, lease, op, Began(NOW))
    assert await store.verify_chain("run-1") is None
    await database.write(lambda c: _meddle(c, meddling))
    broken = await store.verify_chain("run-1")
    assert isinstance(broken, Broken)
    assert broken.seq <= 4


def _meddle(connection, statement):
    """Do what the guards forbid, as somebody with the database's own password could."""
    if connection.dialect.name == "sqlite":
        for name in ("event_is_fixed", "event_is_kept"):
            connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text(statement))


async def test_each_run_has_a_chain_of_its_own(store):
    await opened(store, "vm-1")
    await opened(store, "vm-2", run_id="run-2", plan="weekly")
    lines = await store.rows("v_events")
    assert [(row["run_id"], row["seq"]) for row in lines] == [
        ("run-1", 1),
        ("run-1", 2),
        ("run-2", 1),
        ("run-2", 2),
    ]
    for run_id in ("run-1", "run-2", "", "nobody"):
        assert await store.verify_chain(run_id) is None


# -------------------------------------------------------------------------------------- fold


async def test_folding_the_log_gives_the_state_of_run_and_waves(store, database):
    lease, _ = await opened(store, "vm-1")
    run = grown(a_run(), status=RunStatus.HALTED, reason="ü")
    wave = replace(a_wave(), status=WaveStatus.HALTED, allowed=0, opened_at=NOW, excused=True)
    await store.record(lease, Change(run=run, waves=(wave,), facts=(a_fact(),)))
    run = grown(run, status=RunStatus.CANCELLED, reason="", closed_at=LATER)
    wave = replace(wave, status=WaveStatus.OPEN, opened_at=None, excused=False)
    await store.record(lease, Change(run=run, waves=(wave,), facts=(a_fact("run.cancelled"),)))
    assert await _is_its_own_log(database, "run-1")


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_after_any_walk_the_log_folds_to_the_state(store, database, data):
    name = a_name()
    lease, (op,) = await opened(store, name, run_id=name, plan=name)
    for _ in range(data.draw(st.integers(1, 12))):
        event = data.draw(next_events(op))
        if isinstance(event, Intended):
            event = replace(event, attempt=an_attempt())
        move = replace(a_move(op, event), attempt=_end_of(op, event), grant=_grant(op, event))
        write = store.record(lease, Change(moves=(move,)))
        if isinstance(event, Intended):
            write.close()
            write = store.intend(lease, move)
        assert await write == Saved()
        op = move.after
    assert (await store.load(op.run_id)).operations == (op,)
    assert await store.verify_chain(op.run_id) is None
    assert await _is_its_own_log(database, op.run_id)


def _end_of(op, event):
    """Let an attempt that the walk leaves be known not to have reached Azure."""
    attempt = getattr(op.state, "attempt", None)
    requeued = type(event).__name__ in {"Deferred", "Granted"}
    if attempt is None or not requeued:
        return None
    return AttemptUpdate(attempt=attempt, end=AttemptEnd.NOT_SENT)


def _grant(op, event):
    if not isinstance(event, Granted):
        return None
    return Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=op.attempt + 1,
        kind=GrantKind.RETRY,
        actor="ada",
        why="again",
        at=NOW,
    )


async def _is_its_own_log(database, run_id):
    folded = await database.read(lambda c: fold.folded(c, run_id))
    stored = await database.read(lambda c: fold.stored(c, run_id))
    assert folded == stored
    return bool(stored["run"])
