"""What a driver's error means: the database is out of reach or full (a sentence for people), or
somebody here made a mistake (the error itself). A password is never in the sentence."""

import os
from collections.abc import Iterable
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator.domain.foreign import REDACTED, redact
from orchestrator.ports import StoreSlowError, StoreUnavailableError

_OUR_FAULT: Final = {"0A", "21", "22", "23", "26", "34", "42"}
"""Classes of SQLSTATE that speak of the statement; all others speak of the server."""
_OUR_FAULT_HERE: Final = {1, 18, 19, 20, 21, 25}
"""SQLite's ERROR, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, RANGE."""
_PERMISSION: Final = "42501"
_SLOW: Final = {"55P03", "57014"}
"""SQLSTATE of a lock that was not to be had, and of a statement that took too long."""
_DAMAGED: Final = {11, 26}
"""SQLite's CORRUPT and NOTADB."""
_STRANGE_HEADER: Final = "unsupported file format"
RESTORE: Final = "restore a copy made with `orchestrator db backup`"


class DatabaseBusyError(StoreUnavailableError):
    """Another process has this SQLite database. `pid` is that process, where it could be read."""

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class SchemaError(StoreUnavailableError):
    """The schema of this database is not the one that this version works with."""


def translate(where: str, error: Exception, secrets: Iterable[str] = ()) -> Exception:
    """Return `StoreUnavailableError` when the database is the reason, else the error as it is.

    `where` names the database for people; `secrets` are hidden in what the server says.
    """
    if isinstance(error, StoreUnavailableError):
        return error
    reason = _reason(error)
    if reason is None:
        return error
    for secret in secrets:
        reason = reason.replace(secret, REDACTED)
    kind = StoreSlowError if _is_slow(error) else StoreUnavailableError
    return kind(f"The database {where} {redact(reason)}.")


def _is_slow(error: Exception) -> bool:
    """Tell whether only this statement took too long, or was in another's way."""
    driver = _driver_error(error)
    state = getattr(driver, "sqlstate", None) or ""
    return isinstance(driver, TimeoutError) or state[:2] == "40" or state in _SLOW


def may_pass(error: Exception) -> bool:
    """Tell whether connecting again soon may help: nobody answers yet, or the server starts."""
    driver = _driver_error(error)
    state = getattr(driver, "sqlstate", None) or ""
    return isinstance(driver, OSError) or state[:2] in {"08", "53", "57"}


def _reason(error: Exception) -> str | None:
    driver = _driver_error(error)
    if isinstance(driver, TimeoutError | PoolTimeoutError):
        return "does not answer: it took too long"
    if isinstance(driver, OSError):
        return f"does not answer: {_sentence(_system_word(driver))}"
    if isinstance(driver, UnicodeDecodeError):  # SQLite repeats a name that is no text any more
        return f"is damaged: it holds what is no text; {RESTORE}"
    state = getattr(driver, "sqlstate", None)
    if state is not None:
        ours = state[:2] in _OUR_FAULT and state != _PERMISSION
        return None if ours else f"refuses: {_sentence(driver)}"
    code = getattr(driver, "sqlite_errorcode", None)
    if code is not None:
        return _of_sqlite(driver, code & 0xFF)
    lost = isinstance(error, OperationalError | InterfaceError)
    if lost or type(driver).__module__.partition(".")[0] == "asyncpg":
        return f"does not answer: {_sentence(driver)}"
    return None


def _of_sqlite(driver: BaseException, code: int) -> str | None:
    said = _sentence(driver)
    if code in _DAMAGED or said == _STRANGE_HEADER:
        return f"is damaged: {said}; {RESTORE}"
    return None if code in _OUR_FAULT_HERE else f"refuses: {said}"


def _driver_error(error: BaseException) -> BaseException:
    """Go down to what the driver raised: SQLAlchemy wraps it, and its asyncpg face wraps again."""
    seen = error
    while True:
        inner = getattr(seen, "orig", None) or (
            seen.__cause__ if getattr(seen, "sqlstate", None) is None else None
        )
        if inner is None or inner is seen:
            return seen
        seen = inner


def _sentence(said: object) -> str:
    """Return the first line of what a driver says, without its full stop."""
    lines = str(said).strip().splitlines() or ["it gives no reason"]
    return lines[0].rstrip(".")


def _system_word(error: OSError) -> object:
    if error.errno is not None and error.errno > 0:  # below are the numbers of the resolver
        return os.strerror(error.errno)
    return error.strerror or error
