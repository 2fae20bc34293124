"""What every test of the door is given."""

import pytest

from tests.contract.http.bench import Bench


@pytest.fixture
async def bench() -> Bench:
    return Bench()
