"""The one POST: redirects, gateways' errors, and connections that break.

None of it proves that nothing was started, so it is looked for and never sent again: a 504 may hide
an installation (azure-facts 3, reliability A1 3-7). Only a connection that was never made proves
that nothing left.
"""

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    ACCEPTED,
    BY_ARM,
    HTML,
    JSON,
    LOCATION,
    PROXY_PAGE,
    STATUS,
    Ask,
    Outcome,
    Row,
    abandoned,
    answer,
    by,
    doubt,
    not_sent,
    taken,
)
from tests.contract.arm.behaviours.script import (
    Answer,
    Babble,
    Cut,
    Hung,
    NobodyThere,
    Pace,
    Play,
    Tear,
    Torn,
)
from tests.contract.arm.bench import OPERATION


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.SUBMIT, name=name, plays=plays, outcome=outcome)


# ------------------------------------------------------------------------------- redirects and 5xx

_REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308)
REDIRECTS = (
    *(
        _row(f"{status} to the operation", doubt(status), answer(status, LOCATION, STATUS, BY_ARM))
        for status in _REDIRECTS
    ),
    _row(
        "307 to a foreign host",
        doubt(307),
        answer(307, ("location", "https://evil.example/subscriptions")),
    ),
    _row("302 to a login page", doubt(302), answer(302, ("location", "/login"), body=PROXY_PAGE)),
)

_SERVERS = (500, 501, 502, 503, 504, 505, 507, 511, 520, 599)
_CODES = {500: "InternalServerError", 503: "ServerTimeout", 504: "GatewayTimeout"}
GATEWAYS = (
    *(
        _row(
            f"{status} in ARM's own words",
            doubt(status),
            answer(status, BY_ARM, JSON, body=bodies.error(_CODES.get(status, "ServerError"))),
        )
        for status in _SERVERS
    ),
    *(
        _row(
            f"{status} with Retry-After: 5",
            doubt(status),
            answer(status, BY_ARM, ("retry-after", "5"), body=bodies.error("Busy")),
        )
        for status in (500, 503, 504)
    ),
    *(
        _row(
            f"{status} that offers both operation URLs",
            doubt(status),
            answer(status, BY_ARM, STATUS, LOCATION),
        )
        for status in (500, 502, 503, 504)
    ),
    *(
        _row(
            f"{status} with a gateway's page",
            doubt(status),
            answer(status, HTML, body=PROXY_PAGE),
        )
        for status in (502, 503, 504)
    ),
    _row("503 with no body", doubt(503), answer(503)),
    _row(
        "500 that breaks off",
        doubt(500),
        Torn(answer=answer(500, BY_ARM, body=bodies.error("X")), tear=Tear.SHORT),
    ),
    _row("a status of 600", doubt(600), answer(600, BY_ARM, body=bodies.error("X"))),
    _row("a status of 999", doubt(999), answer(999, BY_ARM, STATUS)),
    _row(
        "503 and then, if it were asked again, 202",
        doubt(503),
        answer(503, BY_ARM, ("retry-after", "1")),
        ACCEPTED,
    ),
)

# ----------------------------------------------------------------------------- broken connections

_HEAD = b"HTTP/1.1 202 Accepted\r\nx-ms-request-id: " + OPERATION.encode() + b"\r\n"
BROKEN = (
    _row("closed before a word", doubt(), Cut()),
    _row("reset before a word", doubt(), Cut(reset=True)),
    _row("closed as soon as it was opened", doubt(), Cut(unread=True)),
    _row("reset as soon as it was opened", doubt(), Cut(unread=True, reset=True)),
    _row("closed and then, if it were asked again, 202", doubt(), Cut(), ACCEPTED),
    _row("reset and then, if it were asked again, 202", doubt(), Cut(reset=True), ACCEPTED),
    _row("closed within the status line", doubt(), Cut(said=b"HTTP/1.1 202 Acc")),
    _row("reset within the status line", doubt(), Cut(said=b"HTTP/1.1 20", reset=True)),
    _row("closed within a header", doubt(), Cut(said=_HEAD + b"azure-asyncoperation: https://m")),
    _row("closed between two headers", doubt(), Cut(said=_HEAD)),
    _row("reset before the empty line", doubt(), Cut(said=_HEAD + b"a: b\r\n", reset=True)),
    _row("closed after an interim 100", doubt(), Cut(said=b"HTTP/1.1 100 Continue\r\n\r\n")),
    _row("another protocol's greeting", doubt(), Babble(said=b"SSH-2.0-OpenSSH_9.2\r\n")),
    _row("a TLS alert in the clear", doubt(), Babble(said=b"\x15\x03\x01\x00\x02\x02\x28")),
    _row("HTML without HTTP", doubt(), Babble(said=PROXY_PAGE + b"\r\n\r\n")),
    _row("a status that is a word", doubt(), Babble(said=b"HTTP/1.1 OK\r\n\r\n")),
    _row("a status of two digits", doubt(), Babble(said=b"HTTP/1.1 20 OK\r\n\r\n")),
    _row(
        "a length that is a word",
        doubt(),
        Babble(said=_HEAD + b"Content-Length: many\r\n\r\n"),
    ),
    _row("a length below zero", doubt(), Babble(said=_HEAD + b"Content-Length: -1\r\n\r\n")),
    _row(
        "two lengths that differ",
        doubt(),
        Babble(said=_HEAD + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n"),
    ),
    _row(
        "a chunk whose size is a word",
        doubt(),
        Babble(said=_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ),
    _row(
        "a header of 70 KB",
        doubt(),
        Babble(said=_HEAD + b"x: " + b"y" * 70_000 + b"\r\n\r\n"),
    ),
    _row("a header without a name", doubt(), Babble(said=_HEAD + b": x\r\n\r\n")),
    _row("a NUL in a header", doubt(), Babble(said=_HEAD + b"x: a\x00b\r\n\r\n")),
    _row("silence beyond the time-out", doubt(), Hung()),
    _row("half a head and then silence", doubt(), Hung(said=_HEAD)),
    _row("an interim 100 and then silence", doubt(), Hung(said=b"HTTP/1.1 100 Continue\r\n\r\n")),
    _row(
        "202 later than the time-out",
        doubt(),
        Answer(status=202, lines=(STATUS, BY_ARM), pace=Pace.NEVER),
    ),
    _row("400 later than the time-out", doubt(), Answer(status=400, pace=Pace.NEVER)),
    _row("429 later than the time-out", doubt(), Answer(status=429, pace=Pace.NEVER)),
)

# ----------------------------------------------------------------------------------- nothing left

UNSENT = (
    _row("a refused connection", not_sent(), NobodyThere()),
    Row(
        ask=Ask.SUBMIT,
        name="its time is over before it can be sent",
        plays=(ACCEPTED,),
        outcome=abandoned(),
        late=True,
    ),
    Row(
        ask=Ask.SUBMIT,
        name="a kept connection that Azure closes as the POST comes (it has one of its own)",
        plays=(answer(404), ACCEPTED),
        outcome=taken(**by()),
        warm=True,
    ),
    Row(
        ask=Ask.SUBMIT,
        name="a kept connection, and its own one is closed before a word",
        plays=(answer(404), Cut(), ACCEPTED),
        outcome=doubt(),
        warm=True,
    ),
)

ROWS = (*REDIRECTS, *GATEWAYS, *BROKEN, *UNSENT)
