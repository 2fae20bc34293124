"""A PostgreSQL server that went back in time: restored under a running daemon, promoted, moved. And
one that only stopped and started is never suspected."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.ports import Refused, Saved, StoreUnavailableError
from orchestrator.store import incarnation
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from orchestrator.store.high_water import MarkFile
from orchestrator.store.opening import open_store
from tests.contract.store.kit import LATER, a_run
from tests.kit.clock import HandClock
from tests.postgres import PostgresServer, find_binaries


@pytest.fixture(scope="module")
def server():
    """Give a server whose data may be meddled with."""
    with closing(PostgresServer(find_binaries())) as own:
        yield own


@pytest.fixture
def place(server) -> str:
    server.start()
    url: str = server.create_database()
    return url


def opening(url: str, high_water: Path | None = None):
    return open_store(url, clock=HandClock(), durable=False, high_water=high_water)


async def opens(store, run: str):
    return await store.open_run(a_run(run, plan=run), [], [], [], None)


async def reconnected(store, run: str):
    """Write until the connection that broke is replaced."""
    for _ in range(5):
        try:
            return await opens(store, run)
        except StoreUnavailableError:
            pass
    raise AssertionError("the server does not come back")


def kept(server: PostgresServer, folder: Path) -> None:
    """Copy the data of a stopped server, owners and modes too."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-a", server._data, folder], check=True)


def restored(server: PostgresServer, folder: Path) -> None:
    shutil.rmtree(server._data)
    subprocess.run(["cp", "-a", folder, server._data], check=True)


async def test_a_server_that_was_killed_and_started_again_is_believed(server, place, tmp_path):
    mark = tmp_path / "mark"
    for n, mode in enumerate(("fast", "immediate", "kill")):
        async with opening(place, mark) as store:
            assert await opens(store, f"run-{n}") == Saved()
            server.stop(mode)
            server.start()
            assert await reconnected(store, f"again-{n}") == Saved()
            assert await store.safe_mode() is None
    async with opening(place, mark) as store:
        assert await store.safe_mode() is None


async def test_a_server_restored_under_a_running_daemon_starts_nothing(server, place):
    copy = server._home / "copy"
    async with opening(place) as store, opening(place) as other:
        assert await opens(store, "run-1") == Saved()
        server.stop()
        kept(server, copy)
        server.start()
        assert await reconnected(store, "run-2") == Saved()
        server.stop()
        restored(server, copy)
        server.start()
        refused = await reconnected(store, "run-3")
        assert isinstance(refused, Refused)
        assert refused.code == "safe_mode"
        assert await store.open_runs() == ["run-1"]
        assert await store.confirm(LATER, "ada", "run-2 had started nothing") is not None
        assert await opens(store, "run-3") == Saved()
        assert await reconnected(other, "run-4") == Saved()  # it was asked too, and is told
        assert await other.safe_mode() is None


async def test_a_promoted_server_starts_nothing_even_for_a_new_daemon(server, place):
    async with opening(place) as store:
        await opens(store, "run-1")
    server.stop()
    with (server._data / "postgresql.conf").open("a") as settings:
        settings.write("restore_command = '/bin/false'\nhot_standby = off\n")
    (server._data / "recovery.signal").touch()
    shutil.chown(server._data / "recovery.signal", server._user)
    server.start()  # it recovers to the end of its log, and goes on in a new timeline
    async with opening(place) as store, opening(place) as other:
        found = await store.safe_mode()
        assert found is not None
        assert (found.code, "its timeline was" in found.reason) == ("moved", True)
        refused = await opens(other, "run-2")
        assert isinstance(refused, Refused)
        assert await store.confirm(LATER, "ada", "the standby had everything") is not None
        assert await opens(other, "run-2") == Saved()
    async with opening(place) as store:
        assert await store.safe_mode() is None


async def test_a_database_that_was_copied_on_its_server_is_another_place(server, place):
    async with opening(place) as store:
        await opens(store, "run-1")
    async with opening(server.create_database(place)) as store:
        found = await store.safe_mode()
        assert found is not None
        assert found.code == "moved"


async def test_a_log_that_has_come_less_far_than_the_file_remembers_is_noticed(place, tmp_path):
    mark = tmp_path / "mark"
    async with opening(place, mark) as store:
        await opens(store, "run-1")
    remembered = MarkFile(mark).read()
    assert remembered is not None
    further = remembered.sequence + (1 << 40)
    MarkFile(mark).replace(incarnation.Mark(remembered.incarnation, 0, remembered.place, further))
    async with opening(place, mark) as store:
        found = await store.safe_mode()
        assert found is not None
        assert found.code == "older_copy"


async def test_an_ordinary_role_may_read_what_is_compared(server, place):
    database = Database(parse(place))

    def become(connection):
        connection.execute(text("CREATE ROLE plain"))
        connection.execute(text("GRANT SELECT ON incarnation TO plain"))
        connection.execute(text("SET LOCAL ROLE plain"))
        return incarnation.place(connection), incarnation.stand(connection).mark.sequence

    async with opening(place):
        pass
    where, sequence = await database.write(become)
    assert len(where.split("/")) == 4
    assert incarnation.UNKNOWN not in where
    assert sequence > 0
    await database.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("7/1/5/16", "7/1/5/16", True),
        ("7/1/5/16", "7/2/5/16", False),
        ("8/1/5/16", "7/1/5/16", False),
        ("?/1/5/16", "7/1/5/16", True),
        ("?/?/5/16", "7/2/6/16", False),
        ("file", "file", True),
        ("file", "7/1/5/16", False),
    ],
)
def test_places_are_compared_as_far_as_they_could_be_read(one, other, same):
    assert incarnation.same_place(one, other) is same
