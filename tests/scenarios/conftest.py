"""A scenario begins on a database that is migrated: how that is done is tested with the store."""

import pytest

from tests.kit.migrated import migrated_file, migrated_postgres_url, migrated_sqlite_url

__all__ = ["migrated_file", "migrated_postgres_url", "migrated_sqlite_url"]


@pytest.fixture
def sqlite_url(migrated_sqlite_url: str) -> str:
    return migrated_sqlite_url


@pytest.fixture
def postgres_url(migrated_postgres_url: str) -> str:
    return migrated_postgres_url
