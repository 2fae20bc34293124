"""Whether a SQLite file can be worked with: where it lies, and whether it is whole. It mends only
what it could also have made."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from orchestrator.ports import StoreUnavailableError
from orchestrator.store import guards, public, schema
from orchestrator.store.address import Address
from orchestrator.store.trouble import RESTORE, SchemaError

MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda", "davfs", "beegfs"),
    *("ceph", "gfs", "gfs2", "glusterfs", "lustre", "ocfs2", "gpfs", "orangefs", "pvfs2", "vboxsf"),
}
"""Kinds of file systems whose locks, or whose shared memory, cannot be relied on."""
_LOCAL_FUSE: Final = {"fuse.lxcfs", "fuse.mergerfs", "fuse.ntfs-3g"}
_KEEPING: Final = {"receipt", "result", "patch", "event"}
"""Tables that nothing is decided by. A file of years is mostly these."""
_TABLES: Final = text("SELECT name FROM sqlite_master WHERE type = 'table'")
_MADE: Final = text("SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')")


def refuse_network(address: Address, mounts: Path = MOUNTS) -> None:
    """Raise `StoreUnavailableError` for a file on a network file system, unless its URL allows it.

    SQLite needs locks and shared memory that such a file system does not keep between machines.
    """
    if address.file is None or address.network:
        return
    kind = file_system(address.file, mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        raise StoreUnavailableError(
            f"The database {address.label} lies on a network file system ({kind}), where SQLite may"
            " be corrupted; move it to a local disk or use PostgreSQL. Who knows better writes"
            " ?network=yes behind the file's name."
        )


def file_system(file: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that a file lies on (it need not be there yet); empty where
    the system does not say."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
        folder = file.parent.resolve()
    except OSError:
        return ""
    return _kind(folder, lines)


def _kind(folder: Path, lines: Iterable[str]) -> str:
    """Of the mounts above a folder the longest counts, of equal ones the last: it covers them."""
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, behind = before.split(" "), after.split(" ")
        if len(fields) < 5 or not behind[0]:  # noqa: PLR2004 - proc(5): the fifth is the mount point
            continue
        point = fields[4].encode().decode("unicode_escape")
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, behind[0]
    return kind


def refuse_damaged(connection: Connection, label: str) -> None:
    """Raise `StoreUnavailableError` when a table is damaged that decides whether a VM is started.

    Those that only keep what was sent, answered and done are by far the largest; they are checked
    while the file is worked with (`WholeCheck`).
    """
    there = set(connection.execute(_TABLES).scalars())
    for table in schema.metadata.tables:
        if table in there and table not in _KEEPING:
            said = connection.exec_driver_sql(f"PRAGMA quick_check({table})").scalars().all()
            if (damage := _damage(said)) is not None:
                raise StoreUnavailableError(damage.format(label))


class WholeCheck:
    """A check of the whole file, on a connection of its own. It may take minutes, in any thread."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._stopped = False

    def run(self) -> str | None:
        """Return what is wrong, as a sentence with a place for the file's name. None: nothing is,
        or it was stopped, or the file cannot be read now, which everybody else will notice."""
        with closing(self._connection):
            if self._stopped:
                return None
            try:
                said = self._connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.OperationalError:
                return None
            except sqlite3.DatabaseError as error:
                return _damage([str(error)])
        return _damage([line for (line,) in said])

    def stop(self) -> None:
        """Let `run` return soon: from any thread, and also when it has returned."""
        self._stopped = True
        with suppress(sqlite3.ProgrammingError):  # it is closed
            self._connection.interrupt()


def _damage(said: Sequence[object]) -> str | None:
    if list(said) == ["ok"]:
        return None
    first = str(said[0]).splitlines()[-1] if said else "it gives no reason"
    first = first.replace("{", "{{").replace("}", "}}")
    return f"The database {{}} is damaged: {first}; {RESTORE}."


def refuse_strange(connection: Connection, label: str) -> None:
    """Raise `SchemaError` when a table of ours is not as it was made. Views and guards are made
    anew where they differ."""
    for table in schema.metadata.tables.values():
        found = connection.exec_driver_sql(f"PRAGMA table_info({table.name})").all()
        if [row[1] for row in found] != table.columns.keys():
            raise SchemaError(
                f"The database {label} is damaged: its table {table.name} is not as it was made;"
                f" {RESTORE}."
            )
    if _made(connection) != _expected():
        public.drop(connection)
        public.create(connection)
        guards.create(connection)


def _made(connection: Connection) -> dict[tuple[str, str], str]:
    found = connection.execute(_MADE).all()
    return {(kind, name): str(sql).strip() for kind, name, sql in found}


def _expected() -> dict[tuple[str, str], str]:
    views = {("view", name): public.definition(name).strip() for name in public.VIEWS}
    return views | {
        ("trigger", guard.name): guards.on_sqlite(guard)[1].strip() for guard in guards.guards()
    }
