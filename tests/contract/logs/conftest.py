"""What every test of the log is given, and the process as it was before."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from orchestrator.logs import Log, configure
from orchestrator.logs.lines import _Lines
from tests.contract.logs.bench import Lines
from tests.kit.clock import HandClock


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging belongs to the process: give it back as it was."""
    root, ours = logging.getLogger(), logging.getLogger("orchestrator")
    before = (root.level, ours.level)
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.setLevel(before[0])
    ours.setLevel(before[1])
    for handler in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(handler)


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
