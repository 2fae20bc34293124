"""Opening a store: what is refused, in which words, and what is left behind."""

import os
import socket
import sqlite3
import stat

import pytest
from sqlalchemy import text

from orchestrator.ports import Saved, Store, StoreSlowError, StoreUnavailableError
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.opening import open_reading, open_store
from orchestrator.store.trouble import DatabaseBusyError, SchemaError
from tests.contract.store.kit import a_run, a_wave, an_operation
from tests.kit.clock import HandClock


async def refusal(url, error=StoreUnavailableError, opening=open_store, **options) -> str:
    """Return the sentence with which a database is refused."""
    with pytest.raises(error) as refused:
        async with opening(url, clock=HandClock(), **options):
            pass
    said = str(refused.value)
    assert "\n" not in said
    assert said.endswith((".", "DATABASE."))
    return said


async def test_an_empty_place_becomes_a_store(any_database_url):
    async with open_store(any_database_url, clock=HandClock(), durable=False) as store:
        port: Store = store
        await port.open_run(a_run(), [], [], [], None)
    async with open_reading(any_database_url, clock=HandClock()) as store:
        assert await store.open_runs() == ["run-1"]
        with pytest.raises(StoreUnavailableError, match="for reading"):
            await store.open_run(a_run(), [], [], [], None)


async def test_a_database_may_be_read_beside_the_one_who_writes(url):
    clock = HandClock()
    async with open_store(url, clock=clock) as store, open_reading(url, clock=clock) as reader:
        await store.open_run(a_run(), [], [], [], None)
        assert await reader.open_runs() == ["run-1"]


async def test_a_newer_schema_is_refused(url, raw):
    await raw("UPDATE alembic_version SET version_num = '9999'")
    for opening in (open_store, open_reading):
        assert "newer schema" in await refusal(url, SchemaError, opening)


async def test_readers_cannot_write(database):
    with pytest.raises(StoreUnavailableError, match="read"):
        await database.read(lambda c: c.execute(text("DELETE FROM event_head")))


# ------------------------------------------------------------------------------------ SQLite


async def test_a_file_has_one_daemon_and_the_second_is_told_whose_it_is(migrated_sqlite_url):
    async with open_store(migrated_sqlite_url, clock=HandClock()):
        said = await refusal(migrated_sqlite_url, DatabaseBusyError)
        assert f"in use by another orchestrator, process {os.getpid()}" in said
    async with open_store(migrated_sqlite_url, clock=HandClock()):
        pass


async def test_a_file_is_only_for_its_owner(tmp_path):
    file = tmp_path / "new.db"
    async with open_store(f"sqlite:///{file}", clock=HandClock(), durable=False) as store:
        await store.open_run(a_run(), [], [], [], None)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {0o600}
        assert {path.name for path in tmp_path.iterdir()} >= {"new.db", "new.db.lock"}


@pytest.mark.parametrize(
    ("durable", "pragmas"),
    [
        (True, {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": 0}),
        (False, {"journal_mode": "wal", "synchronous": 0, "foreign_keys": 1, "query_only": 0}),
    ],
)
async def test_the_connection_that_writes_waits_for_the_disk(migrated_sqlite_url, durable, pragmas):
    database = Database(parse(migrated_sqlite_url), durable=durable)

    def read(connection):
        return {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (*pragmas, "busy_timeout")
        }

    assert await database.write(read) == {**pragmas, "busy_timeout": 15_000}
    assert (await database.read(read))["query_only"] == 1
    await database.close()


async def test_a_read_sees_one_picture_of_a_file(migrated_sqlite_url):
    database = Database(parse(migrated_sqlite_url))
    count = "SELECT count(*) FROM event_head"

    def read(connection):
        before = connection.exec_driver_sql(count).scalar()
        with sqlite3.connect(database.address.label) as other:
            other.execute("INSERT INTO event_head VALUES ('x', 1, '')")
        other.close()
        return before, connection.exec_driver_sql(count).scalar()

    assert await database.read(read) == (0, 0)
    assert await database.read(lambda c: c.exec_driver_sql(count).scalar()) == 1
    await database.close()


async def test_a_folder_that_is_not_there_is_named(tmp_path):
    said = await refusal(f"sqlite:///{tmp_path}/no/such.db")
    assert f"there is no folder {tmp_path}/no" in said
    assert not (tmp_path / "no").exists()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("remember the milk" * 100)
    said = await refusal(f"sqlite:///{file}")
    assert "not a database" in said
    assert file.read_text() == "remember the milk" * 100


async def test_a_folder_is_no_database(tmp_path):
    folder = tmp_path / "folder.db"
    folder.mkdir()
    assert str(folder) in await refusal(f"sqlite:///{folder}")


async def test_reading_creates_nothing(tmp_path):
    file = tmp_path / "none.db"
    assert "There is no database" in await refusal(f"sqlite:///{file}", opening=open_reading)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://u:s3cret@h/db", "sqlite://", "sqlite:///:memory:", "postgresql://h"],
)
async def test_what_is_no_database_of_ours_is_refused_with_the_forms_that_are(url):
    said = await refusal(url)
    assert "sqlite:///FILE" in said
    assert "s3cret" not in said


# -------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]  # bound, but nobody listens


async def test_a_server_that_does_not_answer_is_tried_again_then_named(closed_port):
    url = f"postgresql://ada:s3cret@127.0.0.1:{closed_port}/fleet"
    clock = HandClock()
    before = clock.monotonic()
    with pytest.raises(StoreUnavailableError) as refused:
        async with open_store(url, clock=clock):
            pass
    said = str(refused.value)
    assert said == (
        f"The database fleet on 127.0.0.1:{closed_port} does not answer: Connection refused."
    )
    assert clock.monotonic() - before == pytest.approx(0.2 + 0.4 + 0.8 + 1.6)


async def test_a_wrong_password_is_refused_at_once_and_never_said(migrated_postgres_url):
    url = parse(migrated_postgres_url).url.set(password="s3cret")
    clock = HandClock()
    with pytest.raises(StoreUnavailableError) as refused:
        async with open_store(url.render_as_string(hide_password=False), clock=clock):
            pass
    assert "password authentication failed" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert clock.monotonic() == 0


async def test_a_database_that_is_not_there_is_named(migrated_postgres_url):
    url = parse(migrated_postgres_url).url.set(database="nowhere")
    said = await refusal(url.render_as_string(hide_password=False))
    assert '"nowhere" does not exist' in said


async def test_an_address_does_not_say_its_password():
    address = parse("postgresql://ada:s3cret@db.example:5433/fleet?sslmode=require")
    assert "s3cret" not in f"{address} {address.label} {address.url}"
    assert address.label == "fleet on db.example:5433"
    assert address.url.query == {"ssl": "require"}


async def test_a_session_of_ours_cannot_hang(migrated_postgres_url):
    database = Database(parse(migrated_postgres_url))

    def read(connection):
        names = ("statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    assert await database.write(read) == ["5s", "5s", "UTC"]
    assert await database.read(read) == ["5s", "5s", "UTC"]
    assert (await database.alter(read))[:2] == ["0", "0"]
    await database.close()


async def test_a_server_compiles_none_of_our_statements(migrated_postgres_url):
    database = Database(parse(migrated_postgres_url))

    def compiles(connection):
        return connection.exec_driver_sql("SHOW jit").scalar()

    for door in (database.write, database.read, database.alter):
        assert await door(compiles) == "off"
    await database.close()


async def shown_where_the_server_likes(url, likes, setting):
    """Return what a setting is in our writes, in a database whose default another has set."""
    database = Database(parse(url))
    asked = "SELECT current_database()"
    name = await database.read(lambda c: c.exec_driver_sql(asked).scalar())
    await database.write(lambda c: c.exec_driver_sql(f'ALTER DATABASE "{name}" SET {likes}'))
    await database.close()
    fresh = Database(parse(url))
    shown = await fresh.write(lambda c: c.exec_driver_sql(f"SHOW {setting}").scalar())
    await fresh.close()
    return shown


async def test_a_commit_waits_for_the_disk_whatever_the_server_likes(migrated_postgres_url):
    likes = "synchronous_commit = off"
    shown = await shown_where_the_server_likes(migrated_postgres_url, likes, "synchronous_commit")
    assert shown == "on"


async def test_a_server_knows_how_large_a_run_is_as_soon_as_it_is_open(migrated_postgres_url):
    fleet = [an_operation("run-1", f"vm-{number}") for number in range(1_000)]
    known = "SELECT reltuples::int FROM pg_class WHERE relname = 'operation'"
    async with open_store(migrated_postgres_url, clock=HandClock(), durable=False) as store:
        assert await store.open_run(a_run(), [a_wave()], fleet, [], None) == Saved()
    database = Database(parse(migrated_postgres_url))
    assert await database.read(lambda c: c.exec_driver_sql(known).scalar()) == len(fleet)
    await database.close()


async def test_a_read_sees_one_picture_of_a_server(migrated_postgres_url):
    database = Database(parse(migrated_postgres_url))
    isolation = "SHOW transaction_isolation"
    shown = await database.read(lambda c: c.exec_driver_sql(isolation).scalar())
    assert shown == "repeatable read"
    await database.close()


async def test_who_waits_for_a_lock_sees_what_was_committed_meanwhile_whatever_the_server_likes(
    migrated_postgres_url,
):
    """Else two daemons that count the same slots would both find one free."""
    likes, asked = "default_transaction_isolation = 'repeatable read'", "transaction_isolation"
    shown = await shown_where_the_server_likes(migrated_postgres_url, likes, asked)
    assert shown == "read committed"


async def test_a_statement_that_took_too_long_does_not_say_that_the_server_is_away(
    migrated_postgres_url,
):
    database = Database(parse(migrated_postgres_url))

    def dawdle(connection):
        connection.exec_driver_sql("SET LOCAL statement_timeout = 50")
        connection.exec_driver_sql("SELECT pg_sleep(5)")

    with pytest.raises(StoreSlowError, match="statement timeout"):
        await database.write(dawdle)
    await database.close()


async def test_a_stopped_server_is_unavailable_and_found_again(
    migrated_postgres_url, postgres_server
):
    async with open_store(migrated_postgres_url, clock=HandClock(), durable=False) as store:
        await store.open_run(a_run(), [], [], [], None)
        postgres_server.stop("immediate")
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                await store.open_run(a_run("run-2", "b"), [], [], [], None)
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                await store.open_runs()
        postgres_server.start()
        assert await store.open_runs() == ["run-1"]
        await store.open_run(a_run("run-2", "b"), [], [], [], None)
        assert await store.open_runs() == ["run-1", "run-2"]


async def test_a_full_disk_refuses_writes_serves_reads_and_heals_by_itself(migrated_sqlite_url):
    async with open_store(migrated_sqlite_url, clock=HandClock(), durable=False) as store:
        await store.open_run(a_run(), [], [], [], None)
        before = await store.rows("v_events")
        await _limit(store, 1)  # page: it cannot grow by one
        ops = [an_operation("run-2", f"vm-{n}") for n in range(2000)]
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="disk is full"):
                await store.open_run(a_run("run-2", "b"), [a_wave()], ops, [], None)
        assert await store.open_runs() == ["run-1"]
        assert await store.rows("v_events") == before
        await _limit(store, 1_000_000)
        assert await store.open_run(a_run("run-2", "b"), [a_wave()], ops, [], None) == Saved()


async def _limit(store, pages):
    """Let the file grow to so many pages: what SQLite answers beyond is what a full disk does."""
    await store._write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())
