"""What any store owes a run's driver: a change is written whole, by one writer, or not at all."""

import asyncio
import json
import zlib
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from orchestrator.domain.model import ActivityId, AttemptId, RunStatus, WaveStatus
from orchestrator.domain.operation import Began, Broke, Deferred, Dropped, Granted, Passed
from orchestrator.domain.record import (
    ActDone,
    AttemptEnd,
    AttemptUpdate,
    Change,
    Grant,
    GrantKind,
    Watch,
)
from orchestrator.domain.result import Patch, Report
from orchestrator.domain.states import FailureClass, Outcome, Wait
from orchestrator.ports import Saved, Stale
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    WHY,
    a_fact,
    a_move,
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


async def test_a_change_is_read_back_whole(store):
    lease, (op,) = await opened(store, "vm-1")
    run = grown(a_run(), status=RunStatus.HALTED, reason="One failed.")
    wave = replace(a_wave(), status=WaveStatus.HALTED, allowed=0, opened_at=NOW, excused=True)
    move = a_move(op, Began(NOW))
    facts = (a_fact("run.halted"), a_fact("wave.halted", wave=0))
    change = Change(moves=(move,), run=run, waves=(wave,), facts=facts)
    assert await store.record(lease, change) == Saved()
    snapshot = await store.load(run.id)
    assert snapshot.run == run
    assert snapshot.waves == (wave,)
    assert snapshot.operations == (move.after,)
    names = [row["event"] for row in await store.rows("v_events", run_id="run-1")]
    assert names[-3:] == ["operation.began", "run.halted", "wave.halted"]


async def test_of_many_writers_of_one_version_exactly_one_wins(store):
    lease, (op,) = await opened(store, "vm-1")
    change = Change(moves=(a_move(op, Began(NOW)),))
    answers = await asyncio.gather(*(store.record(lease, change) for _ in range(20)))
    assert answers.count(Saved()) == 1
    assert sum(isinstance(answer, Stale) for answer in answers) == 19


async def test_of_many_writers_of_one_run_version_exactly_one_wins(store):
    lease, _ = await opened(store)
    run = grown(a_run(), status=RunStatus.PAUSED)
    changes = [
        Change(run=replace(run, reason=str(n)), facts=(a_fact("run.paused"),)) for n in range(20)
    ]
    answers = await asyncio.gather(*(store.record(lease, change) for change in changes))
    assert answers.count(Saved()) == 1


@pytest.mark.parametrize("what", ["operation", "run"])
async def test_a_stale_change_writes_nothing(store, what):
    lease, (one, two) = await opened(store, "vm-1", "vm-2")
    await moved(store, lease, one, Began(NOW))
    before = await store.load(lease.run_id), await store.rows("v_events")
    fresh, stale = a_move(two, Began(NOW)), a_move(one, Dropped(NOW, WHY))
    run = grown(a_run(), version=7, status=RunStatus.HALTED)
    change = Change(moves=(fresh,), run=run) if what == "run" else Change(moves=(fresh, stale))
    answer = await store.record(lease, replace(change, facts=(a_fact(),)))
    assert isinstance(answer, Stale)
    assert (await store.load(lease.run_id), await store.rows("v_events")) == before


async def test_a_change_without_the_lease_writes_nothing(store):
    lease, (op,) = await opened(store, "vm-1")
    change = Change(moves=(a_move(op, Began(NOW)),))
    for other in (replace(lease, holder="daemon-b"), replace(lease, epoch=lease.epoch + 1)):
        answer = await store.record(other, change)
        assert isinstance(answer, Stale)
    assert (await store.load(lease.run_id)).operations == (op,)
    await store.release(lease)
    assert isinstance(await store.record(lease, change), Stale)


async def test_an_expired_lease_that_nobody_took_still_writes(store):
    _, (op,) = await opened(store, "vm-1")
    expired = await store.claim(op.run_id, "daemon-a", -TTL)
    assert await store.record(expired, Change(moves=(a_move(op, Began(NOW)),))) == Saved()


async def test_a_vm_may_move_twice_in_one_change(store):
    lease, (op,) = await opened(store, "vm-1")
    first = a_move(op, Began(NOW))
    second = a_move(first.after, Deferred(NOW, Wait.THROTTLED, WHY, LATER))
    assert await store.record(lease, Change(moves=(first, second))) == Saved()
    assert (await store.load(op.run_id)).operations == (second.after,)


async def test_many_vms_move_in_one_change(store):
    names = [f"vm-{n:04}" for n in range(1200)]
    lease, ops = await opened(store, *names)
    moves = tuple(a_move(op, Dropped(NOW, WHY)) for op in ops)
    assert await store.record(lease, Change(moves=moves)) == Saved()
    (row,) = await store.rows("v_runs")
    assert (row["vms"], row["skipped"]) == (1200, 1200)


async def test_a_change_of_another_runs_rows_is_a_mistake(store):
    lease, _ = await opened(store, "vm-1")
    _, (foreign,) = await opened(store, "vm-2", run_id="run-2", plan="weekly")
    with pytest.raises(ValueError, match="run-2"):
        await store.record(lease, Change(moves=(a_move(foreign, Began(NOW)),)))


async def test_a_decision_without_any_time_is_a_mistake_and_with_a_move_gets_a_line(store):
    lease, (op,) = await opened(store, "vm-1")
    wave = replace(a_wave(), status=WaveStatus.BAKING, baking_until=LATER)
    with pytest.raises(ValueError, match="fact"):
        await store.record(lease, Change(waves=(wave,)))
    change = Change(moves=(a_move(op, Began(NOW)),), waves=(wave,))
    assert await store.record(lease, change) == Saved()
    assert (await store.rows("v_events"))[-1]["event"] == "wave.changed"


# --------------------------------------------------------------------------------- attempts


async def test_what_became_known_of_an_attempt_is_added_to_what_was(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    op = await moved(store, lease, op, *to_submitting(attempt))
    sent = AttemptUpdate(attempt=attempt, sent_at=NOW, http_status=202)
    ended = AttemptUpdate(
        attempt=attempt, ended_at=LATER, end=AttemptEnd.ACCEPTED, activity=ActivityId("act-1")
    )
    move = a_move(op, Deferred(NOW, Wait.NOT_SENT, WHY), attempt=sent)
    again = a_move(move.after, Began(NOW), attempt=ended)
    assert await store.record(lease, Change(moves=(move, again))) == Saved()
    (row,) = await store.rows("v_attempts")
    assert row == {
        "run_id": "run-1",
        "vm_id": a_vm("vm-1"),
        "attempt": 1,
        "client_request_id": attempt,
        "intent_at": "2026-11-22T18:00:00.123456Z",
        "sent_at": "2026-11-22T18:00:00.123456Z",
        "ended_at": "2026-11-22T19:00:00.123456Z",
        "end": "accepted",
        "http_status": 202,
        "activity_id": "act-1",
        "verdict": None,
        "superseded_verdict": None,
        "kind": "install",
    }


async def test_an_attempt_that_is_not_there_is_a_mistake_and_nothing_is_written(store):
    lease, (op,) = await opened(store, "vm-1")
    update = AttemptUpdate(attempt=AttemptId("nobody"), http_status=202)
    with pytest.raises(LookupError, match="nobody"):
        await store.record(lease, Change(moves=(a_move(op, Began(NOW), attempt=update),)))
    assert (await store.load(op.run_id)).operations == (op,)


async def test_a_corrected_verdict_keeps_the_old_one(store):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    op = await moved(store, lease, op, *to_verifying(attempt))
    failed = a_move(
        op,
        Broke(NOW, FailureClass.LOST, WHY),
        attempt=AttemptUpdate(attempt=attempt, verdict="failed"),
    )
    same = AttemptUpdate(attempt=attempt, verdict="failed", activity=ActivityId("act-1"))
    passed = a_move(
        failed.after,
        Passed(LATER, Outcome.SUCCEEDED, WHY),
        attempt=AttemptUpdate(attempt=attempt, verdict="succeeded"),
    )
    await store.record(lease, Change(moves=(failed,)))
    await store.record(lease, Change(moves=(replace(passed, attempt=same),)))
    (row,) = await store.rows("v_attempts")
    assert (row["verdict"], row["superseded_verdict"]) == ("failed", None)
    back = a_move(passed.after, Broke(LATER, FailureClass.GUEST, WHY))
    update = AttemptUpdate(attempt=attempt, verdict="succeeded")
    await store.record(lease, Change(moves=(replace(back, attempt=update),)))
    (row,) = await store.rows("v_attempts")
    assert (row["verdict"], row["superseded_verdict"]) == ("succeeded", "failed")


async def test_a_grant_is_written_once_with_its_move(store):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, *to_verifying(), Broke(NOW, FailureClass.GUEST, WHY))
    grant = Grant(
        run_id=op.run_id,
        vm_id=op.target.vm_id,
        attempt=2,
        kind=GrantKind.RETRY,
        actor="ada",
        why="mended",
        at=NOW,
    )
    move = a_move(op, Granted(NOW, Wait.GRANTED, WHY), grant=grant)
    assert await store.record(lease, Change(moves=(move,))) == Saved()
    again = a_move(move.after, Began(NOW), grant=grant)
    with pytest.raises(IntegrityError):
        await store.record(lease, Change(moves=(again,)))
    assert (await store.load(op.run_id)).operations == (move.after,)


# ---------------------------------------------------------------------------------- reports


def a_patch(patch_id: str, state: str = "Installed", **fields) -> Patch:
    classifications = ("Critical", "Security")
    return Patch(
        **{
            "patch_id": patch_id,
            "name": "curl",
            "classifications": classifications,
            "state": state,
            **fields,
        }
    )


async def test_a_report_leaves_its_patches_and_its_raw_body(store, raw):
    lease, (op,) = await opened(store, "vm-1")
    attempt = an_attempt()
    op = await moved(store, lease, op, *to_in_progress(attempt))
    patches = (a_patch("p-1", version="1.2"), a_patch("p-2", kb_id="5031364"))
    report = Report(result=a_result(), activity="act-1", patches=patches, raw=b"{}" * 1000)
    verifying = a_move(op, to_verifying()[-1], report=report)
    assert await store.record(lease, Change(moves=(verifying,))) == Saved()
    assert await store.rows("v_patches", patch_id="p-1") == [
        {
            "run_id": "run-1",
            "vm_id": a_vm("vm-1"),
            "patch_id": "p-1",
            "name": "curl",
            "version": "1.2",
            "kb_id": None,
            "classifications": "Critical, Security",
            "state": "Installed",
        }
    ]
    (kept,) = await raw("SELECT * FROM result")
    assert kept["attempt_id"] == attempt
    assert zlib.decompress(kept["raw"]) == report.raw


async def test_of_two_reports_the_newer_state_of_a_patch_counts(store, raw):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, *to_in_progress())
    first = Report(result=a_result(), activity="a", patches=(a_patch("p-1", "Failed"), a_patch("")))
    late = Report(result=a_result(), activity="a", patches=(a_patch("p-1"), a_patch("p" * 3000)))
    verifying = a_move(op, to_verifying()[-1], report=first)
    failed = a_move(verifying.after, Broke(NOW, FailureClass.GUEST, WHY))
    passed = a_move(failed.after, Passed(LATER, Outcome.SUCCEEDED, WHY), report=late)
    assert await store.record(lease, Change(moves=(verifying, failed, passed))) == Saved()
    states = {row["patch_id"][:5]: row["state"] for row in await store.rows("v_patches")}
    assert states == {"p-1": "Installed", "curl_": "Installed", "ppppp": "Installed"}
    assert len(await raw("SELECT * FROM result")) == 2


# -------------------------------------------------------------------------------- the rest


async def test_an_act_is_answered_once_and_in_the_log(store):
    lease, _ = await opened(store)
    await store.ask(an_act("a-1"))
    for result in ("halted", "halted again"):
        done = ActDone(act_id="a-1", at=NOW, result=result)
        assert await store.record(lease, Change(acts=(done,))) == Saved()
    assert (await store.heed(lease.run_id)).acts == ()
    lines = [(row["event"], row["why"]) for row in await store.rows("v_events")]
    assert lines[-2:] == [("act.asked", "enough"), ("act.answered", "halted")]
    (answered,) = await store.rows("v_events", event="act.answered")
    assert json.loads(answered["detail"]) == {"act": "a-1", "kind": "halt"}


async def test_polling_state_is_written_over_and_leaves_no_line(store):
    lease, (one, two) = await opened(store, "vm-1", "vm-2")
    before = await store.rows("v_events")
    first, second = Watch(next_at=NOW), Watch(next_at=LATER, polls=9, last_at=NOW, by_view=True)
    await store.checkpoint(lease.run_id, {one.target.vm_id: first, two.target.vm_id: first})
    await store.checkpoint(lease.run_id, {two.target.vm_id: second})
    await store.checkpoint(lease.run_id, {})
    watches = (await store.load(lease.run_id)).watches
    assert watches == {one.target.vm_id: first, two.target.vm_id: second}
    assert await store.rows("v_events") == before


async def test_text_that_no_database_can_hold_is_replaced_not_refused(store):
    lease, (op,) = await opened(store, "vm-1")
    why = replace(WHY, text="NUL \0 and half a pair \ud800, ü 🦊")
    change = Change(moves=(a_move(op, Dropped(NOW, why)),), facts=(a_fact(why=why),))
    assert await store.record(lease, change) == Saved()
    (row,) = await store.rows("v_operations")
    assert row["reason"] == "NUL \N{REPLACEMENT CHARACTER} and half a pair ?, ü 🦊"
    assert await store.verify_chain("run-1") is None


async def test_an_operation_of_a_wave_that_is_not_there_is_a_mistake(store):
    op = an_operation("run-1", "vm-1", wave=5)
    with pytest.raises(IntegrityError):
        await store.open_run(a_run(), [a_wave()], [op], [], None)
    assert await store.open_runs() == []
