"""What may be written: no secret, no signed part of a URL, nothing that steers a terminal or ends a
line. It decides nothing else, and foreign objects cannot make it fail."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any
from urllib.parse import quote

from structlog.typing import EventDict

from orchestrator.domain.foreign import REDACTED, SECRET_WORD, harmless, redact, said

_LONGEST = 4_000
"""So many characters of one text are written; the rest is counted."""
_MOST_READ = 16_384
_MOST_ITEMS = 200
_DEEPEST = 6
_OFTEN_SEEN = 300
_MOST_SEEN = 5_000
_SHORTEST_SECRET = 6
"""What is shorter would blot out half of every line."""

_SECRET_KEY = re.compile(rf"{SECRET_WORD}$|^authorization$", re.IGNORECASE)


@lru_cache(maxsize=1_000)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=1_000)
def _plain_key(key: str) -> str:
    return harmless(key)


class Redaction:
    """Makes an event plain, short, one line and free of secrets.

    `secrets` are hidden wherever they stand, also percent-encoded; all others are known by their
    surroundings.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        spelled = known | {quote(secret, safe="") for secret in known}
        self._secrets = sorted(spelled, key=len, reverse=True)
        self._seen: dict[str, str] = {}
        """What became of short texts: the same names and words stand in line after line."""

    def __call__(self, event: EventDict) -> EventDict:
        """Return the event as it may be written."""
        return {_plain_key(key): self._value(key, value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return one text as it may be written."""
        seen = self._seen.get(text)
        if seen is None:
            seen = self._plain(text)
            if len(text) <= _OFTEN_SEEN:
                if len(self._seen) >= _MOST_SEEN:
                    self._seen.clear()
                self._seen[text] = seen
        return seen

    def _plain(self, text: str) -> str:
        text = text[:_MOST_READ]
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        text = harmless(redact(text))
        more = len(text) - _LONGEST
        return text if more <= 0 else f"{text[:_LONGEST]}… and {more} more"

    def _value(self, key: str, value: object, depth: int = 0) -> Any:  # noqa: ANN401 - what JSON can say
        if type(value) is str:  # most are; the patterns below are asked one after the other
            return REDACTED if _is_secret(key) else self.text(value)
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if isfinite(value) else str(value)
            case _ if _is_secret(key):
                return REDACTED
            case str():
                return self.text(value)
            case Mapping() if depth < _DEEPEST:
                pairs = list(value.items())[:_MOST_ITEMS]
                return {self.text(str(k)): self._value(str(k), v, depth + 1) for k, v in pairs}
            case list() | tuple() if depth < _DEEPEST:
                return [self._value("", item, depth + 1) for item in value[:_MOST_ITEMS]]
            case _:
                return self.text(said(value))
