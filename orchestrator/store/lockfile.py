"""One daemon for one SQLite file: a lock of the operating system on a file beside it.

The lock goes with the process, however that ends; the file stays and holds the last owner's pid.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.ports import StoreUnavailableError
from orchestrator.store.trouble import DatabaseBusyError


@contextmanager
def only_one(database: Path) -> Iterator[None]:
    """Hold the lock of a database.

    Raises `DatabaseBusyError` when another process has it, `StoreUnavailableError` when there can
    be no such file.
    """
    path = database.with_name(database.name + ".lock")
    if not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
        raise StoreUnavailableError(f"The database {database} cannot be used: {reason}.")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = f"{path.name} cannot be written beside it: {error.strerror}"
        raise StoreUnavailableError(f"The database {database} cannot be used: {reason}.") from error
    try:
        _lock(file, database)
        yield
    finally:
        os.close(file)


def _lock(file: int, database: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(file, database) from None
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())


def _busy(file: int, database: Path) -> DatabaseBusyError:
    said = os.pread(file, 32, 0).decode("ascii", "replace").strip()
    pid = int(said) if said.isdigit() else None
    who = "another orchestrator" if pid is None else f"another orchestrator, process {pid}"
    return DatabaseBusyError(f"The database {database} is in use by {who}.", pid)
