"""Migrations: they end where the tables say, several daemons may start at once, and nothing newer
is touched."""

import asyncio
import logging

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect, text

from orchestrator.store import guards, migrate, public, rows, runs, schema
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.migrate import Schema
from orchestrator.store.operation_rows import operation_to_row
from orchestrator.store.trouble import SchemaError
from tests.contract.store.kit import a_run, a_wave, an_operation


@pytest.fixture
async def empty(any_database_url):
    """Give an empty database of each kind."""
    opened = Database(parse(any_database_url), durable=False)
    yield opened
    await opened.close()


def shape(connection):
    """Describe every table: columns, keys and indexes, down to their conditions."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql <> ''"))
        tables = set(schema.metadata.tables) | {
            index.name for table in schema.metadata.tables.values() for index in table.indexes
        }
        return {name: sorted(_words(sql)) for name, sql in rows if name in tables}
    look = inspect(connection)
    indexes = connection.execute(
        text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    )
    return {
        "indexes": {name: sql for name, sql in indexes if "alembic" not in name},
        **{
            name: [
                [{**column, "type": str(column["type"])} for column in look.get_columns(name)],
                look.get_pk_constraint(name),
                sorted(look.get_foreign_keys(name), key=lambda key: key["name"]),
            ]
            for name in schema.metadata.tables
        },
    }


def _words(sql):
    """Split a statement at the commas between its parts: a column that was added later stands in
    the same words, but behind the table's keys."""
    words, depth, parts = " ".join(sql.split()), 0, [""]
    for letter in words:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += letter
    head, _, first = parts[0].partition("(")
    last = parts[-1].rpartition(")")[0] if len(parts) > 1 else parts[-1]
    return [head, *(part.strip() for part in (first, *parts[1:-1], last))]


async def test_the_migrations_end_where_the_tables_say(empty):
    await migrate.upgrade(empty)

    def differences(connection):
        ours = MetaData()
        for table in schema.metadata.tables.values():
            table.to_metadata(ours)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, ours)

    assert await empty.read(differences) == []
    migrated = await empty.read(shape)

    def anew(connection):
        public.drop(connection)
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
        return shape(connection)

    assert await empty.write(anew) == migrated


async def test_an_upgrade_leaves_every_view_and_every_guard(empty):
    await migrate.upgrade(empty)

    def names(connection):
        if connection.dialect.name == "sqlite":
            query = "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger')"
        else:
            query = (
                "SELECT viewname FROM pg_views WHERE schemaname = 'public'"
                " UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
            )
        return {row[0] for row in connection.execute(text(query))}

    assert await empty.read(names) == set(public.VIEWS) | {g.name for g in guards.guards()}


def test_the_revisions_that_are_known_are_those_of_the_migrations():
    found = ScriptDirectory(migrate.migrations()).walk_revisions()
    assert tuple(revision.revision for revision in found)[::-1] == migrate.REVISIONS


async def test_a_fresh_database_is_unstamped_then_current_and_an_upgrade_may_be_repeated(empty):
    assert await migrate.check(empty) is Schema.UNSTAMPED
    await migrate.upgrade(empty)
    assert await migrate.check(empty) is Schema.CURRENT
    await migrate.upgrade(empty)
    assert await migrate.check(empty) is Schema.CURRENT


async def test_four_daemons_may_start_at_once(any_database_url):
    databases = [Database(parse(any_database_url), durable=False) for _ in range(4)]
    await asyncio.gather(*(migrate.upgrade(database) for database in databases))
    assert {await migrate.check(database) for database in databases} == {Schema.CURRENT}
    for database in databases:
        await database.close()


async def test_a_newer_schema_is_refused_and_left_alone(empty):
    await migrate.upgrade(empty)
    await empty.write(lambda c: c.execute(text(STAMP), {"to": "9999"}))
    assert await migrate.check(empty) is Schema.NEWER
    for refused in (migrate.upgrade, migrate.require_current):
        with pytest.raises(SchemaError, match="newer schema than this version"):
            await refused(empty)
    assert await migrate.check(empty) is Schema.NEWER


STAMP = "UPDATE alembic_version SET version_num = :to"


async def test_what_is_not_upgraded_is_not_read(empty):
    with pytest.raises(SchemaError, match="orchestrator db upgrade"):
        await migrate.require_current(empty)


async def test_an_upgrade_that_fails_leaves_nothing(empty, monkeypatch):
    def fail(_connection):
        raise KeyError("in the middle")

    monkeypatch.setattr(guards, "create", fail)
    with pytest.raises(KeyError):
        await migrate.upgrade(empty)
    assert await migrate.check(empty) is Schema.UNSTAMPED
    assert await empty.read(lambda c: inspect(c).get_table_names()) == []


async def test_an_upgrade_leaves_logging_as_it_was(empty):
    logger = logging.getLogger("alembic.runtime.migration")
    before = (logger.level, logger.disabled, logging.root.level, list(logging.root.handlers))
    await migrate.upgrade(empty)
    after = (logger.level, logger.disabled, logging.root.level, list(logging.root.handlers))
    assert after == before


def test_the_migrations_are_found_in_the_checkout():
    assert (migrate.migrations() / "versions").is_dir()


async def test_a_database_of_something_else_is_refused_and_left_alone(empty):
    await empty.write(lambda connection: connection.execute(text("CREATE TABLE customers (n int)")))
    with pytest.raises(SchemaError, match="belongs to something else: it holds customers"):
        await migrate.upgrade(empty)
    tables = await empty.read(lambda connection: inspect(connection).get_table_names())
    assert tables == ["customers"]


async def test_rows_of_the_first_schema_are_read_after_an_upgrade(empty):
    """An open run of before goes on: what nobody had read of its VMs is empty."""
    run, wave, op = a_run(), a_wave(), an_operation("run-1", "vm-1")
    written = {
        "run": rows.run_to_row(run),
        "wave": rows.wave_to_row(run.id, wave),
        "operation": operation_to_row(op),
    }

    def before(connection):
        context = MigrationContext.configure(connection)
        script = ScriptDirectory(str(migrate.migrations()))
        with Operations.context(context):
            script.get_revision("0001").module.upgrade()
        context.stamp(script, "0001")
        for name, row in written.items():
            there = {column["name"] for column in inspect(connection).get_columns(name)}
            values = {column: value for column, value in row.items() if column in there}
            connection.execute(schema.metadata.tables[name].insert().values(values))

    await empty.alter(before)
    await migrate.upgrade(empty)
    snapshot = await empty.read(lambda connection: runs.load(connection, run.id))
    assert (snapshot.run, snapshot.operations) == (run, (op,))
