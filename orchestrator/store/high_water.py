"""Notices that a database went back in time: it remembers, outside the database, how far that had
come, and compares whenever a connection to it is new.

The memory is a small file (beside a SQLite database; beside the configuration for PostgreSQL) and
the process itself. After each commit the new mark is written over the older of the file's two
records: one small write without waiting for the disk, some microseconds. So the mark is never ahead
of what is committed, which would be a false alarm; over a `kill -9` it misses nothing, and over a
power cut the commits that the kernel had not written back (about half a minute). A copy that lacks
only those is not noticed. Nothing is decided here but whether to distrust.
"""

import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, exists, select

from orchestrator.domain.record import SafeMode
from orchestrator.ports import Clock, StoreUnavailableError
from orchestrator.store import incarnation, schema
from orchestrator.store.incarnation import A_FILE, Mark, Stand

_RECORD: Final = 256
"""Bytes of one record; the file has two, written in turn, so that one of them is always whole."""
_TRUSTED: Final = "orchestrator.trusted"
_ACTOR: Final = "daemon"


def beside(database: Path) -> Path:
    """Return where the high-water file of a SQLite database lies."""
    return database.with_name(database.name + ".high-water")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a database is not believed: a stable code and a sentence."""

    code: str
    reason: str


class MarkFile:
    """A mark in a file of its own, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._turn = 0

    def read(self) -> Mark | None:
        """Read the newest whole record; None: there is none."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        records = (_parse(content[at : at + _RECORD]) for at in (0, _RECORD))
        found = [mark for mark in records if mark is not None]
        return max(found, key=lambda mark: mark.sequence, default=None)

    def replace(self, mark: Mark) -> None:
        """Write the file anew, whole or not at all, and wait for the disk. Raises `OSError`."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.open(draft, flags, 0o600)
        try:
            os.pwrite(file, _record(mark) * 2, 0)
            os.fsync(file)
            draft.replace(self.path)
        except OSError:
            os.close(file)
            draft.unlink(missing_ok=True)
            raise
        self.close()
        self._file = file

    def advance(self, mark: Mark) -> None:
        """Write a mark that is further on than the last. Raises `OSError`."""
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._turn = 1 - self._turn
        os.pwrite(self._file, _record(mark), self._turn * _RECORD)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class HighWater:
    """Keeps the mark of one database. Without a path it is kept in memory only."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._file = None if path is None else MarkFile(path)
        self._clock = clock
        self._known = None if self._file is None else self._file.read()
        self._distrusted: Mark | None = None

    def first(self, connection: Connection) -> Stand:
        """Compare when the database is opened: before anyone writes. `keep` what it returns."""
        self.begin(connection)
        return self.end(connection)

    def begin(self, connection: Connection) -> None:
        """Compare, if this connection is new: before the first write on it, in its transaction.

        Raises `StoreUnavailableError` when a SQLite file cannot have its high-water file.
        """
        if connection.info.get(_TRUSTED):
            return
        stand, here = incarnation.stand(connection), incarnation.place(connection)
        if stand.safe_mode is not None:
            self._distrusted = stand.mark
            return
        if not self._was_confirmed(stand.mark):
            found = doubt(connection, stand.mark, here, self._known)
            if found is not None:
                # Not trusted yet: should this transaction be undone, the next one looks again.
                self._distrusted = stand.mark
                noticed = SafeMode(since=self._clock.now(), code=found.code, reason=found.reason)
                incarnation.enter(connection, noticed, _ACTOR)
                return
        if stand.mark.place:
            connection.info[_TRUSTED] = True
        else:
            self._settle(connection, stand.mark, here)

    def end(self, connection: Connection) -> Stand:
        """Count a group of writes: the last statement of its transaction."""
        return incarnation.advance(connection)

    def keep(self, stand: Stand) -> None:
        """Remember how far the database has come, once that is committed.

        In safe mode nothing is remembered: what was known stays the measure.
        """
        if stand.safe_mode is not None:
            return
        mark, before = stand.mark, self._known
        self._known, self._distrusted = mark, None
        if self._file is None:
            return
        # What was committed stays committed when this fails; the next commit tries again.
        with suppress(OSError):
            if before is not None and _same_history(mark, before):
                self._file.advance(mark)
            else:
                self._file.replace(mark)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _was_confirmed(self, mark: Mark) -> bool:
        """Tell whether a person, perhaps through another daemon, has confirmed what was distrusted
        here."""
        before = self._distrusted
        return (
            before is not None
            and mark.incarnation == before.incarnation
            and mark.confirmed > before.confirmed
        )

    def _settle(self, connection: Connection, mark: Mark, here: str) -> None:
        """Use a database for the first time. The file comes first: a database that says it has
        one, and has none, would be distrusted."""
        if self._file is not None and here == A_FILE:
            try:
                self._file.replace(Mark(mark.incarnation, mark.confirmed, here, mark.sequence))
            except OSError as error:
                reason = f"{self._file.path.name} cannot be written beside it: {error.strerror}"
                raise StoreUnavailableError(f"The database cannot be used: {reason}.") from error
        incarnation.settle(connection, here)


def doubt(connection: Connection, mark: Mark, here: str, known: Mark | None) -> Doubt | None:
    """Tell why this database is not to be believed; None: nothing speaks against it.

    `mark` is what it says of itself, `here` where it lies, `known` what was remembered of it.
    """
    if mark.place and not incarnation.same_place(mark.place, here):
        return Doubt("moved", _moved(mark.place, here))
    if known is None:
        return _without_memory(connection, mark)
    if known.incarnation != mark.incarnation:
        return Doubt("other_database", "the database is another one than the one that was here")
    if mark.confirmed > known.confirmed:
        return None  # a person has looked since
    if not incarnation.same_place(known.place, here):
        return Doubt("moved", _moved(known.place, here))
    missing = known.sequence - mark.sequence
    if missing <= 0 and mark.confirmed == known.confirmed:
        return None
    if here != A_FILE:
        return Doubt("older_copy", "the database is older than it was: its log has come less far")
    return Doubt("older_copy", "the database is an older copy of itself: later commits are missing")


def _without_memory(connection: Connection, mark: Mark) -> Doubt | None:
    """A file that was used, has a run in it and no high-water file beside it, was brought from
    somewhere. An empty one has nothing to forget; of a server there need not be a file here."""
    if mark.place != A_FILE:
        return None
    if not connection.execute(select(exists().where(schema.run.c.id.is_not(None)))).scalar_one():
        return None
    return Doubt("no_high_water", "its high-water file is missing, so it may be an old copy")


def _moved(before: str, here: str) -> str:
    old, new = before.split("/"), here.split("/")
    if old[0] == new[0] and old[1:2] != new[1:2]:
        return f"the server failed over or was restored: its timeline was {old[1]}, now {new[1]}"
    return "the database was restored elsewhere: it is not where it was last used"


def _same_history(mark: Mark, other: Mark) -> bool:
    return (mark.incarnation, mark.confirmed, mark.place) == (
        other.incarnation,
        other.confirmed,
        other.place,
    )


def _record(mark: Mark) -> bytes:
    said = f"{mark.incarnation} {mark.confirmed} {mark.place} {mark.sequence}"
    return f"{said} {zlib.crc32(said.encode()):08x}".ljust(_RECORD - 1).encode() + b"\n"


def _parse(record: bytes) -> Mark | None:
    words = record.decode("ascii", "replace").split()
    try:
        name, confirmed, place, sequence, checksum = words
        mark = Mark(name, int(confirmed), place, int(sequence))
    except ValueError:
        return None
    return mark if _record(mark).split()[-1].decode() == checksum else None
