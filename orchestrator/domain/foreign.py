"""Text from outside, made harmless: names of VMs, tags and errors may steer a terminal or break a
line."""

import unicodedata
from typing import Final

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
