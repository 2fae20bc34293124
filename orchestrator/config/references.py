"""Secrets by reference: `${NAME}` reads the environment, `${file:path}` a file. Shows neither."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from orchestrator.config.azure_words import is_loopback
from orchestrator.config.problems import Wrong

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LIKE_A_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LONGEST_SECRET = 1 << 16
_SQLITE = ("sqlite+aiosqlite:///", "sqlite:///")
_ON_NETWORK = "?network=yes"
"""Allows a file on a network file system, where SQLite's locks may not hold."""
_POSTGRES = ("postgresql+asyncpg://", "postgresql://", "postgres://")
_DATABASES = "write sqlite:///orchestrator.db or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration may refer to. `folder` is where its relative paths begin."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)


def variable(name: str, around: Surroundings) -> str:
    """Return what an environment variable holds. Raises `Wrong` when it is not set, or empty."""
    if not _VARIABLE.fullmatch(name):
        fix = "write the name of a variable; the secret itself never stands in a file"
        raise Wrong("not the name of an environment variable", fix, secret=True)
    if value := around.environ.get(name):
        return value
    if not _LIKE_A_VARIABLE.fullmatch(name):  # perhaps the secret itself: it is not repeated
        message, fix = "an environment variable that is not set", "set it and start again"
        raise Wrong(message, fix, secret=True)
    raise Wrong(f"the environment variable {name} is not set", f"set {name} and start again")


def expand(text: str, around: Surroundings) -> str:
    """Replace each reference by what it stands for. Raises `Wrong`.

    A text that is one reference becomes its value; inside a URL, values are percent-encoded.
    """
    if whole := _REFERENCE.fullmatch(text):
        return _secret(whole[1], around)
    return _REFERENCE.sub(lambda found: quote(_secret(found[1], around), safe=""), text)


def _secret(reference: str, around: Surroundings) -> str:
    if not reference.startswith("file:"):
        return variable(reference, around)
    path = around.folder / reference.removeprefix("file:")
    fix = f"make {path} readable, holding the secret and nothing else"
    try:
        with path.open("rb") as file:
            value = file.read(_LONGEST_SECRET).decode().strip()
    except (OSError, ValueError) as error:
        raise Wrong(f"the file {path} cannot be read ({type(error).__name__})", fix) from None
    if not value:
        raise Wrong(f"the file {path} is empty", fix)
    return value


def database_url(text: str, around: Surroundings) -> str:
    """Return `sqlite:////absolute/path` or `postgresql://…`, references resolved. Raises `Wrong`.

    A password may come only by reference; a driver in the scheme is ours to choose and is dropped.
    """
    if not text.startswith("${"):
        _no_password(text)
    url = expand(text, around)
    if path := _after(url, _SQLITE):
        bare = path.removesuffix(_ON_NETWORK)
        allowed = path[len(bare) :]
        return f"sqlite:///{_sqlite_path(bare, around.folder)}{allowed}"
    if rest := _after(url, _POSTGRES):
        return _postgres(f"postgresql://{rest}")
    raise Wrong("not the URL of a database", _DATABASES, secret=True)


def _after(url: str, beginnings: tuple[str, ...]) -> str:
    """Return what follows the scheme; empty when the URL begins differently or ends there."""
    return next((url.removeprefix(scheme) for scheme in beginnings if url.startswith(scheme)), "")


def _sqlite_path(path: str, folder: Path) -> Path:
    if path == ":memory:" or path.startswith("file:") or "?" in path or "\0" in path:
        fix = "write sqlite:/// and the path of a file"
        raise Wrong("the status database must be a file that stays", fix, secret=True)
    return (folder.absolute() / path).absolute()


def _no_password(text: str) -> None:
    by_reference = _REFERENCE.sub("", text)
    inside = re.search(r"://[^/?#]*:[^@/?#]+@", by_reference) or "password=" in by_reference
    if inside:
        fix = "write postgresql://user:${DATABASE_PASSWORD}@host/database and set the variable"
        raise Wrong("a password does not stand in a configuration", fix, secret=True)


def _postgres(url: str) -> str:
    try:
        parts = urlsplit(url)
        in_order = bool(parts.path.strip("/")) and (parts.port or True)
    except ValueError:
        in_order = False
    if not in_order:
        raise Wrong("not the URL of a PostgreSQL database", _DATABASES, secret=True)
    return url


def read_listen(text: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:8470`. Raises `Wrong`; only loopback, for now."""
    how = "write 127.0.0.1:8470"
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Wrong("not a host and a port", how) from None
    if host is None or port is None or parts.netloc != text or parts.username is not None:
        raise Wrong("not a host and a port", how, secret="@" in text)
    if not is_loopback(host):
        raise Wrong("listening beyond loopback is not supported yet", how)
    return host, port
