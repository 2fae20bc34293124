"""Nights in which Azure begins a run of its own a moment before each request of ours, and Resource
Graph tells of it too late: what the simulation calls a false success, and what it does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.following import settle
from orchestrator.domain.model import Tracking
from orchestrator.simulator.tempers import Busy
from tests.simulation.schedule import play
from tests.simulation.weather import Weather

TRACKING = Tracking(
    poll=timedelta(seconds=5),
    settle=timedelta(seconds=30),
    overdue=timedelta(seconds=30),
    request_timeout=timedelta(seconds=5),
)
REFUSED = Weather(
    takes=(10.0, 60.0),
    graph_lag=600.0,
    busy=Busy.CONFLICT,
    waves=(2, 2),
    heal_at=40.0,
    temper=1.0,
    tempers=("platform_first",),
    tracking=TRACKING,
)
UNHEARD = replace(REFUSED, rates={"post.reply_lost": 1.0})
TAKEN = "a success of Azure's own taken for ours"


def nights(weather):
    return [play(seed, weather=weather) for seed in range(4)]


def test_a_409_that_was_heard_never_becomes_a_success():
    for night in nights(REFUSED):
        assert not night.breaches
        assert night.counts["unknown>needs_human"] > 0
        assert night.counts["verifying>succeeded"] == 0


def test_where_the_409_was_lost_the_success_of_azures_own_is_counted_and_no_breach():
    heard = nights(UNHEARD)
    assert not [night.breaches for night in heard if night.breaches]
    assert sum(night.counts[TAKEN] for night in heard) > 0


def test_one_of_azures_own_that_ours_takes_precedence_over_is_no_end_of_ours():
    """Ours still runs when the one that it has superseded is taken for it."""
    heard = nights(replace(UNHEARD, busy=Busy.SUPERSEDES))
    assert not [night.breaches for night in heard if night.breaches]
    assert sum(night.counts["Azure's own taken for ours"] for night in heard) > 0


@pytest.mark.parametrize(
    ("weather", "trusting"),
    [
        (REFUSED, lambda state, trace: (replace(state, conflict=None), trace)),
        (replace(UNHEARD, graph_lag=0.0), lambda state, _trace: (state, None)),
    ],
    ids=["the 409 is forgotten", "Resource Graph is not listened to"],
)
def test_who_could_have_told_and_did_not_is_seen(monkeypatch, weather, trusting):
    def careless(state, answer, plan, wave, now, trace=None, **given):
        state, trace = trusting(state, trace)
        return settle(state, answer, plan, wave, now, trace, **given)

    monkeypatch.setattr("orchestrator.engine.follow.settle", careless)
    monkeypatch.setattr("orchestrator.domain.following.PLATFORM", "nobody")
    breaches = [breach for night in nights(weather) for breach in night.breaches]
    assert any(breach.startswith("INV-10") for breach in breaches), breaches
