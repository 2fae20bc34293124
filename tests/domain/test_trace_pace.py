"""When Resource Graph is asked: where it may know more than a look, a few times, and at the end."""

from dataclasses import replace

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import states as s
from orchestrator.domain.tracing import sighted, trace_due, worth_tracing
from tests.domain.test_tracing import (
    ADOPTED,
    DONE,
    EXPECTING,
    HUMAN,
    OTHER,
    OURS,
    SOON,
    TRACKING,
    UNKNOWN,
    a_look,
    a_result,
)
from tests.kit.rows import EPOCH, minutes


@pytest.mark.parametrize(
    ("state", "answer", "worth"),
    [
        (UNKNOWN, a_look(), True),
        (UNKNOWN, a_look(OTHER, "InProgress"), True),
        (UNKNOWN, a.Unreadable(reason="x"), True),
        (EXPECTING, a_look(OURS, "InProgress"), False),
        (EXPECTING, a_look(OTHER, "InProgress"), True),
        (ADOPTED, a_look(), True),
        (ADOPTED, a_look(OURS, "InProgress"), False),
        (ADOPTED, a_look(OURS, "Succeeded"), False),
        (replace(ADOPTED, activity=None), a_look(), False),
        (replace(ADOPTED, deadline=SOON), a_look(OURS, "InProgress"), True),
        (DONE, a_look(OURS), True),
        (replace(DONE, result=None), a_look(), True),
        (replace(DONE, activity=None), a_look(), False),
        (replace(DONE, result=a_result("Succeeded", reboot="Completed")), a_look(), False),
        (HUMAN, a_look(), True),
        (HUMAN, a_look(OURS), False),
        (replace(HUMAN, activity=None), a_look(), False),
        (replace(HUMAN, why=s.Why("not_ours", "x")), a_look(), False),
    ],
)
def test_resource_graph_is_asked_where_it_may_know_more(state, answer, worth):
    assert worth_tracing(state, answer, SOON) is worth


def asked(state, until, *, sighted=False):
    """Return the minutes at which a VM that is looked at every half minute is asked about."""
    asked_at, found = None, []
    for half in range(int(until * 2) + 1):
        now = EPOCH + minutes(half / 2)
        if trace_due(state, asked_at, TRACKING, now, sighted=sighted):
            asked_at = now
            found.append(half / 2)
    return found


def test_a_doubt_is_asked_about_a_few_times_and_once_more_at_its_end():
    assert asked(UNKNOWN, 15) == [1, 4, 7, 10, 13, 15]


def test_a_doubt_that_lacks_only_a_word_is_asked_about_every_minute():
    assert asked(UNKNOWN, 4, sighted=True) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("state", "answer", "near"),
    [
        (UNKNOWN, a_look(OTHER, "InProgress"), True),
        (UNKNOWN, a_look(), False),
        (UNKNOWN, a.Unreadable(reason="x"), False),
        (replace(UNKNOWN, baseline=OTHER), a_look(OTHER), False),
        (replace(UNKNOWN, conflict=s.Conflict.BUSY), a_look(OTHER, "InProgress"), False),
        (ADOPTED, a_look(OTHER), False),
    ],
)
def test_only_a_look_that_shows_something_new_makes_it_near(state, answer, near):
    assert sighted(state, answer) is near


def test_an_adopted_one_is_asked_about_every_three_minutes_and_at_its_deadline():
    short = replace(ADOPTED, deadline=EPOCH + minutes(10))
    assert asked(short, 10) == [3, 6, 9, 10]


def test_what_has_ended_is_asked_about_at_once_and_every_minute():
    assert asked(DONE, 3) == [0, 1, 2, 3]


def test_who_waits_for_a_person_is_asked_about_at_each_look():
    assert trace_due(HUMAN, EPOCH, TRACKING, EPOCH)
