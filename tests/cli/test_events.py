"""Lines of the audit log as a terminal tells them: who asked for what, and what is no news."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.cli.events import event_line, happened
from orchestrator.domain.model import Share, VmId
from orchestrator.domain.operation import Broke, Forgiven, transition
from orchestrator.domain.record import Act, ActDone, ActKind, Change, Move, Resolution
from orchestrator.domain.states import (
    Failed,
    FailureClass,
    NeedsHuman,
    Outcome,
    Preparing,
    Succeeded,
    Why,
)
from orchestrator.store.lines import move_line
from orchestrator.store.opening import open_store
from tests.contract.store.kit import LATER, WHY, a_run, an_attempt, an_operation, opened
from tests.kit.clock import HandClock

AT = datetime(2026, 11, 22, 20, 41, 7, tzinfo=UTC)
BECAUSE = Why("by_resume", "two disks were full")


def an_act(kind: ActKind, **fields) -> Act:
    run_id = a_run().id
    return Act(id="a-1", run_id=run_id, kind=kind, actor="ada", because="why not", at=AT, **fields)


async def told(tmp_path, act: Act, answer: str = "") -> list[str]:
    """Return the lines that an act leaves, as they are told."""
    url = f"sqlite:///{tmp_path}/a.db"
    async with open_store(url, clock=HandClock(), durable=False) as store:
        lease, _ = await opened(store)
        await store.ask(act)
        if answer:
            done = ActDone(act_id=act.id, at=AT, result=answer)
            await store.record(lease, Change(acts=(done,)))
        rows = await store.rows("v_events", run_id=act.run_id)
        lines = [event_line(row) for row in rows if row["event"].startswith("act.")]
        return [line for line in lines if line]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (an_act(ActKind.HALT), "halt asked"),
        (an_act(ActKind.RESUME), "resume asked"),
        (an_act(ActKind.APPROVE, wave="broad"), "approve asked for wave broad"),
        (
            an_act(ActKind.RETRY, vms=(VmId("/x/web-1"), VmId("/x/web-2"))),
            "retry asked for web-1, web-2",
        ),
        (
            an_act(ActKind.SKIP, vms=(VmId("/x/v"),) * 40, wave="a"),
            "skip asked for 40 VMs for wave a",
        ),
        (an_act(ActKind.RETRY, code="busy"), "retry asked for what is busy"),
        (
            an_act(ActKind.RESOLVE, vms=(VmId("/x/v"),), resolution=Resolution.NOT_STARTED),
            "resolve asked for v as not-started",
        ),
        (
            an_act(ActKind.SET, wave="broad", max_parallel=Share(percent=25)),
            "set asked for wave broad to max_parallel=25%",
        ),
        (an_act(ActKind.HAND_OVER, vms=(VmId("/x/v"),)), "hand over asked for v"),
    ],
)
async def test_what_somebody_asked_for_is_told_with_who_and_why(tmp_path, act, words):
    assert await told(tmp_path, act) == [f"20:41:07 {words}: why not (by ada)"]


async def test_an_answer_names_the_act_that_it_answers(tmp_path):
    lines = await told(tmp_path, an_act(ActKind.HALT), "nothing to do: the run is halted")
    assert lines[1] == "20:41:07 halt answered: nothing to do: the run is halted"


def test_an_answer_of_an_older_program_is_told_without_the_act():
    row = {
        "event": "act.answered",
        "vm_id": None,
        "at": "2026-11-22T20:41:07.000000Z",
        "actor": "daemon",
        "why": "halted",
        "detail": json.dumps({"act": "a-1"}),
    }
    assert event_line(row) == "20:41:07 act answered: halted"


def row_of(state, event) -> dict[str, Any]:
    """Return the row of the log that a move from a state leaves."""
    before = an_operation("run-1", "web-3", state=state)
    actor = "ada" if isinstance(event, Forgiven) else "daemon"
    move = Move(before=before, after=transition(before, event), event=event, actor=actor)
    return asdict(move_line(move))


FAILED = Failed(AT, FailureClass.GUEST, WHY)
UNSURE = NeedsHuman(an_attempt(), None, AT, LATER, WHY)
WARNED = Succeeded(AT, Outcome.WARNED, WHY)


@pytest.mark.parametrize(
    ("state", "stays"),
    [
        (FAILED, "stays failed, accepted"),
        (UNSURE, "stays needs_human, accepted"),
        (WARNED, "stays succeeded with warnings, accepted"),
    ],
)
def test_a_failure_that_a_person_accepts_is_not_told_as_a_new_one(state, stays):
    row = row_of(state, Forgiven(AT, BECAUSE))
    assert event_line(row) == f"20:41:07 · web-3 {stays}: two disks were full (by ada)"
    assert happened(row) == f"operation.forgiven ({stays})"


def test_a_failure_is_told_as_one():
    row = row_of(Preparing(AT), Broke(AT, FailureClass.GUEST, WHY))
    assert event_line(row) == "20:41:07 ✗ web-3 failed: It was asked for."
    assert happened(row) == "operation.broke"
