"""Reads of the operation's Location URL, where that is all a 202 brought.

202 while it runs; then 200 with the bare result (azure-facts 2.1). An error status is a failure of
the reading here too, so an operation that failed is found out by the instance view at its deadline.
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
    ended,
    read_slower,
    running,
    told_nothing,
    without_result,
)
from tests.contract.arm.behaviours.script import Answer, Framing, Play, Tear, Torn
from tests.contract.arm.bench import OPERATION, recorded

_LOOK = "verifying, by instance view"
_GOOD = "succeeded: succeeded"


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.MONITOR, name=name, plays=plays, outcome=outcome)


RUNNING = (
    _row("202", running(), answer(202)),
    _row("202 with Retry-After: 15", running(15), answer(202, ("retry-after", "15"))),
    _row("202 with Retry-After: nonsense", running(30), answer(202, ("retry-after", "x"))),
    _row("202 with a result", running(), answer(202, JSON, body=bodies.bare_result())),
    _row("202 with a proxy's page", running(), answer(202, HTML, body=PROXY_PAGE)),
)

ENDED = (
    _row("200 with a result", ended(_GOOD, installed=2), answer(200, body=bodies.bare_result())),
    _row(
        "200 with a failed result as it was recorded",
        ended("failed: guest (PACKAGE_MANAGER_FAILURE)", failed=1, window_exceeded=True),
        answer(200, JSON, body=recorded("result_failed_linux.json")),
    ),
    _row(
        "200 with a result in chunks",
        ended(_GOOD),
        Answer(status=200, body=bodies.bare_result(), framing=Framing.CHUNKED),
    ),
    _row(
        "200 with a result, zipped",
        ended(_GOOD),
        Answer(status=200, body=bodies.bare_result(), gzip=True),
    ),
    _row(
        "200 with a result, called text/html",
        ended(_GOOD),
        answer(200, HTML, body=bodies.bare_result()),
    ),
    _row("200 with no body", without_result(), answer(200)),
    _row("200 with blanks", without_result(), answer(200, body=b" \r\n")),
    _row("204", without_result(), answer(204)),
    _row("200 with an empty object", ended(_LOOK, status="Unknown"), answer(200, body=b"{}")),
    _row(
        "200 with an ARM error",
        ended(_LOOK, status="Unknown", error_code="InternalServerError"),
        answer(200, JSON, body=bodies.error("InternalServerError")),
    ),
    _row(
        "200 with a result that still runs",
        ended(_LOOK, status="InProgress"),
        answer(200, body=bodies.bare_result(status="InProgress")),
    ),
    _row(
        "200 with a result without its counts",
        ended(_LOOK, failed=None),
        answer(200, body=bodies.bare_result(failedPatchCount=..., installedPatchCount=...)),
    ),
    _row(
        "200 with the result of another installation",
        without_result(),
        answer(
            200, body=bodies.bare_result(installationActivityId=OPERATION.replace("8d1e", "0000"))
        ),
    ),
)

_NOTHING: tuple[tuple[str, bytes], ...] = (
    ("a proxy's page", PROXY_PAGE),
    ("half a result", bodies.bare_result()[:-9]),
    ("a list", b"[]"),
    ("a text", b'"Succeeded"'),
    ("bytes that are no text", b"\xff\xfe\xfd"),
    ("more than 1 MB", bodies.bare_result(patches=["x" * (1 << 20)])),
)
UNREAD = (
    *(
        _row(f"200 with {what}", told_nothing(200), answer(200, JSON, body=body))
        for what, body in _NOTHING
    ),
    *(
        _row(
            f"200 with a result that was {tear.value}",
            told_nothing(200),
            Torn(answer=answer(200, JSON, body=bodies.bare_result()), tear=tear),
        )
        for tear in Tear
    ),
    _row(
        "200 with a gzip bomb",
        told_nothing(200),
        Answer(status=200, body=b" " * (8 << 20), gzip=True),
    ),
    *(
        _row(
            f"{status} with an ARM error",
            told_nothing(status),
            answer(status, JSON, body=bodies.error("OperationFailed")),
        )
        for status in (400, 401, 408, 409, 412, 500, 502, 503, 504)
    ),
    *(
        _row(
            f"{status} to another place",
            told_nothing(status),
            answer(status, ("location", "https://evil.example/")),
        )
        for status in (301, 302, 303, 307, 308)
    ),
    *(
        _row(f"{status} with an ARM error", by_view(status), answer(status, body=bodies.error("X")))
        for status in (403, 404, 410)
    ),
    _row("429 with Retry-After: 9", read_slower(9), answer(429, ("retry-after", "9"))),
    _row("429 without Retry-After", read_slower(30), answer(429)),
    _row("503 with Retry-After: 5", told_nothing(503, 5), answer(503, ("retry-after", "5"))),
)

ROWS = (*RUNNING, *ENDED, *UNREAD)
