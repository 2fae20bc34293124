"""A SQLite file that went back in time is noticed when it is opened, and starts nothing until a
person has confirmed it; one that did not is never suspected."""

import random
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from orchestrator.domain.operation import Began
from orchestrator.domain.record import SafeMode
from orchestrator.ports import Refused, Saved, StoreUnavailableError
from orchestrator.store import incarnation
from orchestrator.store.address import parse
from orchestrator.store.backup import NoBackupError, back_up
from orchestrator.store.database import Database
from orchestrator.store.high_water import HighWater, MarkFile, beside
from orchestrator.store.incarnation import Mark
from orchestrator.store.opening import open_reading, open_store
from orchestrator.store.writer import Writer
from tests.contract.store.kit import LATER, NOW, a_run, an_intent, moved, opened
from tests.kit.clock import HandClock


@pytest.fixture
def file(tmp_path) -> Path:
    path: Path = tmp_path / "orchestrator.db"
    return path


def opening(file: Path):
    return open_store(f"sqlite:///{file}", clock=HandClock(), durable=False)


async def stands(file: Path) -> str | None:
    """Open a file, and return the code of the safe mode it is in then."""
    async with opening(file) as store:
        found = await store.safe_mode()
    return None if found is None else str(found.code)


async def grown(file: Path, run: str) -> None:
    async with opening(file) as store:
        await store.open_run(a_run(run, plan=run), [], [], [], None)


def copied(file: Path, target: Path) -> Path:
    """Copy a file that nobody has open, as `cp` does."""
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copy(file, target)
    return target


# --------------------------------------------------------------------------------- noticing


async def test_a_file_that_only_grew_is_believed(file):
    for n in range(4):
        await grown(file, f"run-{n}")
        assert await stands(file) is None
    assert stat.S_IMODE(beside(file).stat().st_mode) == 0o600


async def test_a_copy_that_lacks_a_single_commit_is_noticed_and_the_newest_is_not(file, tmp_path):
    copies = []
    for n in range(6):
        await grown(file, f"run-{n}")
        copies.append(copied(file, tmp_path / f"copy-{n}"))
    newest, mark = copies[-1], beside(file).read_bytes()
    for copy in copies:
        shutil.copy(copy, file)
        beside(file).write_bytes(mark)
        assert await stands(file) == (None if copy is newest else "older_copy")


async def test_a_copy_in_safe_mode_does_not_become_the_measure(file, tmp_path):
    copies = []
    for n in range(9):
        await grown(file, f"run-{n}")
        copies.append(copied(file, tmp_path / f"copy-{n}"))
    oldest, older, newest = copies[0], copies[4], copies[8]
    shutil.copy(oldest, file)
    async with opening(file) as store:
        for _ in range(2):  # over both records
            await store._write(lambda c: None)
    shutil.copy(older, file)
    assert await stands(file) == "older_copy"
    shutil.copy(newest, file)
    assert await stands(file) is None


async def test_a_process_that_was_killed_leaves_a_mark_as_far_as_its_last_commit(file, tmp_path):
    async with opening(file) as store:
        for n in range(5):
            await store.open_run(a_run(f"run-{n}", plan=f"plan-{n}"), [], [], [], None)
            with closing(sqlite3.connect(file)) as raw:
                (seq,) = raw.execute("SELECT seq FROM incarnation").fetchone()
            mark = MarkFile(beside(file)).read()
            assert mark is not None
            assert mark.sequence == seq


async def test_another_database_in_its_place_is_noticed(file, tmp_path):
    await grown(file, "run-1")
    await grown(tmp_path / "other.db", "run-1")
    copied(tmp_path / "other.db", file)
    assert await stands(file) == "other_database"


async def test_a_new_database_where_one_was_lost_is_noticed(file):
    await grown(file, "run-1")
    file.unlink()
    assert await stands(file) == "other_database"


async def test_a_file_with_runs_and_without_its_mark_was_brought_from_somewhere(file, tmp_path):
    await grown(file, "run-1")
    copied(file, tmp_path / "elsewhere.db")
    assert await stands(tmp_path / "elsewhere.db") == "no_high_water"


async def test_a_database_without_runs_has_nothing_to_forget(file, tmp_path):
    assert await stands(file) is None
    copied(file, tmp_path / "elsewhere.db")
    assert await stands(tmp_path / "elsewhere.db") is None


@pytest.mark.parametrize("record", [0, 1])
async def test_half_a_written_mark_is_no_reason_for_an_alarm(file, record):
    await grown(file, "run-1")
    await grown(file, "run-2")
    mark = bytearray(beside(file).read_bytes())
    mark[record * 256 + 20 : record * 256 + 40] = b"\0" * 20
    beside(file).write_bytes(mark)
    assert await stands(file) is None


async def test_a_mark_that_lags_behind_is_no_reason_for_an_alarm(file):
    await grown(file, "run-1")
    mark = beside(file).read_bytes()
    for n in range(3):
        await grown(file, f"run-2{n}")
    beside(file).write_bytes(mark)
    assert await stands(file) is None


async def test_a_reader_changes_neither_the_file_nor_the_mark(file):
    await grown(file, "run-1")
    copy = copied(file, file.with_name("copy"))
    await grown(file, "run-2")
    shutil.copy(copy, file)
    mark = beside(file).read_bytes()
    async with open_reading(f"sqlite:///{file}", clock=HandClock()) as store:
        assert await store.safe_mode() is None
    assert beside(file).read_bytes() == mark
    assert await stands(file) == "older_copy"


async def test_a_doubt_outlives_the_transaction_that_was_undone(migrated_sqlite_url, file):
    """The group that notices it may fail for another reason: the next one notices it again."""
    database = Database(parse(migrated_sqlite_url), durable=False)
    mark = (await database.read(incarnation.stand)).mark
    MarkFile(beside(file)).replace(Mark(mark.incarnation, 0, "file", 99))
    writer = Writer(database, HandClock(), None, HighWater(beside(file), HandClock()))

    def guilty(connection):
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(OperationalError):
        await writer._commit([guilty])
    assert await database.read(incarnation.safe_mode) is None
    ((found,), _) = await writer._commit([incarnation.safe_mode])
    assert isinstance(found, SafeMode)
    await database.close()


# ------------------------------------------------------------------------------ what it stops


async def distrusted(store) -> None:
    noticed = SafeMode(since=NOW, code="older_copy", reason="it is an older copy")
    await store._write(lambda c: incarnation.enter(c, noticed, "daemon"))


async def test_in_safe_mode_no_intent_and_no_run_is_written_whoever_asks(store, raw):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, Began(NOW))
    await distrusted(store)
    refused = await store.intend(lease, an_intent(op))
    assert isinstance(refused, Refused)
    assert refused.code == "safe_mode"
    assert "older copy" in refused.reason
    again = await store.open_run(a_run("run-2", "b"), [], [], [], None)
    assert isinstance(again, Refused)
    assert again.code == "safe_mode"
    with pytest.raises(Exception, match="safe mode"):
        await raw(
            "INSERT INTO attempt (id, run_id, vm_id, number, intent_at, holder, epoch)"
            " SELECT 'a', run_id, vm_id, 1, opened_at, 'x', 1 FROM operation o"
            " JOIN run r ON r.id = o.run_id"
        )
    assert await raw("SELECT * FROM attempt") == []


async def test_a_person_ends_it_and_the_log_says_who_and_why(store):
    lease, (op,) = await opened(store, "vm-1")
    op = await moved(store, lease, op, Began(NOW))
    await distrusted(store)
    await distrusted(store)  # noticed twice
    confirmed = await store.confirm(LATER, "ada", "looked at all of them")
    assert confirmed is not None
    assert await store.safe_mode() is None
    assert await store.confirm(LATER, "ada", "again") is None
    assert await store.intend(lease, an_intent(op)) == Saved()
    lines = [row for row in await store.rows("v_events") if row["run_id"] is None]
    assert [(row["event"], row["actor"], row["why"]) for row in lines] == [
        ("database.distrusted", "daemon", "it is an older copy"),
        ("database.confirmed", "ada", "looked at all of them"),
    ]
    assert await store.verify_chain("") is None
    (row,) = await store.rows("v_database")
    assert (row["confirmed"], row["safe_since"]) == (1, None)


async def test_what_was_confirmed_stays_confirmed_and_what_it_replaced_is_now_the_old_one(file):
    await grown(file, "run-1")
    copy = copied(file, file.with_name("copy"))
    await grown(file, "run-2")
    original = copied(file, file.with_name("original"))
    shutil.copy(copy, file)
    async with opening(file) as store:
        assert await store.confirm(LATER, "ada", "it is all there is") is not None
    assert await stands(file) is None
    shutil.copy(original, file)
    assert await stands(file) == "older_copy"


# ------------------------------------------------------------------------------------ backups


async def test_a_backup_of_a_live_file_is_whole_private_and_in_safe_mode(file, tmp_path):
    target = tmp_path / "copy.db"
    async with opening(file) as store:
        await store.open_run(a_run(), [], [], [], None)
        await back_up(f"sqlite:///{file}", target, at=NOW, actor="ada", force=False)
        await store.open_run(a_run("run-2", "b"), [], [], [], None)
        assert await store.safe_mode() is None
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if "copy" in path.name} == {"copy.db"}
    async with open_reading(f"sqlite:///{target}", clock=HandClock()) as store:
        assert await store.open_runs() == ["run-1"]
        assert await store.verify_chain("") is None
    shutil.copy(target, file)
    assert await stands(file) == "backup"
    async with opening(file) as store:
        assert await store.confirm(LATER, "ada", "restored") is not None
    assert await stands(file) is None


async def test_a_backup_overwrites_nothing_unless_it_is_told_to(file, tmp_path):
    await grown(file, "run-1")
    target = tmp_path / "copy.db"
    target.write_text("remember the milk")
    url = f"sqlite:///{file}"
    with pytest.raises(NoBackupError, match="--force"):
        await back_up(url, target, at=NOW, actor="ada", force=False)
    assert target.read_text() == "remember the milk"
    await back_up(url, target, at=NOW, actor="ada", force=True)
    assert target.read_bytes().startswith(b"SQLite format 3")
    with pytest.raises(NoBackupError, match="itself"):
        await back_up(url, file, at=NOW, actor="ada", force=True)
    with pytest.raises(NoBackupError, match="cannot be written"):
        await back_up(url, tmp_path / "no" / "copy.db", at=NOW, actor="ada", force=False)


@pytest.mark.parametrize("url", ["sqlite:////no/such.db", "postgresql://h/db"])
async def test_what_is_no_file_is_not_backed_up(url, tmp_path):
    with pytest.raises(StoreUnavailableError):
        await back_up(url, tmp_path / "copy", at=NOW, actor="ada", force=False)
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- random walks


@pytest.mark.parametrize("seed", range(5))
async def test_over_kills_restores_and_confirmations_an_alarm_means_a_lost_commit(file, seed):
    """A model walks beside: what the newest believed state holds, and which copy has how much."""
    draw, n, lost = random.Random(seed), 0, False
    await grown(file, "run-0")
    copies: list[tuple[Path, int]] = []
    for step in range(25):
        match draw.choice(["grow", "grow", "copy", "restore", "confirm"]):
            case "grow" if not lost:
                n += 1
                await grown(file, f"run-{seed}-{step}")
            case "copy":
                copies.append((copied(file, file.with_name(f"copy-{step}")), n))
            case "restore" if copies and not lost:
                copy, held = draw.choice(copies)
                shutil.copy(copy, file)
                lost = held < n
            case "confirm" if lost:
                async with opening(file) as store:
                    assert await store.confirm(LATER, "ada", "so be it") is not None
                lost, copies, n = False, [], n + 1
            case _:
                pass
        assert (await stands(file) is not None) is lost
        n += 1  # to open a file counts as a commit
