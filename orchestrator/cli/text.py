"""Text for a terminal. Names of VMs, tags and errors come from outside and may steer a terminal."""

import unicodedata

import click

_STEERING = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Control, format (bidi), unassigned, private, surrogate; line and paragraph separators."""


def clean(text: str, *, keep: str = "") -> str:
    r"""Return text with every character that steers a terminal escaped (`\x1b`, `\u202e`).

    Characters in `keep`, such as a line break of our own, stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) in _STEERING:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """Print one text; its line breaks are ours, everything else is cleaned."""
    click.echo(clean(text, keep="\n"), err=to_stderr)
