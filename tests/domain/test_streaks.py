"""What several answers in a row prove, and how soon to ask again after one that told nothing."""

from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain.streaks import APART, READS, Streaks, soon
from tests.kit.rows import EPOCH, a_target, a_vm

VM, OTHER = a_vm(0), a_vm(1)
LOST = a.Unreadable(reason="the connection broke before an answer came")
GONE = a.Gone(reason="Azure answered 404 NotFound")
FORGOTTEN = a.Untrackable(reason="Azure answered 404 NotFound", http_status=404)
SEEN = a.Seen(
    vm_id=VM, region=a_target(0).region, os="Linux", power="running", agent_ready=True, last=None
)
NOT_FOUND = [pytest.param(GONE, id="a look"), pytest.param(FORGOTTEN, id="a poll")]


def heard(*answers, streaks=None, every=APART):
    """Return what is believed of answers that come one after the other."""
    streaks = streaks or Streaks()
    return [
        streaks.heard(VM, answer, EPOCH + number * every) for number, answer in enumerate(answers)
    ]


@pytest.mark.parametrize("answer", NOT_FOUND)
def test_one_404_proves_nothing(answer):
    (believed,) = heard(answer)
    assert believed == a.Unreadable(reason="Azure answered 404 NotFound", http_status=404)


@pytest.mark.parametrize("answer", NOT_FOUND)
def test_several_404_that_lie_apart_are_believed(answer):
    *first, last = heard(*[answer] * READS)
    assert all(isinstance(each, a.Unreadable) for each in first)
    assert last is answer


@pytest.mark.parametrize("answer", NOT_FOUND)
def test_any_number_of_404_within_seconds_proves_nothing(answer):
    believed = heard(*[answer] * 20, every=timedelta(seconds=1))
    assert all(isinstance(each, a.Unreadable) for each in believed)


@pytest.mark.parametrize("answer", NOT_FOUND)
def test_whoever_was_seen_in_between_is_not_gone(answer):
    believed = heard(*[answer] * (READS - 1), SEEN, *[answer] * (READS - 1))
    assert answer not in believed


def test_what_told_nothing_neither_proves_nor_disproves_that_a_vm_is_gone():
    assert heard(GONE, LOST, GONE, LOST, LOST, GONE)[-1] is GONE
    assert heard(LOST, LOST, LOST, GONE)[-1] != GONE


def test_one_vm_says_nothing_about_another():
    streaks = Streaks()
    heard(LOST, GONE, streaks=streaks)
    assert (streaks.spoiled(VM), streaks.spoiled(OTHER)) == (2, 0)
    assert isinstance(streaks.heard(OTHER, GONE, EPOCH + 9 * APART), a.Unreadable)


@pytest.mark.parametrize(
    "answer",
    [SEEN, a.Running(), a.Finished(report=None), a.Untrackable(reason="403", http_status=403)],
)
def test_an_answer_that_tells_something_is_passed_on_and_ends_the_row(answer):
    streaks = Streaks()
    assert heard(LOST, LOST, answer, streaks=streaks)[-1] is answer
    assert streaks.spoiled(VM) == 0


def test_a_429_tells_nothing_about_the_vm():
    streaks = Streaks()
    throttled = a.Throttled(retry_after=timedelta(seconds=7), reason="x")
    assert heard(LOST, throttled, streaks=streaks)[-1] is throttled
    assert streaks.spoiled(VM) == 1


def test_the_same_is_asked_again_after_seconds_and_then_less_and_less_soon():
    waits = [soon(number) for number in range(1, 6)]
    assert waits == [timedelta(seconds=each) for each in (5, 10, 20, 40, 80)]
    assert soon(0) == waits[0]
    assert soon(10_000) > timedelta(days=30)
