"""Reading JSON from outside: every field may be missing, of the wrong type, or hostile.

Pure; it never raises.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.domain.foreign import redact

Document = Mapping[str, object]
"""A JSON object."""

SENTENCE: Final = 1000
NAME: Final = 300
_LARGEST_COUNT: Final = 2**31 - 1
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls, line ends, marks that turn text around, and halves of characters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as ARM writes it: a code for programs, a message for people (azure-facts 3)."""

    code: str
    message: str
    details: tuple["Fault", ...] = ()


def read(body: bytes) -> Document | None:
    """Return the JSON object that a body holds; None for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def inner(document: Document, *path: str) -> Document:
    """Return the object at a path of keys; an empty one when there is none."""
    value: object = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Document]:
    """Return the objects of a list, leaving out what is not an object."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object, limit: int = NAME) -> str:
    """Return a string that can be stored and shown: `limit` characters at most, no controls."""
    if not isinstance(value, str):
        return ""
    if len(value) <= limit and value.isascii() and value.isprintable():  # nearly all
        return value.strip()
    cleaned = _UNWRITABLE.sub(" ", value[: 2 * limit]).strip()
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def word(value: object, known: Sequence[str]) -> str | None:
    """Return the known word that is meant, in whatever case it came; None for a stranger."""
    if not isinstance(value, str):
        return None
    if value in known:
        return value
    given = value.lower()
    return next((candidate for candidate in known if candidate.lower() == given), None)


def count(value: object) -> int | None:
    """Return a number of things; None for anything that cannot be one (reliability A3, 42)."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _LARGEST_COUNT else None


def flag(value: object) -> bool | None:
    """Return a boolean; None for anything else."""
    return value if isinstance(value, bool) else None


def instant(value: object) -> datetime | None:
    """Return a time in UTC; None for what is not one, or not of our century.

    Azure writes six or seven digits and any offset (azure-facts 2.5); a time without offset is
    meant in UTC.
    """
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if 2000 <= at.year < 2200 else None


def words(value: object, limit: int = NAME) -> str:
    """Return text of an error: it may quote a request, so it is kept without secrets."""
    return text(redact(value[: 4 * limit]), limit) if isinstance(value, str) else ""


def fault(document: Document) -> Fault | None:
    """Return an answer's error, in `{"error": {…}}` or bare as in Compute's 429 (azure-facts 4)."""
    error = document.get("error", document)
    return _fault(error) if isinstance(error, dict) else None


def _fault(error: Document) -> Fault | None:
    code = words(error.get("code"))
    if not code:
        return None
    details = [_fault({**item, "details": None}) for item in items(error.get("details"))[:10]]
    return Fault(
        code=code,
        message=words(error.get("message"), SENTENCE),
        details=tuple(detail for detail in details if detail is not None),
    )
