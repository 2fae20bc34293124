"""The gate itself: bugs that show at once are caught, and what is no bug is not."""

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Edit, Mutant
from tests.mutants.planting import copied, judge

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
SAMPLE = {
    "the intent is not committed": "INV-2",
    "no bake": "INV-5",
    "moves leave no line in the log": "INV-18",
}


@pytest.fixture(scope="module")
def clean():
    with copied() as root:
        yield root


@pytest.mark.parametrize(("name", "invariant"), SAMPLE.items())
def test_a_planted_bug_is_caught_by_the_invariant_it_breaks(clean, name, invariant):
    outcome = judge(BY_NAME[name], clean, schedules=30)
    assert outcome.after is not None, outcome
    assert outcome.invariant == invariant


def test_what_changes_nothing_is_not_caught(clean):
    nothing = Edit("orchestrator/engine/book.py", "_LAST_TRIES = 5\n", "_LAST_TRIES = 6\n")
    outcome = judge(Mutant("one more try", "no bug", (nothing,)), clean, schedules=2)
    assert (outcome.after, outcome.error) == (None, "")


def test_a_bug_that_cannot_be_planted_is_no_catch(clean):
    gone = Edit("orchestrator/engine/book.py", "what nobody wrote", "")
    outcome = judge(Mutant("nowhere", "no bug", (gone,)), clean, schedules=1)
    assert outcome.after is None
    assert "0 places" in outcome.error


def test_a_bug_that_stops_the_simulation_is_no_catch(clean):
    broken = Edit("orchestrator/engine/book.py", "_LAST_TRIES = 5\n", "_LAST_TRIES = nothing\n")
    outcome = judge(Mutant("broken", "no bug", (broken,)), clean, schedules=1)
    assert outcome.after is None
    assert "did not run" in outcome.error
