"""The schema's version: read, compared, brought up to date under a lock. Forward only.

The migrations lie in the package when it was installed from a wheel, else at the top of the
checkout. Views and guards are made anew after each upgrade (`migrations/env.py`), so a change of
theirs needs a revision, though that may be empty. Alembic is loaded only where there is something
to upgrade: a command that looks has no use for it, nor has a daemon on most of its starts.
"""

from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from orchestrator.store.database import Database
from orchestrator.store.trouble import SchemaError

_LOCK: Final = 0x0_0C_4E57_4A70
"""The key of PostgreSQL's advisory lock: only that it is ours matters."""
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision in `migrations/`, oldest first."""
_STAMPS: Final = text("SELECT version_num FROM alembic_version")


class Schema(StrEnum):
    """How a database's schema stands to this version of the program."""

    CURRENT = "current"
    BEHIND = "behind"
    NEWER = "newer"
    UNSTAMPED = "unstamped"


async def check(database: Database) -> Schema:
    """Compare the schema with the migrations of this version."""
    return await database.read(_stand)


async def upgrade(database: Database) -> None:
    """Bring the schema up to date; several daemons may do so at once, one of them does the work.

    Raises `SchemaError` when the schema is newer than this version, or not ours.
    """
    label = database.address.label
    await database.alter(lambda connection: upgrade_on(connection, label))


def upgrade_on(connection: Connection, label: str) -> None:
    """Bring the schema up to date on a connection that is in a transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    stand = _stand(connection)
    if stand is Schema.NEWER:
        raise SchemaError(_SENTENCES[stand].format(label))
    if stand is Schema.CURRENT:
        return
    if stand is Schema.UNSTAMPED and (strangers := inspect(connection).get_table_names()):
        names = ", ".join(sorted(strangers)[:3])
        raise SchemaError(f"The database {label} belongs to something else: it holds {names}.")
    _migrate(connection)


async def require_current(database: Database) -> None:
    """Raise `SchemaError` unless the schema is the one of this version."""
    stand = await check(database)
    if stand is not Schema.CURRENT:
        raise SchemaError(_SENTENCES[stand].format(database.address.label))


_SENTENCES: Final = {
    Schema.BEHIND: "The database {} has an older schema; run `orchestrator db upgrade`.",
    Schema.NEWER: (
        "The database {} has a newer schema than this version of orchestrator knows;"
        " install the version that wrote it, or a later one."
    ),
    Schema.UNSTAMPED: "The database {} has no schema yet; run `orchestrator db upgrade`.",
}


def migrations() -> Path:
    """Return the folder of the migrations."""
    package = Path(str(resources.files("orchestrator")))
    inside = package / "migrations"
    return inside if (inside / "env.py").is_file() else package.parent / "migrations"


def _stand(connection: Connection) -> Schema:
    stamped: set[str] = set()
    if inspect(connection).has_table("alembic_version"):
        stamped = set(connection.execute(_STAMPS).scalars())
    if not stamped:
        return Schema.UNSTAMPED
    if not stamped.issubset(REVISIONS):
        return Schema.NEWER
    return Schema.CURRENT if stamped == {REVISIONS[-1]} else Schema.BEHIND


def _migrate(connection: Connection) -> None:
    from alembic import command, config  # noqa: PLC0415 - slow, and seldom of use

    given = config.Config()
    given.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    given.set_main_option("path_separator", "os")
    given.attributes["connection"] = connection
    command.upgrade(given, "head")
