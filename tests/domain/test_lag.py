"""How far Resource Graph trails, by what it shows for the first time."""

from datetime import timedelta
from itertools import count

from orchestrator.domain.answer import Hint
from orchestrator.domain.lag import REMEMBERED, Asked, Lag
from orchestrator.domain.model import ActivityId
from tests.kit.rows import EPOCH, a_vm, minutes

ZERO, MOST = timedelta(0), minutes(10)
NOW = EPOCH + minutes(60)
EARLIER = Asked(NOW - timedelta(seconds=25), NOW - minutes(20))
numbers = count()


def a_hint(changed_at, *, ended=True, activity=None):
    own = activity or ActivityId(f"i{next(numbers)}")
    return Hint(vm_id=a_vm(0), activity=own, ended=ended, changed_at=changed_at)


def learned(*hints, before=EARLIER, skew=ZERO):
    lag = Lag(MOST)
    lag.learn(hints, before, NOW, skew)
    return lag.longest


def test_nothing_is_known_at_first():
    lag = Lag(MOST)
    assert (lag.longest, lag.usual) == (ZERO, ZERO)


def test_what_the_question_before_should_have_shown_is_at_least_as_late_as_that():
    assert learned(a_hint(NOW - minutes(4))) == minutes(4) - timedelta(seconds=25)


def test_what_changed_after_the_question_before_is_not_late():
    assert learned(a_hint(NOW - timedelta(seconds=10))) == ZERO


def test_what_the_question_before_did_not_ask_about_is_late_by_all_the_time_since():
    narrow = Asked(EARLIER.at, NOW - minutes(1))
    assert learned(a_hint(NOW - minutes(4)), before=narrow) == minutes(4)


def test_the_first_answer_says_nothing_about_how_late_it_is():
    assert learned(a_hint(NOW - minutes(4)), before=None) == ZERO


def test_what_was_shown_before_is_not_late_and_its_end_is_another_thing():
    lag, activity = Lag(MOST), ActivityId("i")
    running = a_hint(NOW - minutes(8), ended=False, activity=activity)
    lag.learn([running], None, NOW, ZERO)
    lag.learn([running], EARLIER, NOW, ZERO)
    assert lag.longest == ZERO
    lag.learn([a_hint(NOW - minutes(3), activity=activity)], EARLIER, NOW, ZERO)
    assert lag.longest == minutes(3) - timedelta(seconds=25)


def test_azures_clock_is_compared_with_ours():
    ahead = minutes(2)
    assert learned(a_hint(NOW - minutes(4) + ahead), skew=ahead) == learned(
        a_hint(NOW - minutes(4))
    )


def test_what_was_overlooked_for_long_counts_for_no_more_than_the_most():
    assert learned(a_hint(NOW - minutes(19))) == MOST


def test_a_row_without_a_time_says_nothing():
    assert learned(a_hint(None)) == ZERO


def test_nine_of_ten_are_the_usual_and_the_latest_are_remembered():
    lag = Lag(MOST)
    prompt = [a_hint(NOW) for _ in range(95)]
    lag.learn([*prompt, *[a_hint(NOW - minutes(9)) for _ in range(5)]], EARLIER, NOW, ZERO)
    assert lag.usual == ZERO
    assert lag.longest > minutes(8)
    lag.learn([a_hint(NOW) for _ in range(REMEMBERED)], EARLIER, NOW, ZERO)
    assert lag.longest == ZERO


def test_what_no_question_will_show_again_is_forgotten():
    lag, old = Lag(MOST), a_hint(NOW - minutes(15))
    lag.learn([old], None, NOW, ZERO)
    lag.forget(NOW - minutes(15))
    lag.learn([old], EARLIER, NOW, ZERO)
    assert lag.longest == ZERO, "it was still known"
    lag.forget(NOW - minutes(14))
    lag.learn([old], EARLIER, NOW, ZERO)
    assert lag.longest == MOST
