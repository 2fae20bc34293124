"""The Makefile's promises: what `make` prints, and recipes that a person reads at a glance."""

import re
import subprocess

from tests.house import tree

TEXT = tree.text(tree.ROOT / "Makefile")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
RECIPE_LINES = 8


def test_plain_make_prints_every_target_with_a_description():
    printed = subprocess.run(
        ["make", "--no-print-directory"], cwd=tree.ROOT, capture_output=True, text=True, check=True
    )
    described = dict(re.findall(r"^  make (\S+) +(\S.+)$", printed.stdout, re.MULTILINE))
    assert list(described) == TARGET.findall(TEXT)
    assert printed.stdout.count("\n") == len(described)


def test_every_target_is_phony():
    phony = re.search(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(TARGET.findall(TEXT))


def test_a_recipe_is_short():
    rules = re.findall(r"^(\S+):.*\n((?:\t.*\n)+)", TEXT, re.MULTILINE)
    assert {name for name, _ in rules} >= {"test", "check", "demo"}
    assert not [name for name, recipe in rules if recipe.count("\n") > RECIPE_LINES]
