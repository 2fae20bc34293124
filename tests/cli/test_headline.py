"""The lines of `status` that say how a run and its waves stand: whom they wait for, who is needed,
and what counts against which budget."""

import json
from dataclasses import replace

import pytest

from orchestrator.cli import run
from orchestrator.cli.progress import headline
from orchestrator.domain.model import RunId, WaveStatus
from orchestrator.domain.operation import Forgiven
from orchestrator.domain.record import Change
from orchestrator.domain.states import Queued
from orchestrator.ports import Saved
from tests.cli.test_braking import PLAN, configured, folder, with_store
from tests.contract.store.kit import NOW, TTL, WHY, a_fact, a_move, a_wave

__all__ = ["folder"]
RUN = {
    "run_id": "run-1",
    "status": "open",
    "reason": None,
    "vms": 9,
    **dict.fromkeys(("queued", "reboot_queued", "preparing", "submitting", "unknown"), 0),
    **dict.fromkeys(("in_progress", "verifying", "rebooting"), 0),
    **dict.fromkeys(("bad", "accepted", "needs_human"), 0),
}
WAVE = {"wave": "broad", "approval": None, "gates": None, "baking_until": None}
UNTIL = "2026-11-24T20:00:00.000000Z"


def gates(*stands):
    return json.dumps([{"moment": moment, "green": green} for moment, green in stands])


def a_line(run=RUN, **wave):
    return headline(run, [{**WAVE, **wave}])


@pytest.mark.parametrize(
    ("wave", "said"),
    [
        (
            {"status": "awaiting_approval", "approval": "on-call"},
            "wave broad waits for an approval by on-call",
        ),
        (
            {"status": "pending", "gates": gates(("before", False), ("before", True))},
            "wave broad waits for its gates (1 of 2 red)",
        ),
        (
            {"status": "baking", "baking_until": UNTIL},
            "wave broad bakes until 2026-11-24 20:00Z",
        ),
        (
            {"status": "baking", "baking_until": UNTIL, "gates": gates(("check", False))},
            "wave broad bakes until 2026-11-24 20:00Z and waits for its gates (1 of 1 red)",
        ),
    ],
)
def test_a_headline_says_what_a_wave_waits_for(wave, said):
    assert a_line(**wave) == f"run-1  open · 9 of 9 VMs settled · 0 in flight · 0 bad · {said}"


@pytest.mark.parametrize(
    "wave",
    [
        {"status": "pending"},
        {"status": "open", "gates": gates(("before", True))},
        {"status": "passed", "gates": gates(("check", True))},
    ],
)
def test_a_headline_is_silent_about_waves_that_wait_for_nothing(wave):
    assert a_line(**wave) == headline(RUN)


def test_what_a_run_that_stands_still_would_wait_for_is_not_told():
    halted = {**RUN, "status": "halted"}
    assert a_line(halted, status="awaiting_approval") == headline(halted)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"bad": 3, "needs_human": 1}, "3 bad · 1 VM needs a person"),
        ({"bad": 1, "accepted": 2, "needs_human": 2}, "1 bad, 2 accepted · 2 VMs need a person"),
        ({"accepted": 2}, "0 bad, 2 accepted"),
    ],
)
def test_a_headline_counts_who_needs_a_person_and_what_was_accepted_apart(counts, said):
    assert headline({**RUN, **counts}).endswith(said)


def changed(folder, *moves_of, **wave):
    """Record events of every bad VM, and how the wave stands."""

    async def change(store):
        lease = await store.claim(RunId("run-1"), "daemon-a", TTL)
        ops = (await store.load(RunId("run-1"))).operations
        bad = [op for op in ops if not isinstance(op.state, Queued)]
        moves = tuple(a_move(op, event) for op in bad for event in moves_of)
        after = replace(a_wave(vms=3), allowed=1, **wave)
        change = Change(moves=moves, waves=(after,), facts=(a_fact("run.resumed"),))
        assert await store.record(lease, change) == Saved()

    with_store(folder, change)


def shown(folder, capsys, *words):
    assert run(["status", *words, *configured(folder, PLAN)]) == 0
    return capsys.readouterr().out


def test_status_counts_what_was_accepted_apart_from_what_the_budget_counts(folder, capsys):
    changed(folder)
    told = shown(folder, capsys, "run-1")
    assert "· 2 bad · 1 VM needs a person" in told
    assert "bad 2 of 1 allowed  " in told
    changed(folder, Forgiven(NOW, WHY))
    told = shown(folder, capsys, "run-1")
    assert "· 0 bad, 2 accepted · 1 VM needs a person" in told
    assert "bad 0 of 1 allowed, 2 accepted  1 failed, 1 needs_human, 1 queued" in told


def test_the_list_of_runs_says_which_one_waits_for_an_approval(folder, capsys):
    changed(folder, status=WaveStatus.AWAITING_APPROVAL, asked_at=NOW)
    assert "wave wave-0 waits for an approval by a person" in shown(folder, capsys)
