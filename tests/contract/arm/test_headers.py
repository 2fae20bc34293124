"""How long Azure asks us to wait, and what its clock says (design 8, reliability A2)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.arm import headers
from orchestrator.arm.exchange import fold
from tests.contract.arm.bench import EVENING, OPERATION

DATE = "Sun, 22 Nov 2026 18:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        (" 17 ", 17),
        ("1.5", 1.5),
        ("0.2", 1),
        ("1", 1),
        ("1200", 1200),
        ("1201", 1200),
        ("99999999999", 1200),
        ("99999999999999999999", 1200),
        ("+7", 7),
        ("0", 30),
        ("0.0", 30),
        ("-5", 30),
        ("nan", 30),
        ("inf", 30),
        ("-inf", 30),
        ("1e11", 30),
        ("", 30),
        ("soon", 30),
        ("5, 9", 30),
        ("\u0665", 30),
        ("9" * 5000, 30),
        ("Sun, 22 Nov 2026 18:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 23:00:00 GMT", 1200),
        ("Sun, 22 Nov 2026 17:59:00 GMT", 30),
        ("Sun, 22 Nov 2026 18:00:00 GMT", 30),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1200),
        ("Sun, 99 Nov 2026 18:00:00 GMT", 30),
    ],
)
def test_a_wait_is_between_a_second_and_twenty_minutes(value, seconds):
    wait = headers.retry_after({"retry-after": value, "date": DATE})
    assert wait == timedelta(seconds=seconds)


def test_no_header_is_no_wait():
    assert headers.retry_after({"date": DATE}) is None


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_a_date_needs_the_answers_own_clock(date):
    wait = headers.retry_after({"retry-after": "Sun, 22 Nov 2026 18:02:00 GMT", **date})
    assert wait == timedelta(seconds=30)


@pytest.mark.parametrize("name", ["retry-after-ms", "x-ms-retry-after-ms"])
def test_milliseconds_are_milliseconds(name):
    assert headers.retry_after({name: "2500"}) == timedelta(seconds=2.5)
    assert headers.retry_after({name: "1"}) == timedelta(seconds=1)
    assert headers.retry_after({name: "-1"}) == timedelta(seconds=30)


def test_seconds_come_before_milliseconds():
    both = {"x-ms-retry-after-ms": "1", "retry-after-ms": "2000", "retry-after": "7"}
    assert headers.retry_after(both) == timedelta(seconds=7)


@given(st.text(), st.text())
def test_no_header_can_make_us_fail_or_wait_for_ever(value, date):
    wait = headers.retry_after({"retry-after": value, "date": date})
    assert wait is not None
    assert timedelta(seconds=1) <= wait <= timedelta(minutes=20)
    assert abs(headers.skew({"date": date}, EVENING)) <= timedelta(days=1)


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Sun, 22 Nov 2026 18:00:42 GMT", 42),
        ("Sun, 22 Nov 2026 17:55:00 GMT", -300),
        ("Sun, 22 Nov 2026 20:00:00 +0200", 0),
        ("Sun, 22 Nov 2026 18:00:10 -0000", 10),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 0),
        ("", 0),
        ("garbage", 0),
    ],
)
def test_the_skew_is_azures_clock_minus_ours(date, skew):
    assert headers.skew({"date": date}, EVENING) == timedelta(seconds=skew)


def test_without_a_date_there_is_no_skew():
    assert headers.skew({}, datetime(2026, 1, 1, tzinfo=UTC)) == timedelta(0)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (OPERATION, OPERATION),
        (OPERATION.upper(), OPERATION),
        (f"{OPERATION}, {OPERATION}", None),
        ("westeurope:8d1ed2fc", None),
        ("", None),
        (f"{OPERATION}\n", None),
    ],
)
def test_a_request_id_is_a_guid_or_nothing(value, found):
    assert headers.request_id({"x-ms-request-id": value}) == found


def test_header_names_fold_and_a_line_said_twice_counts_once():
    lines = [
        ("Azure-AsyncOperation", "https://a"),
        ("azure-asyncoperation", "https://a"),
        ("X-Limit", "a;1"),
        ("x-limit", "b;2"),
    ]
    assert fold(lines) == {"azure-asyncoperation": "https://a", "x-limit": "a;1, b;2"}
