"""Reads whose connection breaks, hangs, or is not made: whatever is read, nothing is concluded.

A read has no effects, so aiohttp asks it once more when a connection is cut; the POST it never
repeats (`submits_doubtful.py`).
"""

from collections.abc import Callable

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    HTML,
    JSON,
    PROXY_PAGE,
    Ask,
    Outcome,
    Row,
    answer,
    ended,
    seen,
    told_nothing,
    unseen,
)
from tests.contract.arm.behaviours.script import (
    Answer,
    Babble,
    Cut,
    Hung,
    NobodyThere,
    Pace,
    Play,
)

_HEAD = b"HTTP/1.1 200 OK\r\nx-ms-request-id: 1\r\n"
_BREAKS: tuple[tuple[str, Play], ...] = (
    ("closed before a word", Cut()),
    ("reset before a word", Cut(reset=True)),
    ("closed as soon as it was opened", Cut(unread=True)),
    ("closed within the status line", Cut(said=b"HTTP/1.1 200")),
    ("closed within a header", Cut(said=_HEAD + b"date: Sun")),
    ("reset between two headers", Cut(said=_HEAD, reset=True)),
    ("another protocol's greeting", Babble(said=b"SSH-2.0-OpenSSH_9.2\r\n")),
    ("a status that is a word", Babble(said=b"HTTP/1.1 OK\r\n\r\n")),
    ("HTML without HTTP", Babble(said=PROXY_PAGE + b"\r\n\r\n")),
    (
        "two lengths that differ",
        Babble(said=_HEAD + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n"),
    ),
    (
        "a chunk whose size is a word",
        Babble(said=_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ),
    ("a header of 70 KB", Babble(said=_HEAD + b"x: " + b"y" * 70_000 + b"\r\n\r\n")),
    ("silence beyond the time-out", Hung()),
    ("half a head and then silence", Hung(said=_HEAD)),
    ("an answer later than the time-out", Answer(status=200, pace=Pace.NEVER)),
    ("a refused connection", NobodyThere()),
)
_NOTHING: dict[Ask, Callable[[], Outcome]] = {
    Ask.POLL: told_nothing,
    Ask.MONITOR: told_nothing,
    Ask.LOOK: unseen,
}
_GOOD: dict[Ask, tuple[bytes, Outcome]] = {
    Ask.POLL: (bodies.succeeded(), ended("succeeded: succeeded", installed=2)),
    Ask.MONITOR: (bodies.bare_result(), ended("succeeded: succeeded", installed=2)),
    Ask.LOOK: (bodies.vm(), seen(power="running")),
}

BROKEN = tuple(
    Row(ask=ask, name=name, plays=(play,), outcome=nothing())
    for ask, nothing in _NOTHING.items()
    for name, play in _BREAKS
)


def _answered(ask: Ask, name: str, *before: Play, warm: bool = False, **how: Pace) -> Row:
    body, outcome = _GOOD[ask]
    good = Answer(status=200, lines=(JSON,), body=body, pace=how.get("pace", Pace.AT_ONCE))
    return Row(ask=ask, name=name, plays=(*before, good), outcome=outcome, warm=warm)


ANSWERED = tuple(
    row
    for ask in _GOOD
    for row in (
        _answered(ask, "late, within the time-out", pace=Pace.SLOW),
        _answered(ask, "in drops, within the time-out", pace=Pace.DRIPPING),
        _answered(ask, "on a connection kept from an earlier read", answer(404, HTML), warm=True),
        _answered(
            ask,
            "a kept connection that is closed as it is used, then an answer",
            answer(404, HTML),
            Cut(),
            warm=True,
        ),
        _answered(ask, "closed before a word, then an answer", Cut()),
    )
)

ROWS = (*BROKEN, *ANSWERED)
