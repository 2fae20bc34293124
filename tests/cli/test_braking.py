"""Looking and braking need the database and the door, and nothing else of a configuration."""

import asyncio
import json

import pytest

from orchestrator.cli import run, wishing
from orchestrator.clock import WallClock
from orchestrator.domain.model import RunId, RunStatus
from orchestrator.domain.operation import Broke, Doubted, Escalated
from orchestrator.domain.record import Change
from orchestrator.domain.states import FailureClass
from orchestrator.store.opening import open_reading, open_store
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    WHY,
    a_fact,
    a_run,
    grown,
    moved,
    opened,
    to_submitting,
    to_verifying,
)

REACH = 'database: "sqlite:///status.db"\nhttp: {listen: "127.0.0.1:1"}\n'
PLAN = "plans: [{name: monthly, waves: [{select: {tags: {ring: canary}}}]}]\n"
OWN = "azure: {cloud: {endpoint: 'http://127.0.0.1:1'}, credential: {fixed_token: NOT_SET_HERE}}\n"
WRONG = {
    "in order": (PLAN, ""),
    "a plan edited wrongly": (PLAN.replace("tags", "tgas"), "tgas"),
    "no plan": ("", "plans"),
    "an unset credential variable": (PLAN + OWN, "NOT_SET_HERE"),
    "an unknown key": (PLAN + "tracking: {pool: 3s}\n", "pool"),
}
ACTS = {
    "pause": ("pause", "--because", "lunch"),
    "halt": ("halt", "--because", "stop"),
    "resume": ("resume", "--because", "go on"),
    "cancel": ("cancel", "--because", "wrong night"),
    "retry": ("retry", "vm-2", "--because", "again"),
    "approve": ("approve", "--wave", "wave-0", "--because", "the canary is well"),
    "skip": ("skip", "vm-3", "--because", "it is being moved"),
    "set": ("set", "max_parallel=50", "--because", "slower, please"),
    "resolve": ("resolve", "vm-1", "--as", "failed", "--because", "I looked"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder with a run of two VMs: one needs a person, one has failed."""
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    monkeypatch.setattr(wishing, "_WAIT_S", 0.0)  # nobody drives the run, so nobody answers

    async def prepare(store):
        lease, (first, second, _) = await opened(store, "vm-1", "vm-2", "vm-3")
        events = (*to_submitting(), Doubted(NOW, LATER, WHY), Escalated(NOW, LATER, WHY))
        await moved(store, lease, first, *events)
        failed = Broke(NOW, FailureClass.GUEST, WHY)
        await moved(store, lease, second, *to_verifying(), failed)

    with_store(tmp_path, prepare)
    return tmp_path


def with_store(folder, ask):
    async def work():
        url = f"sqlite:///{folder / 'status.db'}"
        async with open_store(url, clock=WallClock(), durable=False) as store:
            return await ask(store)

    return asyncio.run(work())


def events(folder):
    async def work():
        url = f"sqlite:///{folder / 'status.db'}"
        async with open_reading(url, clock=WallClock()) as store:
            return [(row["event"], row["why"]) for row in await store.rows("v_events")]

    return asyncio.run(work())


def configured(folder, text):
    path = folder / "orchestrator.yaml"
    path.write_text(REACH + text)
    return "-c", str(path)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_written_whatever_is_wrong_elsewhere(folder, capsys, act, wrong):
    text, named = WRONG[wrong]
    name, *words = ACTS[act]
    assert run([name, *configured(folder, text), *words]) == 0
    said = capsys.readouterr()
    assert f"{act} is written" in said.out
    assert named in said.err
    assert ("warning" in said.err) == bool(named)
    assert [why for event, why in events(folder) if event == "act.asked"] == [words[-1]]


@pytest.mark.parametrize("wrong", WRONG)
def test_status_reads_and_the_fleet_is_halted_whatever_is_wrong_elsewhere(folder, capsys, wrong):
    config = configured(folder, WRONG[wrong][0])
    assert run(["status", *config]) == 0
    assert "run-1" in capsys.readouterr().out
    assert run(["halt", "--all", *config, "--because", "a bad patch is out"]) == 0
    assert "everything is halted" in capsys.readouterr().out
    assert run(["status", *config]) == 0
    assert "a bad patch is out" in capsys.readouterr().out.splitlines()[0]
    assert run(["resume", "--all", *config, "--because", "it is pulled"]) == 0
    assert "lifted" in capsys.readouterr().out
    fleet = [each for each in events(folder) if each[0].startswith("fleet.")]
    assert fleet == [("fleet.halted", "a bad patch is out"), ("fleet.resumed", "it is pulled")]


@pytest.mark.parametrize(
    "text",
    ["database: mysql://nowhere\n", "database: ${NOT_SET_HERE}\n", "databse: sqlite:///x.db\n"],
)
def test_nothing_is_done_while_it_is_not_certain_which_database_is_meant(folder, capsys, text):
    path = folder / "orchestrator.yaml"
    path.write_text(text + PLAN)
    assert run(["halt", "--all", "-c", str(path), "--because", "stop"]) == 2
    assert "orchestrator.yaml:1" in capsys.readouterr().err
    assert not [each for each in events(folder) if each[0].startswith("fleet.")]


def test_a_run_of_its_own_for_a_retry_needs_the_whole_configuration(folder, capsys):
    config = configured(folder, WRONG["no plan"][0])

    async def close(store):
        lease = await store.claim(RunId("run-1"), "daemon-a", TTL)
        ended = grown(a_run(), status=RunStatus.PASSED, closed_at=NOW)
        await store.record(lease, Change(run=ended, facts=(a_fact("run.closed"),)))

    with_store(folder, close)
    assert run(["retry", *config, "run-1", "--because", "again"]) == 6
    assert "orchestrator validate" in capsys.readouterr().err


def test_a_run_and_the_whole_fleet_are_not_meant_at_once(folder, capsys):
    config = configured(folder, PLAN)
    assert run(["halt", "--all", "run-1", *config, "--because", "x"]) == 2
    assert "not both" in capsys.readouterr().err


def test_beside_json_the_halt_is_told_on_stderr(folder, capsys):
    config = configured(folder, PLAN)
    run(["halt", "--all", *config, "--because", "stop"])
    capsys.readouterr()
    assert run(["status", "--json", *config]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["run_id"] for line in said.out.splitlines()] == ["run-1"]
    assert "everything is halted" in said.err


def test_halting_all_twice_says_who_was_first(folder, capsys):
    config = configured(folder, PLAN)
    run(["halt", "--all", *config, "--because", "first"])
    run(["halt", "--all", *config, "--because", "second"])
    assert "nothing to do: everything is halted by" in capsys.readouterr().out.splitlines()[1]
    run(["resume", "--all", *config, "--because", "go on"])
    run(["resume", "--all", *config, "--because", "go on"])
    assert "nothing to do: there is no" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("halt", "nightly"), "There is no run nightly. Open: run-1."),
        (("status", "nightly"), "there is no run nightly."),
        (("retry", "vm-9"), "Run run-1 has no VM vm-9."),
        (("skip", "--wave", "wave-9"), "Run run-1 has no wave wave-9. There are: wave-0"),
        (("approve", "--wave", "wave-9"), "Run run-1 has no wave wave-9."),
    ],
)
def test_who_names_no_run_or_vm_is_told_what_there_is(folder, capsys, words, said):
    because = () if words[0] == "status" else ("--because", "x")
    assert run([*words, *configured(folder, PLAN), *because]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [("halt",), ("halt", "--all"), ("resume",), ("db", "confirm")])
@pytest.mark.parametrize("because", ["", "  "])
def test_an_empty_reason_is_refused(folder, capsys, words, because):
    assert run([*words, *configured(folder, PLAN), "--because", because]) == 2
    assert "say why" in capsys.readouterr().err
    assert not [each for each in events(folder) if each[0] in {"act.asked", "fleet.halted"}]


def test_explain_of_a_halted_run_whose_vms_have_all_ended_says_what_ends_the_halt(folder, capsys):
    async def halt(store):
        lease = await store.claim(RunId("run-1"), "daemon-a", TTL)
        halted = grown(a_run(), status=RunStatus.HALTED, reason="2 bad")
        await store.record(lease, Change(run=halted, facts=(a_fact("run.halted"),)))

    with_store(folder, halt)
    assert run(["explain", *configured(folder, PLAN)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == '      ends: orchestrator resume run-1 --because "…"'


def test_status_of_a_run_says_why_vms_wait(folder, capsys):
    config = configured(folder, PLAN)
    assert run(["status", *config, "run-1"]) == 0
    assert "1 queued: it is their turn" in capsys.readouterr().out
    run(["halt", "--all", *config, "--because", "stop"])
    capsys.readouterr()
    run(["status", *config, "run-1"])
    assert "1 queued: everything is halted by" in capsys.readouterr().out
