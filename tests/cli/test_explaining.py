"""What `explain` prints: when, as everybody reads it, and what has been accepted."""

import asyncio
import re

import pytest

from orchestrator.cli import run
from orchestrator.clock import WallClock
from orchestrator.domain.model import RunStatus
from orchestrator.domain.operation import Began, Broke, Forgiven
from orchestrator.domain.record import Change
from orchestrator.domain.states import FailureClass, Why
from orchestrator.store.opening import open_store
from tests.contract.store.kit import NOW, WHY, a_fact, a_run, grown, moved, opened

ACCEPTED = "  it is accepted as it is: no budget counts it any more"
EACH_TIME = re.compile(r"\S*\d\d:\d\d\S*")
A_TIME = re.compile(r"\d\d:\d\d:\d\dZ")
"""What stands behind the date."""


@pytest.fixture
def config(tmp_path):
    """Give a paused run in which vm-1 failed and was accepted, vm-2 failed, and vm-3 is queued."""

    async def work():
        url = f"sqlite:///{tmp_path / 'status.db'}"
        async with open_store(url, clock=WallClock(), durable=False) as store:
            lease, (one, two, _) = await opened(store, "vm-1", "vm-2", "vm-3")
            broke = Broke(NOW, FailureClass.HOOK, Why("hook", "no room"))
            await moved(store, lease, one, Began(NOW), broke, Forgiven(NOW, WHY))
            await moved(store, lease, two, Began(NOW), broke)
            paused = grown(a_run(), status=RunStatus.PAUSED, reason="lunch")
            await store.record(lease, Change(run=paused, facts=(a_fact("run.paused"),)))

    asyncio.run(work())
    path = tmp_path / "orchestrator.yaml"
    path.write_text('database: "sqlite:///status.db"\nhttp: {listen: "127.0.0.1:1"}\n')
    return "-c", str(path)


def explained(capsys, config, *words) -> list[str]:
    assert run(["explain", "run-1", *words, *config]) == 0
    return str(capsys.readouterr().out).splitlines()


def test_a_failure_that_was_accepted_says_so_and_another_does_not(config, capsys):
    lines = explained(capsys, config, "vm-1")
    assert ACCEPTED in lines
    assert lines[-1] == (
        "    2026-11-22 18:00:00Z  operation.forgiven (stays failed, accepted)"
        "  by daemon-a: It was asked for."
    )
    assert ACCEPTED not in explained(capsys, config, "vm-2")


@pytest.mark.parametrize("words", [(), ("vm-1",), ("vm-3",)])
def test_every_time_is_told_the_same_way_in_utc(config, capsys, words):
    told = [word for line in explained(capsys, config, *words) for word in EACH_TIME.findall(line)]
    assert told
    assert not [word for word in told if not A_TIME.fullmatch(word)]


def test_since_when_a_run_is_paused_has_its_seconds_too(config, capsys):
    first = explained(capsys, config)[0]
    assert first == "run run-1 is paused since 2026-11-22 18:00:00Z by ada: lunch"
