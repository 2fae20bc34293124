"""Where lines go and how they look: JSON for machines, plain words for a terminal. One event is one
line, whoever writes it: we, a library, or Python itself."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from json import dumps
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from orchestrator.logs.redaction import Redaction

NAME: Final = "orchestrator"
"""The logger of every line of ours."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def configure(
    level: str = "info",
    *,
    json: bool | None = None,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Write the lines of this process to `stream` (stderr), from `level` (of `LEVELS`) upward.

    JSON unless `stream` is a terminal; `json` decides otherwise. Libraries and warnings of Python
    are written the same way, from `warning` upward. Calling it again replaces what was set. Raises
    `ValueError` for another level.
    """
    out = sys.stderr if stream is None else stream
    render = _json_line if json or (json is None and not out.isatty()) else _plain_line
    processors = [
        _head,
        ProcessorFormatter.remove_processors_meta,
        Redaction(secrets),
        render,
    ]
    handler = _Lines(out)
    handler.setFormatter(ProcessorFormatter(processors=processors))  # type: ignore[arg-type]  # the last returns the line
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    ours = logging.getLogger(NAME)
    ours.setLevel(level.upper())
    root.setLevel(max(logging.WARNING, ours.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=False,
    )


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be written is told of in words that always can."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        line = dumps({"level": "error", "event": "log.failed", "logger": record.name}) + "\n"
        with contextlib.suppress(Exception):
            self.stream.write(line)


def _head(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put first what every line has, and an exception as a list of lines."""
    record: logging.LogRecord = event["_record"]
    at = datetime.fromtimestamp(record.created, UTC)
    head: dict[str, Any] = {
        "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "level": record.levelname.lower(),
    }
    head["event"] = event.pop("event", "")
    if record.name != NAME:
        head["logger"] = record.name
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if error:
        event["traceback"] = trace(error[1] if isinstance(error, tuple) else error)
    return {**head, **event}


def trace(error: BaseException | None) -> list[str]:
    """Return an exception's traceback, line by line."""
    shown = "".join(traceback.format_exception(error, limit=50)) if error else ""
    return shown.splitlines()


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return dumps(event, allow_nan=False)


def _plain_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    shown = dict(event)
    at, level, what = (str(shown.pop(key)) for key in ("at", "level", "event"))
    trail = shown.pop("traceback", [])
    words = [at[11:19], f"{level:<7}", what]
    words += [f"{key}={_word(value)}" for key, value in shown.items() if value not in (None, "")]
    return "\n    ".join([" ".join(words), *trail])


def _word(value: object) -> str:
    if isinstance(value, str) and value and not set(' "=') & set(value):
        return value
    return dumps(value, ensure_ascii=False)
