"""Logging belongs to the process: a test that configures it gives it back as it was."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from orchestrator.logs.lines import NAME


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo what `logs.configure` did while the block ran."""
    root, ours = logging.getLogger(), logging.getLogger(NAME)
    before = (root.level, ours.level)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        root.setLevel(before[0])
        ours.setLevel(before[1])
        for handler in [each for each in root.handlers if _is_ours(each)]:
            root.removeHandler(handler)


def _is_ours(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("orchestrator.")
