"""No secret gets out, whatever goes wrong: over three hundred error paths are walked and every byte
that comes out of them is searched (reliability S4, S5, F23)."""

import asyncio
from inspect import iscoroutine

import pytest

from tests.contract.canary import answers, commands, crashes, objects, processes, visits
from tests.contract.canary.birds import Here, Way, songs
from tests.kit.logging import logging_as_before

AREAS = (commands, answers, objects, visits, crashes, processes)
WAYS = [way for area in AREAS for way in area.ways()]


def test_there_are_more_than_three_hundred_ways_and_each_is_another():
    assert len(WAYS) >= 300
    assert len({way.name for way in WAYS}) == len(WAYS)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_no_secret_gets_out(way: Way, tmp_path, monkeypatch, capfd):
    here = Here(tmp_path, monkeypatch)
    with logging_as_before():
        walking = way.walk(here)
        if iscoroutine(walking):
            asyncio.run(walking)
    written = capfd.readouterr()
    here.keep(written.out, written.err)
    assert songs(here.heard) == []
    assert any(here.heard), "nothing came out: this proves nothing"
