"""The tests' own ground: databases that are real, apart and durable; an HTTP fake that fits."""

import sqlite3
from contextlib import closing

import asyncpg
import pytest
from aiohttp import ClientSession
from aioresponses import aioresponses
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.postgres import PostgresError, PostgresServer, StopMode


async def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run the statements in one transaction and return the rows of the last."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            return [row for each in statements for row in file.execute(each.replace(r"\:", ":"))]
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements[:-1]:
                await connection.execute(text(statement))
            result = await connection.execute(text(statements[-1]))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()


async def test_a_database_of_either_kind_is_empty_and_writable(any_database_url):
    rows = await execute(
        any_database_url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)", "SELECT n FROM t"
    )
    assert rows == [(7,)]


async def test_a_copy_of_a_template_holds_what_the_template_holds(postgres_server: PostgresServer):
    url = postgres_server.create_database()
    await execute(url, "CREATE TABLE t AS SELECT 7 AS n")
    copy = postgres_server.create_database(template=url)
    assert await execute(copy, "DELETE FROM t RETURNING n") == [(7,)]
    assert await execute(url, "SELECT n FROM t") == [(7,)]


def test_a_template_is_filled_once(postgres_server: PostgresServer):
    filled: list[str] = []
    urls = {postgres_server.template("once", filled.append) for _ in range(3)}
    assert filled == list(urls)


async def test_a_dropped_database_is_gone_even_under_an_open_connection(postgres_server):
    url = postgres_server.create_database()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    postgres_server.drop_database(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("SELECT 1")
    with pytest.raises(PostgresError, match="does not exist"):
        postgres_server.drop_database(url)


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
async def test_what_was_committed_survives_every_way_to_stop_the_server(
    postgres_server: PostgresServer, postgres_url, mode: StopMode
):
    await execute(postgres_url, "CREATE TABLE t AS SELECT 7 AS n")
    postgres_server.stop(mode)
    with pytest.raises(OSError, match="Connect call failed"):
        await execute(postgres_url, "SELECT 1")
    postgres_server.start()
    assert await execute(postgres_url, "SELECT n FROM t") == [(7,)]


async def test_aioresponses_answers_under_this_aiohttp():
    with aioresponses() as answers:
        answers.get("http://azure.test/", status=200, payload={"a": 1})
        async with ClientSession() as session, session.get("http://azure.test/") as response:
            assert await response.json() == {"a": 1}
