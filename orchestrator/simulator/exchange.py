"""One HTTP exchange as values: what was asked, and what is answered.

It parses no meaning and opens no socket; `app.py` turns these values into bytes on a wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Header = tuple[str, str]
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    `url` is absolute, or path and query, exactly as it was sent (nothing decoded).
    `headers` has lower-case names.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `delay` is in real seconds, waited before the first byte."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    delay: float = 0.0

    def header(self, name: str) -> str | None:
        """Return the first header of this (lower-case) name, or None."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is cut without an answer. `delay` is in real seconds."""

    delay: float = 0.0


Answer = Reply | HangUp
