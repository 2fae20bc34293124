"""Fixtures for a conftest: an empty database with the tables of today, copied from one that was
migrated once."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.store import migrate
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from tests.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated, empty SQLite file to be copied."""
    file: Path = tmp_path_factory.mktemp("migrated") / "orchestrator.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def migrated_sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """Give the URL of a migrated, empty SQLite database."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'orchestrator.db')}"


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a migrated, empty PostgreSQL database; dropped after the test."""
    postgres_server.start()
    url = postgres_server.create_database(postgres_server.template("migrated", _migrate))
    yield url
    postgres_server.start()
    postgres_server.drop_database(url)


def _migrate(url: str) -> None:
    async def upgrade() -> None:
        database = Database(parse(url), durable=False)
        try:
            await migrate.upgrade(database)
        finally:
            await database.close()

    asyncio.run(upgrade())
