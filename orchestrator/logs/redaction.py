"""What may be written: no secret, no signed part of a URL, nothing that steers a terminal or ends a
line. It decides nothing else, and foreign objects cannot make it fail."""

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from structlog.typing import EventDict, WrappedLogger

from orchestrator.domain.foreign import harmless

REDACTED: Final = "[redacted]"

_LONGEST = 4_000
"""So many characters of one text are written; the rest is counted."""
_MOST_READ = 16_384
_MOST_ITEMS = 200
_DEEPEST = 6
_SHORTEST_SECRET = 6
"""What is shorter would blot out half of every line."""

_SECRET = r"(?:password|passwd|pwd|secret|token|api[_-]?key|assertion)"  # noqa: S105 - a pattern, not a secret
_SECRET_KEY = re.compile(rf"{_SECRET}$|^authorization$", re.IGNORECASE)
_SIGNED = (
    r"sig|signature|s|c|h|t|code|key|password|client_secret|token|access_token|id_token"
    r"|refresh_token"
)
_QUOTE = r"\\{0,8}[\"']"
"""Also of JSON within JSON."""
_HIDDEN: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\"'\r\n,;}]{1,8192}",
        r"\b(bearer\s{1,4})(?!tokens?\b|authenticat|authoriz)[a-z0-9._~+/=-]{6,}",
        r"(?<![\w-])()eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",  # a JSON web token
        r"(://[^\s:/@]{0,128}:)[^\s\"<>]{0,512}(?=@)",  # a password in a URL
        rf"((?:[?&;]|\\u0026)(?:{_SIGNED})=)[^&\s\"'<>\\;]+",  # ARM signs its URLs: azure-facts 2.4
        rf"\b([\w-]{{0,32}}{_SECRET}\s{{0,4}}=\s{{0,4}}[\"']?)[^\s\"'&,;}}]+",
        rf"({_QUOTE}[\w-]{{0,32}}{_SECRET}{_QUOTE}\s{{0,4}}:\s{{0,4}}{_QUOTE})(?:\\+.|[^\"'\\])+",
    )
)


def redact(text: str) -> str:
    """Return text without bearer tokens, passwords and the signed parts of URLs."""
    for pattern in _HIDDEN:
        text = pattern.sub(rf"\1{REDACTED}", text)
    return text


class Redaction:
    """A structlog processor: makes an event plain, short, one line and free of secrets.

    `secrets` are hidden wherever they stand, also percent-encoded; all others are known by their
    surroundings.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        spelled = known | {quote(secret, safe="") for secret in known}
        self._secrets = sorted(spelled, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event as it may be written."""
        return {harmless(key): self._value(key, value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return one text as it may be written."""
        text = text[:_MOST_READ]
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        text = harmless(redact(text))
        more = len(text) - _LONGEST
        return text if more <= 0 else f"{text[:_LONGEST]}… and {more} more"

    def _value(self, key: str, value: object, depth: int = 0) -> Any:  # noqa: ANN401 - what JSON can say
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if isfinite(value) else str(value)
            case _ if _SECRET_KEY.search(key):
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


def said(value: object) -> str:
    """Return what a foreign object says of itself, if it can."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object may not know how to show itself
        return f"<{type(value).__name__}>"
