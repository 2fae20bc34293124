"""The table of behaviours: large enough, unambiguous, whole, and the one that is printed."""

import ast
from collections import Counter
from pathlib import Path

from tests.contract.arm import behaviours
from tests.contract.arm.behaviours import table
from tests.contract.arm.behaviours.row import Ask
from tests.contract.arm.behaviours.table import ROWS
from tools.answers import KINDS, PAGE, page

ENOUGH = 300
FOLDER = Path(behaviours.__path__[0])


def test_there_are_enough_behaviours_and_some_of_every_request():
    counts = Counter(row.ask for row in ROWS)
    assert sum(counts.values()) >= ENOUGH
    assert min(counts[ask] for ask in Ask) >= 50


def test_a_behaviour_has_one_name():
    twice = [name for name, number in Counter(row.id for row in ROWS).items() if number > 1]
    assert not twice


def test_every_row_of_the_modules_is_in_the_table():
    modules = [value for value in vars(table).values() if hasattr(value, "ROWS")]
    written = {row.id for module in modules for row in module.ROWS}
    assert written == {row.id for row in ROWS}
    assert len(modules) == len(
        [path for path in FOLDER.glob("*.py") if "ROWS =" in path.read_text()]
    )


def test_every_kind_of_answer_has_a_behaviour():
    assert {row.outcome.kind for row in ROWS} == set(KINDS)


def test_no_row_calls_what_it_judges():
    """A row's outcome is written down: its module imports no client, no transport and no rule."""
    judges = ("orchestrator.arm", "orchestrator.domain.submitting", "orchestrator.domain.following")
    rows = [path for path in FOLDER.glob("*.py") if path.stem not in {"after", "carriers"}]
    imported = {
        node.module or ""
        for path in rows
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert len(rows) > 10
    assert not [name for name in imported if name.startswith(judges)]


def test_the_page_is_the_table():
    told = "docs/azure-answers.md is old: run python -m tools.answers"
    assert PAGE.read_text(encoding="utf-8") == page(), told
