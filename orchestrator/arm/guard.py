"""May the token go there? The one answer, for every URL that is about to be asked.

Pure; it never repairs a URL.

Azure hands out the URLs we poll and page by, so anyone who can write an answer could send our token
anywhere (design 19, reliability E S1 and S3). A URL is taken verbatim or not at all.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from orchestrator.arm.clouds import Cloud

LONGEST: Final = 16_384
"""Azure signs operation URLs of 3.4 KB (azure-facts 2.4); four times that is room enough."""

_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<place>[^/?]*)(?P<path>/[^?]*)")
"""A URL without its query."""
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
"""A path in which nothing can hide."""
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~()!$&'*+,:=@-]|%[0-9A-Fa-f]{2})+")
_HIDDEN = re.compile(r"[/\\%;?#\ufffd]")
"""What a decoded segment may not hold: another path, another encoding, bytes that are no text."""
_OF_URLS: Final = bytes(set(range(0x21, 0x7F)) - set(b"\\#"))
_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,100}")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The token may go there; `url` is what was asked about, to the byte."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The token may not go there.

    The reason names no query, and a host only if that is harmless to show.
    """

    reason: str


SUBSCRIPTIONS: Final = re.compile(r"/subscriptions", re.IGNORECASE)
"""The path of the list of subscriptions."""
GRAPH: Final = re.compile(r"/providers/Microsoft\.ResourceGraph/resources", re.IGNORECASE)
"""The path of Resource Graph's queries, and no other of that provider."""


@lru_cache(maxsize=1_000)
def compute(subscription: str | None) -> re.Pattern[str]:
    """Return the paths of Microsoft.Compute in one subscription; None stands for any.

    What another provider keeps below a VM (its locks, its role assignments) is none of them.
    """
    owner = r"[a-z0-9-]+" if subscription is None else re.escape(subscription)
    return re.compile(
        rf"/subscriptions/{owner}(?:/resourcegroups/[^/]+)?/providers/microsoft\.compute"
        r"(?:/(?!providers/)[^/]+)+",
        re.IGNORECASE,
    )


def check(url: str, cloud: Cloud, paths: re.Pattern[str]) -> Allowed | Refused:
    """Decide whether a request with our token may go to this URL.

    `paths` must match the whole path as it stands in the URL.
    """
    if len(url) > LONGEST:
        return Refused(f"the URL is longer than {LONGEST} characters")
    if _is_foreign(url):
        return Refused("the URL holds a character that no URL of Azure's holds")
    parts = _URL.fullmatch(without_query(url))
    if parts is None:
        return Refused("that is not an absolute URL with a path")
    problem = _elsewhere(parts["scheme"].lower(), parts["place"].lower(), cloud) or _astray(
        parts["path"], paths
    )
    return Refused(problem) if problem else Allowed(url)


def without_query(url: str) -> str:
    """Return a URL up to its query. Signed ones are long: what is not needed is not copied."""
    end = url.find("?")
    return url if end < 0 else url[:end]


def _is_foreign(url: str) -> bool:
    """Tell whether a URL holds what none of Azure's does: spaces, controls, anything beyond ASCII,
    backslashes, fragments. Signed URLs are long, and each poll asks: a pattern would take longer
    than all the rest."""
    return not url.isascii() or bool(url.encode().translate(None, _OF_URLS))


def _elsewhere(scheme: str, place: str, cloud: Cloud) -> str | None:
    """Say what is wrong with the scheme, host and port, or nothing."""
    if scheme != cloud.scheme:
        return f"the URL is not {cloud.scheme}"
    if "@" in place:
        return "the URL carries a user name"
    if place not in cloud.authorities:
        named = f" but at {place}" if _HOST.fullmatch(place) else ""
        return f"the URL is not at {cloud.endpoint}{named}"
    return None


def _astray(path: str, paths: re.Pattern[str]) -> str | None:
    """Say what is wrong with the path, or nothing."""
    segments = () if _PLAIN.fullmatch(path) else path.split("/")[1:]
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            return "the URL's path is malformed"
        plain = unquote(segment, errors="replace")
        if plain in {".", ".."} or _HIDDEN.search(plain) or not plain.isprintable():
            return "the URL's path hides another path"
    if not paths.fullmatch(path):
        return "the URL's path is not one that we asked about"
    return None
