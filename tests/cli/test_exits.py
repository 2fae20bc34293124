"""Exit codes: which one a command ends with when several hold."""

from itertools import permutations

import pytest

from orchestrator.cli.exits import Exit, heaviest
from orchestrator.cli.progress import exits


def test_the_exit_codes_are_the_documented_ones():
    assert {code.name: code.value for code in Exit} == {
        "DONE": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "HALTED": 3,
        "NEEDS_A_PERSON": 4,
        "NOT_DONE": 5,
        "OUT_OF_REACH": 6,
        "INTERRUPTED": 130,
    }


def test_of_two_codes_the_heavier_holds_in_any_order():
    order = [130, 1, 2, 6, 4, 3, 5, 0]
    for one, other in permutations(Exit, 2):
        assert order.index(heaviest([one, other])) == min(order.index(one), order.index(other))


def test_without_any_code_all_is_done():
    assert heaviest([]) is Exit.DONE


@pytest.mark.parametrize(
    ("status", "wave", "codes"),
    [
        ("open", "awaiting_approval", [Exit.NEEDS_A_PERSON]),
        ("open", "baking", []),
        ("halted", "awaiting_approval", [Exit.HALTED]),
        ("cancelled", "awaiting_approval", [Exit.NOT_DONE]),
    ],
)
def test_a_run_whose_wave_waits_for_an_approval_needs_a_person(status, wave, codes):
    run = {"status": status, "needs_human": 0, "reason": None}
    assert exits(run, [{"status": wave}]) == codes
