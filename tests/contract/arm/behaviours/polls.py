"""Reads of the operation's status URL.

Only the three terminal words end an operation; every other word means that it still runs, and no
error of the reading ends it (design 6, azure-facts 3). 403, 404 and 410 say that this URL will not
tell: the instance view is read instead (azure-facts 8).
"""

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    HTML,
    JSON,
    PROXY_PAGE,
    Ask,
    Outcome,
    Row,
    answer,
    by_view,
    read_slower,
    running,
    told_nothing,
)
from tests.contract.arm.behaviours.script import Answer, Line, Play, Tear, Torn
from tests.contract.arm.bench import recorded

OTHER = "11111111-2222-4333-8444-555555555555"


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.POLL, name=name, plays=plays, outcome=outcome)


def _said(body: bytes, *lines: Line) -> Answer:
    return answer(200, JSON, *lines, body=body)


# ----------------------------------------------------------------------------------- still running

_WORDS = (
    "InProgress",
    "Running",
    "Updating",
    "Creating",
    "Accepted",
    "Pending",
    "NotStarted",
    "Transitioning",
    "Cancelled",
    "Cancelling",
    "Canceling",
    "TimedOut",
    "Aborted",
    "Error",
    "Success",
    "Completed",
    "CompletedWithWarnings",
    "Unknown",
    "Succeeded.",
    "Succès",
)
RUNNING = (
    *(_row(f"status {word}", running(), _said(bodies.operation(word))) for word in _WORDS),
    _row("status InProgress as it was recorded", running(), _said(recorded("running.json"))),
    _row(
        "status InProgress with Retry-After: 50",
        running(50),
        _said(bodies.operation("InProgress"), ("retry-after", "50")),
    ),
    _row(
        "status InProgress with Retry-After: 0",
        running(30),
        _said(bodies.operation("InProgress"), ("retry-after", "0")),
    ),
    _row(
        "status InProgress with Retry-After: 86400",
        running(1200),
        _said(bodies.operation("InProgress"), ("retry-after", "86400")),
    ),
    _row(
        "status InProgress with an error",
        running(),
        _said(bodies.operation("InProgress", error={"code": "Transient", "message": "Wait."})),
    ),
    _row(
        "status InProgress with a result that says Failed",
        running(),
        _said(bodies.operation("InProgress", output=bodies.result(status="Failed"))),
    ),
    _row("202 instead of a status", running(), answer(202)),
    _row("202 with Retry-After: 15", running(15), answer(202, ("retry-after", "15"))),
    _row(
        "202 with a status that says Failed",
        running(),
        answer(202, JSON, body=bodies.operation("Failed")),
    ),
)

# ------------------------------------------------------------------------- an answer without a word

_NOTHING: tuple[tuple[str, bytes], ...] = (
    ("no body", b""),
    ("blanks", b"  \r\n"),
    ("a proxy's page", PROXY_PAGE),
    ("a list", b"[]"),
    ("a number", b"7"),
    ("a text", b'"Succeeded"'),
    ("null", b"null"),
    ("half an object", bodies.operation("Succeeded")[:-20]),
    ("an object and more", bodies.operation("Succeeded") + b"}"),
    ("bytes that are no text", b"\xff\xfe\xfd"),
    ("latin-1", '{"status": "Succès"}'.encode("latin-1")),
    ("an empty object", b"{}"),
    ("an empty status", bodies.operation("")),
    ("a status that is a number", bodies.operation(7)),
    ("a status that is null", bodies.operation(None)),
    ("a status that is a list", bodies.operation(["Succeeded"])),
    ("a status that is an object", bodies.operation({"value": "Succeeded"})),
    ("NaN for an object", b"NaN"),
    ("ten thousand open brackets", b'{"status":' + b"[" * 10_000),
    ("another operation's name", bodies.operation("Succeeded", name=OTHER, output={"a": 1})),
    ("another operation's failure", bodies.operation("Failed", name=OTHER)),
    ("an ARM error with 200", bodies.error("InternalServerError")),
    ("more than 1 MB", bodies.operation("Succeeded", more="x" * (1 << 20))),
)
WORDLESS = (
    *(_row(f"200 with {what}", told_nothing(200), _said(body)) for what, body in _NOTHING),
    *(
        _row(
            f"200 with a status that was {tear.value}",
            told_nothing(200),
            Torn(answer=_said(bodies.succeeded()), tear=tear),
        )
        for tear in Tear
    ),
    _row(
        "200 with a gzip bomb",
        told_nothing(200),
        Answer(status=200, lines=(JSON,), body=b" " * (8 << 20), gzip=True),
    ),
    _row(
        "200 with no body and Retry-After: 7",
        told_nothing(200, 7),
        answer(200, ("retry-after", "7")),
    ),
)

# ------------------------------------------------------------------------ errors of the reading

_READ = (400, 401, 402, 405, 406, 407, 408, 409, 412, 422, 451)
_SERVER = (500, 501, 502, 503, 504, 511, 599)
_MOVED = (301, 302, 303, 304, 307, 308)
_FAILED = bodies.operation("Failed", error={"code": "X", "message": "Y"})
ERRORS = (
    *(
        _row(
            f"{status} with an ARM error",
            told_nothing(status),
            answer(status, JSON, body=bodies.error("Trouble")),
        )
        for status in (*_READ, *_SERVER)
    ),
    *(
        _row(f"{status} with a status that says Failed", told_nothing(status), _failed)
        for status in (400, 408, 500, 503)
        for _failed in (answer(status, JSON, body=_FAILED),)
    ),
    *(
        _row(
            f"{status} to a foreign host",
            told_nothing(status),
            answer(status, ("location", "https://evil.example/x")),
        )
        for status in _MOVED
    ),
    *(
        _row(
            f"{status} with Retry-After: 5",
            told_nothing(status, 5),
            answer(status, ("retry-after", "5")),
        )
        for status in (408, 500, 502, 503, 504)
    ),
    *(
        _row(
            f"{status} with a success in its body",
            told_nothing(status),
            answer(status, JSON, body=bodies.succeeded()),
        )
        for status in (201, 203, 204, 206)
        if status != 204  # it has no body
    ),
    _row("204", told_nothing(204), answer(204)),
    *(
        _row(f"502 with a gateway's page, {size}", told_nothing(502), answer(502, HTML, body=page))
        for size, page in (("short", PROXY_PAGE), ("long", PROXY_PAGE * 20_000))
    ),
    *(
        _row(
            f"{status} {code}",
            by_view(status),
            answer(status, JSON, body=bodies.error(code)),
        )
        for status, code in (
            (403, "AuthorizationFailed"),
            (404, "NotFound"),
            (404, "ResourceNotFound"),
            (410, "Gone"),
        )
    ),
    *(
        _row(f"{status} with a proxy's page", by_view(status), answer(status, body=PROXY_PAGE))
        for status in (403, 404, 410)
    ),
    _row("404 with no body", by_view(404), answer(404)),
    _row(
        "404 with a status that says Succeeded",
        by_view(404),
        answer(404, JSON, body=bodies.succeeded()),
    ),
    _row("429 with Retry-After: 9", read_slower(9), answer(429, ("retry-after", "9"))),
    _row("429 without Retry-After", read_slower(30), answer(429)),
    _row("429 with Retry-After: 0", read_slower(30), answer(429, ("retry-after", "0"))),
    _row(
        "429 with a status that says Succeeded",
        read_slower(30),
        answer(429, JSON, body=bodies.succeeded()),
    ),
)

ROWS = (*RUNNING, *WORDLESS, *ERRORS)
