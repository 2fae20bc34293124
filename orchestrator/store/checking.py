"""What `db check` asks of a database: is it whole, is its log as it was written, is it believed?
Nothing is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from orchestrator.domain.record import SafeMode
from orchestrator.ports import StoreUnavailableError
from orchestrator.store import events, incarnation, migrate, schema
from orchestrator.store.address import parse
from orchestrator.store.chain import Broken
from orchestrator.store.database import Database
from orchestrator.store.high_water import Doubt, MarkFile, beside, doubt
from orchestrator.store.incarnation import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """How a database stands."""

    mark: Mark
    known: Mark | None
    """What the high-water file remembers; None: there is none here."""
    safe_mode: SafeMode | None
    doubt: Doubt | None
    """Why the next daemon will go into safe mode."""
    damage: tuple[str, ...]
    """What SQLite says about its pages and indexes."""
    broken: Mapping[str, Broken]
    """Audit logs that are not what was written, by run; the system's has an empty name."""


async def check(url: str, high_water: Path | None) -> Findings:
    """Check a database beside whoever works with it. Raises `StoreUnavailableError`."""
    address = parse(url)
    if address.file is not None:
        if not address.file.is_file():
            raise StoreUnavailableError(f"There is no database {address.label}.")
        high_water = beside(address.file)
    known = None if high_water is None else MarkFile(high_water).read()
    database = Database(address)
    try:
        damage = await database.read(_damage)
        await migrate.require_current(database)
        return await database.read(lambda c: _examine(c, known, damage))
    finally:
        await database.close()


def _damage(connection: Connection) -> tuple[str, ...]:
    if connection.dialect.name == "postgresql":
        return ()
    said = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
    return () if said == ["ok"] else tuple(str(line) for line in said)


def _examine(connection: Connection, known: Mark | None, damage: tuple[str, ...]) -> Findings:
    stand = incarnation.stand(connection)
    here = incarnation.place(connection)
    runs = connection.execute(select(schema.run.c.id).order_by(schema.run.c.opened_at)).scalars()
    found = {name: events.verify_chain(connection, name) for name in (events.SYSTEM, *runs.all())}
    return Findings(
        mark=stand.mark,
        known=known,
        safe_mode=stand.safe_mode,
        doubt=None if stand.safe_mode else doubt(connection, stand.mark, here, known),
        damage=damage,
        broken={name: broken for name, broken in found.items() if broken is not None},
    )
