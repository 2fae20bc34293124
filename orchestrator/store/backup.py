"""A consistent copy of a live SQLite file. The copy is in safe mode from its first byte on: whoever
puts it in the place of the original must say so before anything starts (design 12)."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from orchestrator.domain.record import SafeMode
from orchestrator.ports import StoreUnavailableError
from orchestrator.store import incarnation, migrate
from orchestrator.store.address import Address, parse
from orchestrator.store.database import Database
from orchestrator.store.migrate import Schema
from orchestrator.store.trouble import SchemaError, translate


class NoBackupError(StoreUnavailableError):
    """No copy was made. The message is for people."""


async def back_up(url: str, target: Path, *, at: datetime, actor: str, force: bool) -> None:
    """Copy a live SQLite database to `target`, a new file that only its owner reads.

    Raises `NoBackupError` for a server's database, for a target that is there already (unless
    `force`) or cannot be written, `StoreUnavailableError` when the original cannot be read.
    """
    address = parse(url)
    if address.file is None:
        raise NoBackupError("Only a SQLite database is copied here; PostgreSQL has pg_dump.")
    await asyncio.to_thread(_must_be_free, address.file, target, force=force)
    await _must_be_ours(address)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        await asyncio.to_thread(_copy, address.file, draft)
        await _distrust(draft, at, actor)
        _publish(draft, target, force=force)
    except sqlite3.Error as error:
        raise translate(address.label, error) from error
    except OSError as error:
        raise NoBackupError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _must_be_free(file: Path, target: Path, *, force: bool) -> None:
    if not file.is_file():
        raise StoreUnavailableError(f"There is no database {file}.")
    if target.exists() and not force:
        raise NoBackupError(f"{target} is there already; --force overwrites it.")
    if target.exists() and target.samefile(file):
        raise NoBackupError(f"{target} is the database itself.")


async def _must_be_ours(address: Address) -> None:
    database = Database(address)
    try:
        if await migrate.check(database) not in {Schema.CURRENT, Schema.BEHIND}:
            raise SchemaError(f"The database {address.label} is not one of this version's.")
    finally:
        await database.close()


def _copy(source: Path, draft: Path) -> None:
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(draft)) as copy:
        original.execute("PRAGMA query_only = ON").close()
        original.backup(copy)  # in one step: a picture of one moment, and no writer waits for it


async def _distrust(draft: Path, at: datetime, actor: str) -> None:
    reason = f"it was restored from the copy that was made at {at:%Y-%m-%d %H:%M}Z"
    noticed = SafeMode(since=at, code="backup", reason=reason)
    database = Database(parse(f"sqlite:///{draft}"))
    try:
        await database.write(lambda c: incarnation.enter(c, noticed, actor))
    finally:
        await database.close()


def _publish(draft: Path, target: Path, *, force: bool) -> None:
    file = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
    if force:
        draft.replace(target)
    else:
        os.link(draft, target)  # fails where something came in between
