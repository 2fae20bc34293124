"""Values as a file writes them."""

from datetime import UTC, datetime, time, timedelta

import pytest

from orchestrator.config.document import read
from orchestrator.config.nodes import plain
from orchestrator.config.writing import written

AWKWARD = [
    *("", " ", "a, b", "a: b", "a:", "a #b", "#", "- a", "? a", "*a", "&a", "!a", "%a", "@a", "`a"),
    *("1", "-1", "1.5", "0x1f", "null", "~", "true", "off", "22:00", "{a", "[a]", "'a'", 'a"b'),
    *("a\nb", "a\tb", "a\\b", "größer", "a ", " a", ".", "..", "-", "--", "---", "+4d", "25%"),
    *("tag:cluster", "https://a.example/x?y=1", "https://a.example:8443", "|", ">", "<<", "=", "."),
]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_reads_back_as_it_was_wherever_it_stands(text):
    value = {"alone": text, "listed": (text, text), "mapped": {"a": text}}
    node, problems = read("f", written(value).encode())
    assert not problems
    assert node is not None
    assert plain(node) == {"alone": text, "listed": [text, text], "mapped": {"a": text}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        (2.0, "2"),
        (2.5, "2.5"),
        (10_000_000, "10000000"),
        (timedelta(minutes=90), "1h30m"),
        (-timedelta(hours=12), "-12h"),
        (time(22), '"22:00"'),
        (datetime(2026, 11, 30, tzinfo=UTC), '"2026-11-30T00:00:00Z"'),
        ((1, 5, "25%"), "[1, 5, 25%]"),
        ({"start": time(4), "days": ("sat", "sun")}, '{start: "04:00", days: [sat, sun]}'),
    ],
)
def test_a_value_is_spelt_as_people_write_it(value, text):
    assert written(value) == text


def test_a_password_in_a_url_is_not_written():
    assert "hush" not in written(("postgresql://me:hush@host/db", {"url": "https://a/?sig=hush"}))
