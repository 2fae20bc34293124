"""Text from outside on a terminal: nothing in it steers the terminal or hides a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.foreign import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vm-1", "vm-1"),
        ("Grüße 日本 ✓", "Grüße 日本 ✓"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\x85\x9b", "a\\u2028b\\x85\\x9b"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_steers_is_escaped_and_what_reads_stays(text, shown):
    assert harmless(text) == shown


def test_line_breaks_of_our_own_stay_when_asked():
    assert harmless("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@given(st.text(max_size=80))
def test_whatever_comes_is_printable(text):
    assert all(each.isprintable() or each.isspace() for each in harmless(text))
    assert not set(harmless(text)) & {"\n", "\r", "\t", "\x1b", "\u2028"}
