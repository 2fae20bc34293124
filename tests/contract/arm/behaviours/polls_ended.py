"""Reads of the operation's status URL that tell its end.

An operation that itself ended badly is the machine's fault or the platform's, by its error code
(azure-facts 5.1 and 5.3). One that Succeeded says nothing yet: the result does, here or at Location
(`results.py` has its table).
"""

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    HTML,
    JSON,
    LOCATION,
    PROXY_PAGE,
    Ask,
    Outcome,
    Row,
    answer,
    by_view,
    collapsed,
    ended,
    read_slower,
    running,
    told_nothing,
    without_result,
)
from tests.contract.arm.behaviours.script import Answer, Framing, Line, Play
from tests.contract.arm.bench import recorded


def _row(name: str, outcome: Outcome, *plays: Play, asked: int = 1) -> Row:
    return Row(ask=Ask.POLL, name=name, plays=plays, outcome=outcome, asked=asked)


def _said(body: bytes, *lines: Line) -> Answer:
    return answer(200, JSON, *lines, body=body)


# ----------------------------------------------------------------- the operation itself ended badly

_GUEST = (
    "VMAgentStatusCommunicationError",
    "VMExtensionProvisioningError",
    "VMExtensionProvisioningTimeout",
    "VMExtensionHandlerNonTransientError",
    "VMStartTimedOut",
)
_PLATFORM = (
    "VMExtensionManagementInternalError",
    "InternalOperationError",
    "OperationPreempted",
    "InternalExecutionError",
)
COLLAPSED = (
    *(
        _row(
            f"status Failed, {code}",
            collapsed(f"failed: guest ({code})", "Failed", code, message="Why."),
            _said(bodies.operation("Failed", error={"code": code, "message": "Why."})),
        )
        for code in _GUEST
    ),
    *(
        _row(
            f"status Failed, {code}",
            collapsed(f"failed: platform ({code})", "Failed", code, message="Why."),
            _said(bodies.operation("Failed", error={"code": code, "message": "Why."})),
        )
        for code in _PLATFORM
    ),
    _row(
        "status Failed as it was recorded",
        collapsed(
            "failed: guest (VMAgentStatusCommunicationError)",
            "Failed",
            "VMAgentStatusCommunicationError",
        ),
        _said(recorded("failed.json")),
    ),
    *(
        _row(
            f"status {word} without an error",
            collapsed(f"failed: platform ({meant.lower()})", meant, ""),
            _said(bodies.operation(word)),
        )
        for word, meant in (
            ("Failed", "Failed"),
            ("FAILED", "Failed"),
            ("Canceled", "Canceled"),
            ("canceled", "Canceled"),
        )
    ),
    _row(
        "status Canceled, OperationPreempted",
        collapsed("failed: platform (OperationPreempted)", "Canceled", "OperationPreempted"),
        _said(bodies.operation("Canceled", error={"code": "OperationPreempted", "message": "M"})),
    ),
    _row(
        "status Failed whose error speaks only in a detail",
        collapsed("failed: platform (X)", "Failed", "X", message="because"),
        _said(
            bodies.operation(
                "Failed", error={"code": "X", "details": [7, {"code": "Y", "message": "because"}]}
            )
        ),
    ),
    *(
        _row(
            f"status Failed with an error that is {what}",
            collapsed("failed: platform (failed)", "Failed", ""),
            _said(bodies.operation("Failed", error=given)),
        )
        for what, given in (("null", None), ("text", "boom"), ("a list", []), ("without code", {}))
    ),
    _row(
        "status Failed with a result that says Failed",
        collapsed("failed: platform (X)", "Failed", "X", **{"report.result.failed": 1}),
        _said(
            bodies.operation(
                "Failed",
                output=bodies.result(status="Failed", failedPatchCount=1),
                error={"code": "X", "message": "M"},
            )
        ),
    ),
    _row(
        "status Failed with a result that says Succeeded",
        collapsed("failed: platform (X)", "Failed", "X", **{"report.result.status": "Succeeded"}),
        _said(
            bodies.operation("Failed", output=bodies.result(), error={"code": "X", "message": "M"})
        ),
    ),
)

# ------------------------------------------------------------- Succeeded, and the result elsewhere

_BARE = _said(recorded("succeeded_bare.json"))
_GOOD = "succeeded: succeeded"
ELSEWHERE = (
    _row(
        "Succeeded without its result, and Location has it",
        ended(_GOOD, installed=2),
        _BARE,
        _said(bodies.bare_result()),
        asked=2,
    ),
    _row(
        "Succeeded without its result, and Location says Failed",
        ended("failed: guest (patches_failed)", status="Failed"),
        _BARE,
        _said(bodies.bare_result(status="Failed", failedPatchCount=1)),
        asked=2,
    ),
    *(
        _row(
            f"Succeeded without its result, and Location answers {what}",
            outcome,
            _BARE,
            play,
            asked=2,
        )
        for what, outcome, play in (
            ("202", running(), answer(202)),
            ("429", read_slower(30), answer(429)),
            ("503", told_nothing(503), answer(503)),
            ("403", by_view(403), answer(403)),
            ("404", by_view(404), answer(404)),
            ("200 with no body", without_result(), answer(200)),
            ("204", without_result(), answer(204)),
            ("200 with a proxy's page", told_nothing(200), answer(200, HTML, body=PROXY_PAGE)),
            ("302", told_nothing(302), answer(302, LOCATION)),
        )
    ),
    *(
        _row(
            f"Succeeded with {what} for a result, and Location has it",
            ended(_GOOD, installed=2),
            _said(bodies.operation("Succeeded", **members)),
            _said(bodies.bare_result()),
            asked=2,
        )
        for what, members in (
            ("null", {"output": None}),
            ("text", {"output": "Succeeded"}),
            ("a list", {"output": [bodies.result()]}),
            ("an empty object", {"output": {}}),
            ("null properties", {"properties": None}),
        )
    ),
)

# --------------------------------------------------------------------------- how a success is said

SUCCEEDED = (
    *(
        _row(f"status {word}", ended(_GOOD, installed=2), _said(body))
        for word in ("Succeeded", "succeeded", "SUCCEEDED")
        for body in (bodies.operation(word, output=bodies.result()),)
    ),
    _row(
        "Succeeded on Linux, rebooted, as it was recorded",
        ended("verifying, by instance view", installed=32, reboot="Completed", error_code=""),
        _said(recorded("succeeded_linux.json")),
    ),
    _row(
        "Succeeded on Windows as it was recorded",
        ended(_GOOD, installed=2, reboot="NotNeeded", error_code=""),
        _said(recorded("succeeded_windows.json")),
    ),
    _row(
        "Succeeded, called text/html",
        ended(_GOOD),
        answer(200, HTML, body=bodies.succeeded()),
    ),
    _row("Succeeded without a content type", ended(_GOOD), answer(200, body=bodies.succeeded())),
    _row(
        "Succeeded, called latin-1, in UTF-8",
        ended(_GOOD),
        answer(
            200,
            ("content-type", "application/json; charset=iso-8859-1"),
            body=bodies.succeeded(),
        ),
    ),
    _row(
        "Succeeded in UTF-16",
        ended(_GOOD),
        _said(bodies.succeeded().decode().encode("utf-16")),
    ),
    _row(
        "Succeeded behind a byte order mark",
        ended(_GOOD),
        _said(b"\xef\xbb\xbf" + bodies.succeeded()),
    ),
    _row(
        "Succeeded in chunks",
        ended(_GOOD),
        Answer(status=200, body=bodies.succeeded(), framing=Framing.CHUNKED),
    ),
    _row(
        "Succeeded, ending with its connection",
        ended(_GOOD),
        Answer(status=200, body=bodies.succeeded(), framing=Framing.TO_THE_END),
    ),
    _row(
        "Succeeded, zipped",
        ended(_GOOD),
        Answer(status=200, body=bodies.succeeded(), gzip=True),
    ),
    _row(
        "Succeeded with a name that is no guid",
        ended(_GOOD),
        _said(bodies.operation("Succeeded", output=bodies.result(), name="operation-7")),
    ),
    _row(
        "Succeeded without a name",
        ended(_GOOD),
        _said(bodies.operation("Succeeded", output=bodies.result(), name=None)),
    ),
    _row(
        "Succeeded with an error beside it",
        ended(_GOOD),
        _said(
            bodies.operation(
                "Succeeded", output=bodies.result(), error={"code": "X", "message": "M"}
            )
        ),
    ),
)

ROWS = (*COLLAPSED, *ELSEWHERE, *SUCCEEDED)
