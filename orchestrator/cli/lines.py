"""The log of commands that look or steer: they seldom write a line, and what writes it is loaded
for the first one."""

import logging
from collections.abc import Sequence


def write_errors(secrets: Sequence[str]) -> None:
    """Write what is at least an error to stderr, without these secrets."""
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _First)]:
        root.removeHandler(old)
    root.addHandler(_First(secrets))
    root.setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


class _First(logging.Handler):
    """Gives way to the real log at the first line."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(logging.ERROR)
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        """Set the log up and hand it this line."""
        from orchestrator.logs import configure

        root = logging.getLogger()
        root.removeHandler(self)
        configure("error", secrets=self._secrets)
        root.handlers[-1].handle(record)
