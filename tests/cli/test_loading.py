"""What a command loads: a person waits for it each time. Told by `sys.modules`, not by a clock."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.store.opening import open_store
from tests.kit.clock import HandClock

FOR_AZURE = {"aiohttp", "azure", "orchestrator.arm", "orchestrator.engine", "orchestrator.daemon"}
FOR_OTHERS = {"alembic", "prometheus_client", "rich", "structlog", "orchestrator.simulator"}
FOR_POSTGRESQL = {"asyncpg", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm"}
FOR_THE_DATABASE = {"sqlalchemy", "sqlite3", "orchestrator.store"}
FOR_THE_CONFIGURATION = {"pydantic", "yaml", "orchestrator.config"}

TELLS = """\
import sys
from orchestrator.cli import run
code = run(sys.argv[1:])
print(code, *sys.modules)
"""
PLAN = """\
database: sqlite:///fleet.db
plans:
  - {name: monthly, waves: [{select: {tags: {ring: canary}}}]}
"""


def loaded(folder: Path, *words: str) -> set[str]:
    """Run a command in a process of its own; return the modules that it has at its end."""
    done = subprocess.run(
        [sys.executable, "-c", TELLS, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.fixture
async def folder(tmp_path) -> Path:
    """Give a folder with a configuration and its database."""
    (tmp_path / "fleet.yaml").write_text(PLAN)
    async with open_store(f"sqlite:///{tmp_path}/fleet.db", clock=HandClock(), durable=False):
        pass
    return Path(tmp_path)


def test_help_loads_nothing_but_the_table_of_commands(tmp_path):
    found = loaded(tmp_path, "--help")
    unwanted = FOR_AZURE | FOR_OTHERS | FOR_POSTGRESQL | FOR_THE_DATABASE | FOR_THE_CONFIGURATION
    assert not found & (unwanted | {"asyncio"})


async def test_status_loads_what_reads_a_sqlite_file_and_nothing_else(folder):
    found = loaded(folder, "status", "-c", "fleet.yaml")
    assert found > FOR_THE_DATABASE
    assert not found & (FOR_AZURE | FOR_OTHERS | FOR_POSTGRESQL)


async def test_the_brake_loads_what_writes_a_sqlite_file_and_nothing_else(folder):
    for words in (("halt", "--all", "--because", "smoke"), ("resume", "--all", "--because", "out")):
        found = loaded(folder, *words, "-c", "fleet.yaml")
        assert not found & (FOR_AZURE | FOR_OTHERS | FOR_POSTGRESQL), words
