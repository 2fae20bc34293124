"""Text from outside, made harmless: names of VMs, tags and errors may steer a terminal, break a
line or repeat a secret of ours."""

import re
import unicodedata
from typing import Final

REDACTED: Final = "[redacted]"

SECRET_WORD: Final = r"(?:password|passwd|pwd|secret|token|api[_-]?key|assertion)"  # noqa: S105 - a pattern, not a secret
_SIGNED: Final = (
    r"sig|signature|s|c|h|t|code|key|password|client_secret|token|access_token|id_token"
    r"|refresh_token"
)
_QUOTE: Final = r"\\{0,8}[\"']"
"""Also of JSON within JSON."""
_REFERENCE: Final = r"(?!\$\{[^}]{0,200}\})"
"""`${NAME}` names a secret and is none."""
_UP_TO_AT: Final = r"[^\s\"<>@]{0,512}+(?=@)"
"""Taken whole or not at all: an answer of a megabyte may be made of nothing but beginnings, and
whoever tried shorter ones at each would hold the loop for seconds."""
_HIDDEN: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)[^\"'\r\n,;}]{1,8192}",
        r"\b(bearer\s{1,4})(?!tokens?\b|authenticat|authoriz)[a-z0-9._~+/=-]{6,}",
        r"(?<![\w-])()eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",  # a JSON web token
        rf"(://[^\s:/@]{{0,128}}:){_REFERENCE}{_UP_TO_AT}(?:@{_UP_TO_AT})*+",  # a password in a URL
        rf"((?:[?&;]|\\u0026)(?:{_SIGNED})=)[^&\s\"'<>\\;]+",  # ARM signs its URLs: azure-facts 2.4
        rf"({SECRET_WORD}\s{{0,4}}=\s{{0,4}}[\"']?){_REFERENCE}[^\s\"'&,;}}]+",
        rf"({_QUOTE}[\w-]{{0,32}}{SECRET_WORD}{_QUOTE}\s{{0,4}}:\s{{0,4}}{_QUOTE})(?:\\+.|[^\"'\\])+",
    )
)

_STEERING: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Control, format (bidi), unassigned, private, surrogate; line and paragraph separators."""


def harmless(text: str, *, keep: str = "") -> str:
    r"""Return text with what steers a terminal or ends a line escaped: `\x1b`, `\u202e`.

    Characters in `keep`, such as a line break of our own, stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) in _STEERING:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def redact(text: str) -> str:
    """Return text without bearer tokens, passwords and the signed parts of URLs."""
    if not _may_hide(text):
        return text
    for pattern in _HIDDEN:
        text = pattern.sub(rf"\1{REDACTED}", text)
    return text


def _may_hide(text: str) -> bool:
    """Tell whether any pattern could match at all: each needs one of these, and names and times
    have none."""
    if "=" in text or '"' in text or "'" in text or "://" in text:
        return True
    lower = text.lower()
    return "bearer" in lower or "eyj" in lower or "authorization" in lower


def said(value: object) -> str:
    """Return what a foreign object says of itself, if it can."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object may not know how to show itself
        return f"<{type(value).__name__}>"
