"""What every test may ask for: an empty database of each kind, and a real PostgreSQL server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from tests import aioresponses_shim
from tests.postgres import PostgresServer, find_binaries

aioresponses_shim.install()

# How long an example takes says nothing here: two workers share the cores.
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A hostile name may hold half a character, which no worker can send to the other process."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report
