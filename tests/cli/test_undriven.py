"""Whoever looks at a run that nobody drives is told so."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator.cli import run
from orchestrator.cli.following import follow
from orchestrator.clock import WallClock
from orchestrator.domain.model import RunId
from orchestrator.store.opening import open_reading
from tests.cli.test_braking import PLAN, configured, folder, with_store
from tests.contract.store.kit import TTL

SAID = "no daemon drives this run (last seen "
DO = "start `serve`, or `run monthly --resume`"
__all__ = ["folder"]


def leased(folder, ttl):
    """Let the lease of the run end so much later than now."""
    with_store(folder, lambda store: store.claim(RunId("run-1"), "daemon-a", ttl))


@pytest.mark.parametrize("words", [("status",), ("status", "run-1"), ("explain",)])
def test_a_run_whose_lease_ended_long_ago_is_said_to_be_driven_by_nobody(folder, capsys, words):
    leased(folder, timedelta(minutes=-5))
    assert run([*words, *configured(folder, PLAN)]) == 0
    said = capsys.readouterr().out
    assert (SAID in said, DO in said) == (True, True)


@pytest.mark.parametrize("words", [("status",), ("status", "run-1"), ("explain",)])
@pytest.mark.parametrize("ttl", [TTL, timedelta(seconds=-20)], ids=["held", "just ended"])
def test_a_run_between_two_looks_of_its_daemon_does_not_flicker(folder, capsys, words, ttl):
    leased(folder, ttl)
    assert run([*words, *configured(folder, PLAN)]) == 0
    assert "no daemon" not in capsys.readouterr().out


def test_beside_json_it_is_told_on_stderr(folder, capsys):
    leased(folder, timedelta(minutes=-5))
    for words in (("status",), ("status", "run-1"), ("explain",)):
        assert run([*words, "--json", *configured(folder, PLAN)]) == 0
        said = capsys.readouterr()
        assert (SAID in said.err, SAID in said.out) == (True, False)


class Shown:
    """A screen that remembers."""

    def __init__(self):
        self.lines = []
        self.looks = 0

    def show(self, _run, _waves, lines):
        self.lines += lines
        self.looks += 1


def test_watch_tells_it_once_while_it_lasts(folder):
    leased(folder, timedelta(minutes=-5))
    shown = Shown()

    async def enough(_run):
        return shown.looks == 3

    async def watch():
        url = f"sqlite:///{folder / 'status.db'}"
        async with open_reading(url, clock=WallClock()) as store:
            await follow(store, RunId("run-1"), WallClock(), shown, enough)

    asyncio.run(watch())
    assert [SAID in line for line in shown.lines].count(True) == 1
