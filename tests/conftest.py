"""What every test may ask for: an empty database of each kind, and a real PostgreSQL server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from tests import aioresponses_shim
from tests.kit.dealing import dealt
from tests.postgres import PostgresServer, find_binaries

aioresponses_shim.install()

LONG = ("simulation", "acceptance", "mutants")
"""The folders whose tests take up to minutes, those with the longest first: many simulated nights,
and real processes."""

# How long an example takes says nothing here: the workers share the cores.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give the PostgreSQL server of this session; under xdist each worker has its own."""
    with closing(PostgresServer(find_binaries())) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a fresh, empty PostgreSQL database; dropped after the test."""
    postgres_server.start()  # a test may have left it stopped
    url = postgres_server.create_database()
    yield url
    postgres_server.start()
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'orchestrator.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def any_database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a fresh, empty database: each test that asks for it runs on both kinds."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long tests first, dealt out to the workers: one that began last would be waited for.

    Each worker of xdist gets a stretch of what is collected, and when it is through with it takes
    from the end of another's.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for folder in LONG for item in items if item.path.parent.name == folder]
    short = [item for item in items if item.path.parent.name not in LONG]
    items[:] = dealt(long, short, workers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A hostile name may hold half a character, which no worker can send to the other process."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report
