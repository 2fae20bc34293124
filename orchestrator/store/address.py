"""Where a database is: the URL as a person writes it, checked and spelt for the driver. It opens
nothing, and it never says the password."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.ports import StoreUnavailableError

_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "sqlite+aiosqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_FORMS: Final = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Address:
    """A database: its driver's URL, how people are told of it, and the file if it is one.

    `network`: the file may lie on a network file system; somebody says that its locks work.
    """

    url: URL
    label: str
    file: Path | None
    network: bool = False

    def __repr__(self) -> str:
        return f"Address({self.label})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no message may say."""
        query = self.url.query.get("password", "")
        return tuple(filter(None, (self.url.password, query if isinstance(query, str) else "")))


def parse(text: str) -> Address:
    """Read a database URL. Raises `StoreUnavailableError` for one that we could not open."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise StoreUnavailableError(f"This is no database URL; write {_FORMS}.") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise StoreUnavailableError(f"{url.drivername} is no database we know; write {_FORMS}.")
    url = url.set(drivername=driver)
    return _file(url) if driver.startswith("sqlite") else _server(url)


def _file(url: URL) -> Address:
    network = url.query == {"network": "yes"}
    if not url.database or url.database == ":memory:" or (url.query and not network):
        raise StoreUnavailableError("SQLite needs a file of its own; write sqlite:///FILE.")
    path = Path(url.database)
    return Address(url.set(query={}), str(path), path, network)


def _server(url: URL) -> Address:
    if not url.database:
        raise StoreUnavailableError(f"The URL names no database; write {_FORMS}.")
    query: dict[str, Any] = dict(url.query)
    if "sslmode" in query:  # as PostgreSQL's own tools spell it
        query["ssl"] = query.pop("sslmode")
    if "@" in (url.host or ""):  # what follows the first @ of a password is taken for the host
        raise StoreUnavailableError("A password in a database URL writes @ as %40.")
    host = url.host or query.get("host", "localhost")
    port = f":{url.port}" if url.port else ""
    return Address(url.set(query=query), f"{url.database} on {host}{port}", None)
