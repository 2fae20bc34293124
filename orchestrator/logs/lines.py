"""Where lines go and how they look: JSON for machines, plain words for a terminal. One event is one
line, whoever writes it: we, a library, or Python itself."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from json import JSONEncoder, dumps
from typing import Final, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from orchestrator.logs.redaction import Redaction

NAME: Final = "orchestrator"
"""The logger of every line of ours."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_STAMP: Final = structlog.processors.TimeStamper(_TIME, utc=True, key="at")
_HEAD: Final = ("at", "level", "event", "logger")
_json_line: Final = JSONEncoder(allow_nan=False).encode


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
    plain = not json and (json is not None or out.isatty())
    made = _Line(Redaction(secrets), _plain_line if plain else _json_line)
    handler = _Lines(out)
    handler.setFormatter(ProcessorFormatter(processors=[_of_record, made]))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Lines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    ours = logging.getLogger(NAME)
    ours.setLevel(level.upper())
    root.setLevel(max(logging.WARNING, ours.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _STAMP, made],
        logger_factory=lambda *_name: handler,
        wrapper_class=structlog.make_filtering_bound_logger(ours.level),
        cache_logger_on_first_use=False,
    )


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines: those of libraries come as records, our own finished (thousands a second do
    not make a record each). One that cannot be written is told of in words that always can."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        with contextlib.suppress(Exception):
            self.stream.write(_failed(record.name) + "\n")

    def msg(self, line: str) -> None:
        """Write a line of ours."""
        with contextlib.suppress(Exception), self.lock or contextlib.nullcontext():
            self.stream.write(line + "\n")
            self.stream.flush()

    debug = info = warning = error = critical = msg


class _Line:
    """A structlog processor, the last: makes the line."""

    def __init__(self, redaction: Redaction, render: Callable[[EventDict], str]) -> None:
        self._redact = redaction
        self._render = render

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """Return the line; of one that cannot be made, that it was there."""
        try:
            return self._render(self._redact(_head(event)))
        except Exception:  # noqa: BLE001 - a line fails nobody
            return _failed(str(event.get("logger", NAME)))


def _failed(logger: str) -> str:
    return dumps({"level": "error", "event": "log.failed", "logger": logger})


def _of_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take from a record of a library's what a line of ours has by itself."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    at = datetime.fromtimestamp(record.created, UTC)
    event["at"] = at.strftime(_TIME)
    event["level"] = record.levelname.lower()
    if record.name != NAME:
        event["logger"] = record.name
    return event


def _head(event: EventDict) -> EventDict:
    """Put first what every line has, and an exception as a list of lines."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if error:
        event["traceback"] = trace(error[1] if isinstance(error, tuple) else error)
    head = {name: event.pop(name) for name in _HEAD if name in event}
    return {**head, **event}


def trace(error: BaseException | None) -> list[str]:
    """Return an exception's traceback, line by line."""
    shown = "".join(traceback.format_exception(error, limit=50)) if error else ""
    return shown.splitlines()


def _plain_line(event: EventDict) -> str:
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
