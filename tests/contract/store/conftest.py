"""A migrated database of each kind, cloned from a template, and a store on it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.store import migrate
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.opening import open_store
from orchestrator.store.sql import SqlStore
from tests.kit.clock import HandClock

Raw = Callable[..., Awaitable[list[dict[str, Any]]]]


def migrated(url: str) -> None:
    """Bring an empty database up to date."""
    asyncio.run(_migrate(url))


async def _migrate(url: str) -> None:
    database = Database(parse(url), durable=False)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    file = tmp_path_factory.mktemp("template") / "migrated.db"
    migrated(f"sqlite:///{file}")
    return file


@pytest.fixture
def migrated_sqlite_url(sqlite_template, tmp_path) -> str:
    file = shutil.copy(sqlite_template, tmp_path / "orchestrator.db")
    return f"sqlite:///{file}"


@pytest.fixture
def migrated_postgres_url(postgres_server) -> Iterator[str]:
    postgres_server.start()
    url = postgres_server.create_database(postgres_server.template("store", migrated))
    yield url
    postgres_server.start()
    postgres_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request) -> str:
    """Give the URL of a migrated, empty database, of both kinds in turn."""
    found: str = request.getfixturevalue(f"migrated_{request.param}_url")
    return found


@pytest.fixture
async def store(url) -> AsyncIterator[SqlStore]:
    async with open_store(url, clock=HandClock(), durable=False) as opened:
        yield opened


@pytest.fixture
async def database(url) -> AsyncIterator[Database]:
    """Give a database beside the store's, to look and to meddle."""
    beside = Database(parse(url), durable=False)
    yield beside
    await beside.close()


@pytest.fixture
def raw(database) -> Raw:
    """Give a function that runs one statement in a transaction of its own."""

    async def run(statement: str, **values: Any) -> list[dict[str, Any]]:
        def unit(connection):
            result = connection.execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        found: list[dict[str, Any]] = await database.write(unit)
        return found

    return run
