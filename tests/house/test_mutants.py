"""The planted bugs still fit the code that they are planted in."""

import pytest

from tests.house import tree
from tests.mutants.catalogue import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_replaces_what_is_there_once_and_compiles(mutant):
    texts = {edit.file: tree.text(tree.ROOT / edit.file) for edit in mutant.edits}
    for edit in mutant.edits:
        assert texts[edit.file].count(edit.before) == 1, f"{edit.file}: {edit.before}"
        texts[edit.file] = texts[edit.file].replace(edit.before, edit.after)
    for name, text in texts.items():
        compile(text, name, "exec")


def test_each_planted_bug_has_a_name_and_a_reason_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.why and mutant.edits for mutant in MUTANTS)


def test_there_are_enough_planted_bugs():
    assert sum(not mutant.masked_by for mutant in MUTANTS) >= 45
