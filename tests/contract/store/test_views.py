"""The public views: exactly what was promised, the same on both databases, and no secret in any."""

# ruff: noqa: S608 - a test puts together what it meddles with

from dataclasses import replace
from itertools import product

import pytest

from orchestrator.domain.model import RunStatus, Warnings
from orchestrator.domain.operation import Broke, Dropped, Escalated, Passed
from orchestrator.domain.record import Change, Watch
from orchestrator.domain.states import FailureClass, Outcome, Succeeded
from orchestrator.domain.tally import is_bad
from orchestrator.store.public import VIEWS
from tests.contract.store.kit import (
    LATER,
    NOW,
    WHY,
    a_fact,
    a_move,
    a_receipt,
    a_result,
    a_run,
    a_vm,
    a_wave,
    an_attempt,
    an_operation,
    grown,
    moved,
    opened,
    to_in_progress,
    to_submitting,
    to_verifying,
)
from tests.contract.store.test_acts import an_act
from tests.contract.store.test_guards import BY_NAME
from tests.contract.store.test_schedules import a_fire

COUNTS = (
    "queued, preparing, submitting, in_progress, unknown, verifying, needs_human, succeeded,"
    " warned, reboot_pending, nothing_to_do, failed, skipped, cancelled"
)
REBOOTS = "reboot_queued, rebooting"
PROMISED = {  # as the design writes them
    "v_runs": "run_id, plan, status, reason, config_hash, opened_at, closed_at, waves,"
    f" waves_passed, vms, {COUNTS}, reminded_at, quarantine, {REBOOTS}, bad, accepted",
    "v_waves": "run_id, position, wave, status, reason, opened_at, baking_until, closed_at,"
    f" allowed_failures, vms, in_flight, {COUNTS}, max_parallel, approval, asked_at, approved_at,"
    f" approved_by, gates, {REBOOTS}, reboots_at, reboots_at_once, reboots_allowed, bad, accepted",
    "v_operations": "run_id, wave, vm_id, vm_name, subscription_id, resource_group, region, os,"
    " state, outcome, failure_class, reason, attempt, client_request_id, activity_id, started_at,"
    " finished_at, polls, last_polled_at, next_poll_at, installed, failed, pending, excluded,"
    " not_selected, reboot_status, window_exceeded, zone, availability_set, image, tags,"
    " failed_patches, reboot_at, patched_at",
    "v_patches": "run_id, vm_id, patch_id, name, version, kb_id, classifications, state",
    "v_attempts": "run_id, vm_id, attempt, client_request_id, intent_at, sent_at, ended_at, end,"
    " http_status, activity_id, verdict, superseded_verdict, kind",
    "v_events": "seq, at, run_id, vm_id, event, actor, why, detail",
    "v_schedules": "plan, next_fire, last_fire, last_result, disabled_at, disabled_until,"
    " disabled_by, disabled_because, queued_fire",
    "v_freezes": "name, begins, ends, source",
    "v_database": "incarnation, confirmed, safe_since, safe_code, safe_reason",
}


@pytest.mark.parametrize("view", PROMISED)
async def test_a_view_has_exactly_the_promised_columns_in_their_order(database, view):
    def columns(connection):
        return list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())

    promised = PROMISED[view].split(", ")
    assert await database.read(columns) == promised
    assert list(VIEWS[view].columns.keys()) == promised


def test_every_promised_view_is_there():
    assert set(PROMISED) == set(VIEWS)


async def every_outcome(store) -> int:
    """Open a run with a VM in every state and of every outcome, over two waves."""
    good = [
        Succeeded(NOW, outcome, WHY, None, a_result())
        for outcome in (Outcome.SUCCEEDED, Outcome.WARNED, Outcome.REBOOT_PENDING)
    ]
    states = [
        *(state for name, state in BY_NAME.items() if name != "succeeded"),
        *good,
        Succeeded(NOW, Outcome.NOTHING_TO_DO, WHY),
    ]
    ops = [
        an_operation("run-1", f"vm-{n}-{wave}", wave=wave, state=state)
        for n, state in enumerate(states)
        for wave in range(1 + n % 2)
    ]
    waves = [a_wave(0, name="zebra"), a_wave(1, name="aardvark")]
    await store.open_run(a_run(waves=2, reason="trouble"), waves, ops, [], None)
    return len(ops)


async def test_the_counts_of_a_run_and_of_its_waves_add_up_to_their_vms(store):
    vms = await every_outcome(store)
    (run,) = await store.rows("v_runs")
    assert run["vms"] == vms
    counts = f"{COUNTS}, {REBOOTS}".split(", ")
    assert all(run[name] >= 1 for name in counts)
    waves = await store.rows("v_waves")
    for row in (run, *waves):
        assert sum(row[name] for name in counts) == row["vms"]
    for name in ("vms", *counts):
        assert sum(row[name] for row in waves) == run[name]
    flying = ("preparing", "submitting", "unknown", "in_progress", "verifying", "rebooting")
    assert [row["in_flight"] for row in waves] == [sum(r[n] for n in flying) for r in waves]


async def test_bad_and_accepted_are_what_the_budgets_count_and_do_not_count_any_more(store):
    """With `warnings: fail` a warned VM is bad, too; of a good one nothing is left to accept."""
    strict = replace(a_wave(1, name="strict").spec, warnings=Warnings.FAIL)
    good = [
        Succeeded(NOW, outcome, WHY, None, a_result())
        for outcome in (Outcome.SUCCEEDED, Outcome.WARNED)
    ]
    states = [*(BY_NAME[name] for name in ("failed", "needs_human", "skipped", "queued")), *good]
    ops = [
        replace(an_operation("run-1", f"vm-{n}", wave=n % 2, state=state), forgiven=forgiven)
        for n, (state, forgiven, _) in enumerate(product(states, (False, True), range(2)))
    ]
    waves = [a_wave(0, name='"warnings":"fail"'), replace(a_wave(1), spec=strict)]
    await store.open_run(a_run(waves=2), waves, ops, [], None)
    rows = [*await store.rows("v_waves"), *await store.rows("v_runs")]
    assert [(row["bad"], row["accepted"]) for row in rows] == [(2, 2), (3, 3), (5, 5)]
    for row, spec in zip(rows, (a_wave(0).spec, strict), strict=False):
        mine = [op for op in ops if op.wave == row["position"]]
        assert row["bad"] == sum(is_bad(op, spec) for op in mine)


async def test_a_run_without_vms_and_without_waves_has_its_row(store):
    await store.open_run(a_run(), [], [], [], None)
    (run,) = await store.rows("v_runs")
    assert (run["vms"], run["waves"], run["waves_passed"], run["queued"]) == (0, 0, 0, 0)
    assert (run["reason"], run["closed_at"]) == (None, None)


async def test_an_operation_shows_all_that_is_known_of_it(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    op = await moved(store, lease, op, *to_in_progress(attempt))
    watch = Watch(next_at=LATER, polls=7, last_at=NOW)
    await store.checkpoint(op.run_id, {op.target.vm_id: watch})
    (row,) = await store.rows("v_operations")
    now, later = "2026-11-22T18:00:00.123456Z", "2026-11-22T19:00:00.123456Z"
    assert row == {
        "run_id": "run-1",
        "wave": "wave-0",
        "vm_id": a_vm("vm-1"),
        "vm_name": "vm-1",
        "subscription_id": "s1",
        "resource_group": "rg",
        "region": "westeurope",
        "os": "Linux",
        "state": "in_progress",
        "outcome": None,
        "failure_class": None,
        "reason": None,
        "attempt": 1,
        "client_request_id": attempt,
        "activity_id": "act-1",
        "started_at": now,
        "finished_at": None,
        "polls": 7,
        "last_polled_at": now,
        "next_poll_at": later,
        **dict.fromkeys(("installed", "failed", "pending", "excluded", "not_selected")),
        "reboot_status": None,
        "window_exceeded": None,
        "zone": None,
        "availability_set": None,
        "image": None,
        "tags": "{}",
        "failed_patches": None,
        "reboot_at": None,
        "patched_at": None,
    }


async def test_an_ended_operation_keeps_its_request_id_and_has_no_next_poll(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    op = await moved(store, lease, op, *to_verifying(attempt))
    await store.checkpoint(op.run_id, {op.target.vm_id: Watch(next_at=LATER)})
    result = a_result(reboot="Completed", window_exceeded=False, excluded=1, not_selected=2)
    await moved(store, lease, op, Passed(LATER, Outcome.WARNED, WHY, result))
    (row,) = await store.rows("v_operations")
    known = {
        "state": "succeeded",
        "outcome": "warned",
        "reason": "It was asked for.",
        "client_request_id": attempt,
        "activity_id": "act-1",
        "finished_at": "2026-11-22T19:00:00.123456Z",
        "polls": 0,
        "next_poll_at": None,
        "installed": 3,
        "failed": 0,
        "pending": 0,
        "excluded": 1,
        "not_selected": 2,
        "reboot_status": "Completed",
        "window_exceeded": False,
    }
    assert {name: row[name] for name in known} == known


async def test_a_failure_shows_its_class(store):
    lease, (op,) = await opened(store, "vm-1")
    await moved(store, lease, op, *to_verifying(), Broke(LATER, FailureClass.UNHEALTHY, WHY))
    (row,) = await store.rows("v_operations")
    assert (row["outcome"], row["failure_class"]) == ("failed", "unhealthy")


async def test_operations_are_read_wave_by_wave_not_by_the_waves_names(store):
    await every_outcome(store)
    waves = [row["wave"] for row in await store.rows("v_operations")]
    assert waves == sorted(waves, reverse=True)
    assert {*waves} == {"zebra", "aardvark"}


async def test_rows_may_be_chosen_by_any_column(store):
    await every_outcome(store)
    assert [row["wave"] for row in await store.rows("v_waves", position=1)] == ["aardvark"]
    assert len(await store.rows("v_operations", state="queued", run_id="run-1")) == 1
    assert await store.rows("v_operations", state="queued", run_id="run-2") == []
    assert await store.rows("v_operations", installed="3")
    at = "2026-11-22T18:00:00.123456Z"
    assert await store.rows("v_runs", opened_at=at)
    assert await store.rows("v_operations", window_exceeded=1) == []


@pytest.mark.parametrize(
    ("view", "where", "said"),
    [
        ("run", {}, "no view run"),
        ("v_runs; DROP TABLE run", {}, "no view"),
        ("v_runs", {"spec": "x"}, "no column spec"),
        ("v_runs", {"1=1 OR plan": "x"}, "no column"),
    ],
)
async def test_what_is_not_public_is_not_read(store, view, where, said):
    with pytest.raises(LookupError, match=said):
        await store.rows(view, **where)


async def test_a_value_that_a_column_cannot_hold_is_said_so(store):
    with pytest.raises(ValueError, match="many"):
        await store.rows("v_runs", vms="many")


async def test_no_view_shows_an_operation_url(store):
    lease, (one, two, three) = await opened(store, "vm-1", "vm-2", "vm-3")
    for op, more in ((one, ()), (two, (Escalated(NOW, LATER, WHY),))):
        attempt = an_attempt()
        started = await moved(store, lease, op, *to_submitting(attempt))
        await store.receive(a_receipt(attempt))
        await moved(store, lease, started, *to_in_progress(attempt)[2:], *more)
    change = Change(
        moves=(a_move(three, Dropped(NOW, WHY)),),
        run=grown(a_run(), status=RunStatus.HALTED),
        facts=(a_fact(),),
    )
    await store.record(lease, change)
    await store.ask(an_act("a-1"))
    await store.fire(a_fire())
    for view in VIEWS:
        rows = await store.rows(view)
        assert "SIGNATURE" not in repr(rows), view
