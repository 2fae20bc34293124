"""Tempers and moods: the impossible ones are refused, the named ones all work."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator.simulator.exchange import HangUp, Reply
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.moods import FLAKY, MOODS, Mood
from orchestrator.simulator.tempers import (
    Busy,
    Ending,
    ImpossibleTemperError,
    Layer,
    Mishap,
    PollFault,
    PostFault,
    Reboot,
    Temper,
)
from tests.simulator.kit import EVENING, Client, vm


@pytest.mark.parametrize(
    "fields",
    [
        {"hangs": True, "takes": timedelta(minutes=1)},
        {"hangs": True, "ending": Ending.FAILS},
        {"hangs": True, "mishap": Mishap.STOPPED},
        {"layer": Layer.OPERATION},
        {"layer": Layer.OPERATION, "ending": Ending.WARNS},
        {"error_code": "X", "ending": Ending.FAILS},
        {"bad_runs": 1},
        {"bad_runs": 0, "ending": Ending.FAILS},
        {"failing_patches": 1},
        {"failing_patches": 3, "patches": 2, "ending": Ending.FAILS},
        {"patches": 0, "overruns": True},
        {"patches": 0, "truncated": True},
        {"patches": -1},
        {"reboot": Reboot.FAILS, "needs_reboot": False},
        {"overruns": True, "ending": Ending.WARNS},
        {"mishap": Mishap.DELETED, "ending": Ending.FAILS},
        {"mishap": Mishap.SUPERSEDED, "busy": Busy.SUPERSEDES},
        {"takes": timedelta(0)},
        {"view_lag": timedelta(seconds=-1)},
        {"blind": True, "view_lag": timedelta(seconds=1)},
        {"posts": (PostFault.CUT,), "every_post": PostFault.CUT},
        {"polls": (PollFault.CUT,), "every_poll": PollFault.CUT},
    ],
)
def test_an_impossible_temper_is_refused(fields):
    with pytest.raises(ImpossibleTemperError):
        Temper(**fields)


@pytest.mark.parametrize("name", TEMPERS)
def test_every_named_temper_answers_every_request_on_both_systems(name):
    for os in SYSTEMS:
        client = Client(vm(os=os, temper=name))
        for _ in range(3):
            for answer in (
                client.post(),
                client.ask("GET", f"{client.machine.vm_id}/instanceView?api-version=2025-04-01"),
            ):
                assert isinstance(answer, Reply | HangUp)
            client.wait(hours=3)
        json.dumps(client.ledger())


@pytest.mark.parametrize("name", MOODS)
def test_every_mood_is_made_of_known_names(name):
    mood = MOODS[name]
    assert mood.mix.keys() <= TEMPERS.keys()
    assert {PostFault(value) for value in mood.posts} <= set(PostFault)
    assert {PollFault(value) for value in mood.reads} <= set(PollFault)


@pytest.mark.parametrize(
    "fields",
    [
        {"mix": {"fails": 0.7, "hang": 0.4}},
        {"posts": {"cut": -0.1}},
        {"history": 1.5},
        {"page_size": 0},
        {"retry_after": 0},
        {"view_lag": timedelta(seconds=-1)},
    ],
)
def test_an_impossible_mood_is_refused(fields):
    with pytest.raises(ValueError, match=r"must lie|at least"):
        Mood(**fields)


def test_a_mood_gives_tempers_only_to_machines_without_one():
    mood = Mood(mix={"fails": 1.0})
    client = Client(vm(), vm("vm-two", temper="nothing_to_do"), mood=mood)
    tempers = [one["temper"] for one in client.azure.machines(EVENING)]
    assert tempers == ["fails", "nothing_to_do"]


def test_weather_loses_answers_at_about_its_rates():
    machines = [vm(f"vm-{number}") for number in range(400)]
    client = Client(*machines, mood=replace(FLAKY, limits=Mood().limits))
    answers = []
    for machine in machines:
        answers.append(client.post(machine))
        client.wait(seconds=1)
    lost = sum(not isinstance(answer, Reply) or answer.status != 202 for answer in answers)
    assert 0.24 < lost / 400 < 0.42  # the rates add up to 0.33
    taken = [one for one in client.installations() if not one["answered"]]
    assert 0.1 < len(taken) / 400 < 0.24  # and to 0.17


def test_a_fleet_with_a_history_shows_earlier_runs_that_the_ledger_does_not_know():
    machines = [vm(f"vm-{number}") for number in range(40)]
    client = Client(*machines, mood=Mood(history=0.5))
    seen = [client.summary(machine) for machine in machines]
    patched = [summary for summary in seen if summary is not None]
    assert 10 < len(patched) < 30
    for summary in patched:
        age = EVENING - datetime.fromisoformat(summary["startTime"])
        assert timedelta(days=34) < age < timedelta(days=61)
    assert client.installations() == []
