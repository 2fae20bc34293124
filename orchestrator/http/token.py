"""The local token: whoever may read this file may steer the daemon. It is made once and kept.

It is called `orchestrator.token`, and lies beside a SQLite database, or beside the configuration.
"""

import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestrator.config.settings import Access
from orchestrator.ports import OutOfReachError

NAME: Final = "orchestrator.token"
_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43,200}")
_MOST_BYTES: Final = 256


class TokenError(OutOfReachError):
    """The token cannot be had. The message is for people: it names the file and the fix."""


class NoTokenError(TokenError):
    """There is no token file: no daemon has run here yet."""


def token_beside(database: Path) -> Path:
    """Return where the token of a SQLite database lies."""
    return database.with_name(NAME)


def token_path(access: Access) -> Path:
    """Return where the token lies: beside a SQLite database, beside the configuration otherwise."""
    name, _, file = access.database.partition(":///")
    return token_beside(Path(file)) if name == "sqlite" else access.folder / NAME


def ensure_token(path: Path) -> str:
    """Return the token of this file, made now if there is none: for the daemon.

    Two that make it at the same time get the same one. Raises `TokenError`.
    """
    try:
        return _read(path, strangers=False)
    except NoTokenError:
        _create(path)
        return _read(path, strangers=False)


def read_token(path: Path) -> str:
    """Return the token of this file: for who talks to the daemon.

    The administrator of the machine may read another user's. Raises `NoTokenError` when there is
    none, `TokenError` when it cannot be read or others could.
    """
    return _read(path, strangers=os.geteuid() == 0)


def proof(token: str, question: str) -> str:
    """Return what only a holder of the token can answer to a question that was just made up: the
    token itself is shown to nobody, and an answer that was overheard serves for no other."""
    return hmac.digest(token.encode(), question.encode(), "sha256").hex()


def _create(path: Path) -> None:
    """Write the whole token, then give it its name: nobody ever reads half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(file, 0o600)
            os.write(file, secrets.token_urlsafe(_BYTES).encode("ascii") + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
        with suppress(FileExistsError):  # another daemon was faster: its token is the one
            os.link(draft, path)
    except OSError as error:
        raise TokenError(f"The token file {path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path, *, strangers: bool) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoTokenError(f"There is no token file {path}: no daemon has run here.") from None
    except OSError as error:
        raise TokenError(f"The token file {path} cannot be read: {error.strerror}.") from error
    try:
        _check(path, os.fstat(file), strangers=strangers)
        said = os.read(file, _MOST_BYTES).decode("ascii", "replace").strip()
    finally:
        os.close(file)
    if not _TOKEN.fullmatch(said):
        raise TokenError(f"The file {path} holds no token; delete it and start the daemon again.")
    return said


def _check(path: Path, found: os.stat_result, *, strangers: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise TokenError(f"{path} is no file; the token is not read from it.")
    if found.st_uid != os.geteuid() and not strangers:
        raise TokenError(f"The token file {path} belongs to another user; delete it.")
    if found.st_mode & 0o077:
        raise TokenError(f"Others may read the token file {path}: chmod 600 it, or delete it.")
