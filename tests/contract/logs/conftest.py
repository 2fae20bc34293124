"""What every test of the log is given, and the process as it was before."""

from collections.abc import Iterator

import pytest

from orchestrator.logs import Log, configure
from tests.contract.logs.bench import Lines
from tests.kit.clock import HandClock
from tests.kit.logging import logging_as_before


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with logging_as_before():
        yield


@pytest.fixture
def lines() -> Lines:
    written = Lines()
    configure("debug", stream=written.stream)
    return written


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def observer(clock: HandClock) -> Log:
    return Log(clock)
