"""What the pages say of tests is true: each that they name is there, and each rule has one."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from tests.house import tree

PAGES: Final = tuple(path for path in tree.files() if path.suffix == ".md")
PAGE: Final = tree.text(tree.ROOT / "docs" / "what-is-tested.md")
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW: Final = re.compile(r"^\| (?!the |what (?:goes|is) |---)(.+) \|$", re.MULTILINE)
RULES: Final = 70
"""At least so many rules are listed: a page that shrinks says why in its change."""


@cache
def the_tests_of(name: str) -> frozenset[str]:
    """Return the names of the tests of a file that pytest would run."""
    path = tree.ROOT / name
    if not path.exists():
        return frozenset()
    body = tree.parse(path).body
    found = {each.name for each in body if isinstance(each, tree.Function)}
    return frozenset(each for each in found if each.startswith("test_"))


def missing(page: str) -> Iterator[str]:
    """Yield the tests that a page names and that are not where it says."""
    for file, test in NAMED.findall(page):
        if test not in the_tests_of(file):
            yield f"{file}::{test}"


def test_every_test_that_is_named_with_its_file_is_there():
    assert not [each for path in PAGES for each in missing(tree.text(path))]


def test_every_test_that_is_named_alone_is_somewhere():
    files = [tree.name(path) for path in tree.modules("tests")]
    there = frozenset().union(*map(the_tests_of, files))
    named = {each for path in PAGES for each in re.findall(r"`(test_\w+)`", tree.text(path))}
    assert not named - there


def test_every_rule_on_the_page_names_a_test_that_holds_it():
    rows = ROW.findall(PAGE)
    assert len(rows) >= RULES
    assert not [row for row in rows if not NAMED.search(row)]


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        ("| a rule | `tests/domain/test_halting.py::test_zero_halts_at_the_first_failure` |", []),
        (
            "| a rule | `tests/domain/test_halting.py::test_zero_halts_at_the_second` |",
            ["tests/domain/test_halting.py::test_zero_halts_at_the_second"],
        ),
        (
            "| a rule | `tests/domain/test_gone.py::test_zero_halts_at_the_first_failure` |",
            ["tests/domain/test_gone.py::test_zero_halts_at_the_first_failure"],
        ),
        # A word of a test is no test.
        (
            "| a rule | `tests/domain/test_halting.py::allowed` |",
            ["tests/domain/test_halting.py::allowed"],
        ),
    ],
)
def test_a_test_that_is_not_there_is_seen(page, seen):
    assert list(missing(page)) == seen
