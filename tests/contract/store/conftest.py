"""A migrated database of each kind, and a store on it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.opening import open_store
from orchestrator.store.sql import SqlStore
from tests.kit.clock import HandClock
from tests.kit.migrated import migrated_file, migrated_postgres_url, migrated_sqlite_url

__all__ = ["migrated_file", "migrated_postgres_url", "migrated_sqlite_url"]
Raw = Callable[..., Awaitable[list[dict[str, Any]]]]


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
