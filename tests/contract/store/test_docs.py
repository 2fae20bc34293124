"""`docs/status-database.md` is true: it names every column of every view, and its SELECTs run."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.store.public import VIEWS
from tests.contract.store.kit import moved, opened, to_verifying

PAGE = (Path(__file__).parents[3] / "docs" / "status-database.md").read_text("utf-8")
USEFUL = re.findall(r"^(\d+)\. .*?\n\n```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)


def documented(view):
    """Return the columns that the page's section about a view names, in order."""
    section = PAGE.split(f"\n## `{view}`")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_every_view_is_documented_in_its_order(view):
    assert documented(view) == list(VIEWS[view].columns.keys())


def test_there_are_ten_useful_selects():
    assert [int(number) for number, _ in USEFUL] == list(range(1, 11))


async def test_every_useful_select_runs(store, database):
    lease, ops = await opened(store, "vm-0042", "vm-0043")
    for op in ops:
        await moved(store, lease, op, *to_verifying())
    for number, statement in USEFUL:
        rows = await database.read(lambda c, query=statement: c.execute(text(query)).all())
        if number in {"1", "4", "5", "8", "9"}:
            assert rows, number


async def test_the_durations_are_as_the_page_computes_them(store, database, url):
    lite, full = re.findall(r"-- (?:SQLite|PostgreSQL)[^\n]*\n(SELECT[^;]*);", PAGE)
    query = lite if url.startswith("sqlite") else full
    await opened(store, "vm-1")
    assert await database.read(lambda c: c.execute(text(query)).all()) == [("vm-1", None)]
