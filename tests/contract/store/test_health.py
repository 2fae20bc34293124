"""What kind of file is refused: damaged, strange, on a network file system, where nothing can be
written. In one sentence, before anything is written to it."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from orchestrator.domain.operation import Began
from orchestrator.domain.record import Change
from orchestrator.domain.states import Queued
from orchestrator.ports import DamagedError, StoreUnavailableError
from orchestrator.store import health
from orchestrator.store.address import parse
from orchestrator.store.high_water import beside
from orchestrator.store.opening import open_store
from orchestrator.store.trouble import SchemaError
from tests.contract.store.kit import NOW, TTL, a_move, an_intent, moved, opened, to_verifying
from tests.kit.clock import HandClock

MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:40 / /mnt/team rw - nfs4 filer:/team rw
41 40 254:1 / /mnt/team/local rw - xfs /dev/vdb rw
42 27 0:42 / /mnt/my\\040share rw - cifs //filer/share rw
43 27 0:43 / /mnt/s rw - fuse.sshfs ada@host: rw
44 27 0:44 / /mnt/win rw - 9p drvfs rw
45 27 0:45 / /mnt/twice rw - ext4 /dev/vdc rw
46 27 0:46 / /mnt/twice rw - cephfs mon:/ rw
47 27 0:47 / /mnt/disk rw - fuse.ntfs-3g /dev/vdd rw
48 27 0:48 / /mnt/twice rw - ceph mon:/ rw
"""


def an_opening(file: Path, opening=open_store, **options):
    return opening(f"sqlite:///{file}", clock=HandClock(), **options)


async def refusal(file: Path) -> str:
    with pytest.raises(StoreUnavailableError) as refused:
        async with an_opening(file, durable=False):
            pass
    said = str(refused.value)
    assert "\n" not in said
    assert str(file) in said
    return said


# ------------------------------------------------------------------------------ network places


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/a.db", ""),
        ("/mnt/team/a.db", "nfs4"),
        ("/mnt/team/deeper/a.db", "nfs4"),
        ("/mnt/team/local/a.db", ""),
        ("/mnt/teammates/a.db", ""),
        ("/mnt/my share/a.db", "cifs"),
        ("/mnt/s/a.db", "fuse.sshfs"),
        ("/mnt/win/a.db", "9p"),
        ("/mnt/twice/a.db", "ceph"),
        ("/mnt/disk/a.db", ""),
    ],
)
def test_a_file_on_a_network_file_system_is_refused_unless_its_url_allows_it(tmp_path, file, kind):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTINFO)
    health.refuse_network(parse(f"sqlite:///{file}?network=yes"), mounts)
    if not kind:
        health.refuse_network(parse(f"sqlite:///{file}"), mounts)
        return
    with pytest.raises(StoreUnavailableError, match=rf"\({kind}\).*\?network=yes"):
        health.refuse_network(parse(f"sqlite:///{file}"), mounts)


def test_where_the_system_does_not_say_a_file_is_taken_as_local(tmp_path):
    health.refuse_network(parse("sqlite:////srv/a.db"), tmp_path / "none")
    (tmp_path / "strange").write_bytes(b"\xff\xfe - \n\n - - -\n1 2\n")
    health.refuse_network(parse("sqlite:////srv/a.db"), tmp_path / "strange")


def test_this_machine_says_what_its_temporary_files_lie_on(tmp_path):
    assert health.file_system(tmp_path / "a.db") not in {"", "nfs"}


async def test_a_file_may_be_opened_with_the_override(tmp_path):
    file = tmp_path / "a.db"
    async with an_opening(Path(f"{file}?network=yes"), durable=False) as store:
        assert await store.open_runs() == []
    assert file.is_file()


@pytest.mark.parametrize("query", ["?network=no", "?mode=ro", "?network=yes&cache=shared"])
def test_nothing_else_may_stand_behind_a_file_s_name(query):
    with pytest.raises(StoreUnavailableError):
        parse(f"sqlite:////srv/a.db{query}")


# ------------------------------------------------------------------------------ other refusals


async def test_a_folder_in_which_nothing_can_be_written_is_named():
    assert "cannot be written beside it" in await refusal(Path("/proc/orchestrator.db"))


async def test_a_table_that_lost_a_column_is_no_database_of_ours(file_with_runs):
    with closing(sqlite3.connect(file_with_runs)) as raw:
        raw.execute("ALTER TABLE lease DROP COLUMN expires_at")
    with pytest.raises(SchemaError, match="its table lease is not as it was made"):
        async with an_opening(file_with_runs):
            pass


async def test_a_guard_that_somebody_dropped_is_there_again(file_with_runs):
    with closing(sqlite3.connect(file_with_runs)) as raw:
        before = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY 1").fetchall()
        raw.execute("DROP TRIGGER attempt_needs_grant")
        raw.execute("DROP VIEW v_runs")
    async with an_opening(file_with_runs) as store:
        assert len(await store.rows("v_runs")) == 1
    with closing(sqlite3.connect(file_with_runs)) as raw:
        after = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY 1").fetchall()
    assert after == before


async def test_a_run_whose_rows_make_no_sense_is_damaged_and_the_others_are_not(file_with_runs):
    async with an_opening(file_with_runs) as store:
        await opened(store, "vm-9", run_id="run-9", plan="other")
    with closing(sqlite3.connect(file_with_runs)) as raw:
        raw.execute("DROP TRIGGER run_versions")
        raw.execute("UPDATE run SET status = 'opem', version = version + 1 WHERE id = 'run-1'")
        raw.commit()
    async with an_opening(file_with_runs) as store:
        with pytest.raises(DamagedError, match="run-1 are damaged"):
            await store.load((await store.open_runs())[0])
        assert (await store.load((await store.open_runs())[1])).run.id == "run-9"


def damage(file: Path, table: str) -> None:
    """Spoil the first page of a table."""
    with closing(sqlite3.connect(file)) as raw:
        page = raw.execute("PRAGMA page_size").fetchone()[0]
        find = "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?"
        root = raw.execute(find, (table,)).fetchone()[0]
    with file.open("r+b") as opened:
        opened.seek((root - 1) * page)
        opened.write(b"\xff")


@pytest.mark.parametrize("table", ["run", "wave", "operation", "attempt", "brake", "lease"])
async def test_damage_where_something_is_decided_is_found_before_anything_is_done(
    file_with_runs, table
):
    damage(file_with_runs, table)
    assert "is damaged" in await refusal(file_with_runs)


@pytest.mark.parametrize("table", ["event", "receipt", "patch", "result"])
async def test_damage_elsewhere_is_found_meanwhile_and_nothing_is_done_any_more(
    file_with_runs, table
):
    damage(file_with_runs, table)
    async with an_opening(file_with_runs, durable=False) as store:
        with pytest.raises(StoreUnavailableError, match=r"is damaged: .*; restore a copy"):
            await asked_again_and_again(store.open_runs)
        with pytest.raises(StoreUnavailableError, match="is damaged"):
            await store.claim("run-1", "daemon-a", TTL)


async def asked_again_and_again(ask) -> None:
    """Ask until something is raised: the check takes some milliseconds."""
    for _ in range(20_000):
        await ask()


# -------------------------------------------------------------------------------- flipped bytes


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("damage") / "orchestrator.db"
    return path


@pytest.fixture
async def file_with_runs(template, tmp_path) -> Path:
    """Give a file with a run in it, closed, with its high-water file."""
    if not template.exists():
        async with an_opening(template, durable=False) as store:
            lease, ops = await opened(store, *(f"vm-{n}" for n in range(6)))
            for op in ops[:20]:
                await moved(store, lease, op, *to_verifying())
    shutil.copy(beside(template), beside(tmp_path / "orchestrator.db"))
    return Path(shutil.copy(template, tmp_path / "orchestrator.db"))


@pytest.mark.parametrize("part", range(6))
async def test_a_file_with_flipped_bytes_is_refused_in_a_sentence_or_works(file_with_runs, part):
    whole = file_with_runs.read_bytes()
    mark = beside(file_with_runs).read_bytes()
    for seed in range(part * 20, part * 20 + 20):
        damaged = bytearray(whole)
        draw = random.Random(seed)
        for _ in range(draw.choice([1, 4, 64])):
            at = draw.randrange(len(damaged)) if seed % 3 else draw.randrange(8192)
            damaged[at] ^= 1 << draw.randrange(8)
        for leftover in file_with_runs.parent.glob("orchestrator.db-*"):
            leftover.unlink()
        file_with_runs.write_bytes(damaged)
        beside(file_with_runs).write_bytes(mark)
        await used(file_with_runs, seed)


async def used(file: Path, seed: int) -> None:
    """Do what a daemon does first; whatever goes wrong is a sentence for people, or a guard holds
    what would contradict itself."""
    said = ""
    try:
        async with an_opening(file, durable=False) as store:
            for run_id in await store.open_runs():
                await driven(store, run_id)
            await store.rows("v_runs")
    except (StoreUnavailableError, DamagedError) as error:
        said = str(error)
    except (LookupError, IntegrityError):
        pass  # the first: a run whose name was damaged between two reads
    assert "\n" not in said, seed


async def driven(store, run_id):
    lease = await store.claim(run_id, "daemon-a", TTL)
    snapshot = await store.load(run_id)
    queued = [op for op in snapshot.operations if isinstance(op.state, Queued)]
    if lease is not None and queued:
        begun = a_move(queued[0], Began(NOW))
        await store.record(lease, Change(moves=(begun,)))
        await store.intend(lease, an_intent(begun.after))
