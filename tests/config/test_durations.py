"""Durations and percentages: what people write, and what they write by mistake."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.durations import (
    read_duration,
    read_moved,
    read_percent,
    read_some,
    show_duration,
    show_share,
)
from orchestrator.config.problems import Wrong

LENGTHS = st.integers(0, 3660 * 86_400_000_000).map(lambda us: timedelta(microseconds=us))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45m", 2700),
        ("4h", 14_400),
        ("14d", 1_209_600),
        ("1h30m", 5400),
        ("1d2h3m4s5ms", 93_784.005),
        ("1.5h", 5400),
        ("200ms", 0.2),
        ("0s", 0),
        ("PT90M", 5400),
        ("P14D", 1_209_600),
        ("P1W", 604_800),
        ("P1DT2H", 93_600),
        ("PT0.5S", 0.5),
        (" 4h ", 14_400),
    ],
)
def test_a_duration_is_read_in_short_and_in_iso_form(text, seconds):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("90", "90s"),
        ("0", "0s"),
        ("-5m", "write 5m"),
        ("+5m", "write 5m"),
        ("-PT5M", "write PT5M"),
        ("00:30:00", "30m"),
        ("22:30", "22h30m"),
        ("P1M", "30d"),
        ("P1Y", "30d"),
        ("P1Y2DT3H", "30d"),
        ("PT", "90s"),
        ("P", "90s"),
        ("", "90s"),
        ("1m1h", "90s"),
        ("1 h", "90s"),
        ("4x", "90s"),
        ("٣s", "90s"),
        ("1e9s", "90s"),
        ("9" * 39 + "d", "shorter"),
        ("9" * 50 + "d", "90s"),
        ("3661d", "shorter"),
    ],
)
def test_anything_else_is_refused_with_a_better_spelling(text, fix):
    with pytest.raises(Wrong) as caught:
        read_duration(text)
    assert fix in caught.value.fix


@given(LENGTHS)
def test_what_is_shown_reads_back(length):
    assert read_duration(show_duration(length)) == length


@given(LENGTHS.map(lambda length: length - timedelta(days=1830)))
def test_a_move_keeps_its_sign(moved):
    assert read_moved(show_duration(moved)) == moved
    if moved > timedelta(0):
        assert read_moved(f"+{show_duration(moved)}") == moved


@given(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_short_and_iso_form_agree(days, hours, minutes, seconds):
    days %= 3600
    short = read_duration(f"{days}d{hours}h{minutes}m{seconds}s")
    assert short == read_duration(f"P{days}DT{hours}H{minutes}M{seconds}S")
    assert short == timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@given(st.text("0123456789.dhmswPTDHMSYW:+- ", max_size=45))
def test_no_text_breaks_the_reading(text):
    try:
        length = read_duration(text)
    except Wrong as wrong:
        length = timedelta(0)
        fix = wrong.fix
    else:
        fix = "none needed"
    assert length >= timedelta(0)
    assert fix


@given(st.integers(0, 100), st.integers(0, 9999))
def test_a_percentage_is_the_number_before_its_sign(whole, fraction):
    text = f"{whole}.{fraction:04}" if whole < 100 else "100"
    assert read_percent(f"{text}%") == float(text)
    assert read_percent(f"{text} %") == float(text)


@pytest.mark.parametrize("text", ["101%", "100.1%", "-1%", "%", "5", "5%%", "1e1%", "٣%", "five%"])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(Wrong):
        read_percent(text)


@given(st.integers(1, 99), st.integers(0, 9999))
def test_how_many_at_once_is_shown_as_it_is_read(whole, fraction):
    """`set` sends it on as text: what arrives must be what was written."""
    for written in (f"{whole}.{fraction:04}%", f"{whole}%", str(whole)):
        share = read_some(written)
        assert read_some(show_share(share)) == share
    assert show_share(read_some("0.0001%")) == "0.0001%"
