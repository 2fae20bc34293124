"""What stands in the result of an operation that Succeeded: the body is the truth (design 6).

The table of design 6 is written out here row by row: first match wins, counts beat lists, and an
`error` on success is none (azure-facts 1.2, 5.1, 5.4).
"""

from collections.abc import Mapping

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    JSON,
    Ask,
    Row,
    answer,
    collapsed,
    ended,
    without_result,
)
from tests.contract.arm.bench import OPERATION

Given = Mapping[str, object]

_LOOK = "verifying, by instance view"
_GOOD = "succeeded: succeeded"
_NOTHING: Given = {"installedPatchCount": 0, "pendingPatchCount": 0}
_SUPERSEDED = {
    "code": "1",
    "message": "1 error/s reported.",
    "details": [
        {
            "code": "NEWER_OPERATION_SUPERSEDED",
            "message": "Execution was stopped due to a newer operation taking precedence.",
        }
    ],
}
_ESM = {
    "code": "2",
    "message": "1 error/s reported.",
    "details": [{"code": "UA_ESM_REQUIRED", "message": "4 patches requires Ubuntu Pro"}],
}


def _row(name: str, given: Given, then: str, **result: object) -> Row:
    plays = (answer(200, JSON, body=bodies.succeeded(**given)),)
    return Row(ask=Ask.POLL, name=f"result: {name}", plays=plays, outcome=ended(then, **result))


# --------------------------------------------------------------------------------- words and counts

WORDS = (
    _row("Succeeded, 2 installed", {}, _GOOD, status="Succeeded", installed=2),
    _row("Succeeded, nothing installed, nothing pending", _NOTHING, "succeeded: nothing_to_do"),
    _row(
        "Succeeded, nothing installed, 2 pending",
        {"installedPatchCount": 0, "pendingPatchCount": 2},
        _GOOD,
        pending=2,
    ),
    _row("Succeeded, 2 installed, 2 pending", {"pendingPatchCount": 2}, _GOOD, pending=2),
    _row(
        "Succeeded, but 1 failed",
        {"failedPatchCount": 1},
        "failed: guest (patches_failed)",
        status="Succeeded",
        failed=1,
    ),
    _row("status Failed", {"status": "Failed"}, "failed: guest (patches_failed)", failed=0),
    _row(
        "status Failed, 1 failed",
        {"status": "Failed", "failedPatchCount": 1},
        "failed: guest (patches_failed)",
        failed=1,
    ),
    _row(
        "status Failed, superseded by a newer operation",
        {"status": "Failed", "error": _SUPERSEDED},
        "failed: guest (NEWER_OPERATION_SUPERSEDED)",
        error_code="NEWER_OPERATION_SUPERSEDED",
    ),
    _row(
        "status Failed, window exceeded, none failed, 4 pending",
        {"status": "Failed", "maintenanceWindowExceeded": True, "pendingPatchCount": 4},
        "failed: guest (window_exceeded)",
        window_exceeded=True,
    ),
    _row(
        "status Failed, window exceeded, 1 failed",
        {"status": "Failed", "maintenanceWindowExceeded": True, "failedPatchCount": 1},
        "failed: guest (patches_failed)",
    ),
    _row(
        "status CompletedWithWarnings",
        {"status": "CompletedWithWarnings"},
        "succeeded: warned",
    ),
    _row(
        "status CompletedWithWarnings, UA_ESM_REQUIRED",
        {"status": "CompletedWithWarnings", "error": _ESM},
        "succeeded: warned",
        error_code="UA_ESM_REQUIRED",
    ),
    _row(
        "status CompletedWithWarnings, nothing installed",
        {"status": "CompletedWithWarnings", **_NOTHING},
        "succeeded: warned",
    ),
    _row(
        "status CompletedWithWarnings, but 1 failed",
        {"status": "CompletedWithWarnings", "failedPatchCount": 1},
        "failed: guest (patches_failed)",
    ),
    _row("status completedwithwarnings", {"status": "completedwithwarnings"}, "succeeded: warned"),
    _row("status Unknown", {"status": "Unknown"}, _LOOK, status="Unknown"),
    _row("status InProgress", {"status": "InProgress"}, _LOOK, status="InProgress"),
    _row("status NotStarted", {"status": "NotStarted"}, _LOOK, status="Unknown"),
    _row("status Success, a word of no table", {"status": "Success"}, _LOOK, status="Unknown"),
    _row("status Cancelled", {"status": "Cancelled"}, _LOOK, status="Unknown"),
    _row("no status", {"status": ...}, _LOOK, status="Unknown"),
    _row("status null", {"status": None}, _LOOK, status="Unknown"),
    _row("status 7", {"status": 7}, _LOOK, status="Unknown"),
    _row("window exceeded, yet Succeeded", {"maintenanceWindowExceeded": True}, _GOOD),
    _row(
        "window exceeded, a word",
        {"maintenanceWindowExceeded": "true"},
        _GOOD,
        window_exceeded=None,
    ),
)

# -------------------------------------------------------------------------------------- the reboot

_AFTER: Mapping[str, Mapping[str, str]] = {
    "NotNeeded": {
        "Succeeded": _GOOD,
        "CompletedWithWarnings": "succeeded: warned",
        "Failed": "failed: guest (patches_failed)",
    },
    "Required": {
        "Succeeded": "succeeded: reboot_pending",
        "CompletedWithWarnings": "succeeded: reboot_pending",
        "Failed": "failed: guest (patches_failed)",
    },
    # A reboot is over when the VM was seen well; a failed installation is failed without a look.
    "Completed": {
        "Succeeded": _LOOK,
        "CompletedWithWarnings": _LOOK,
        "Failed": "failed: guest (patches_failed)",
    },
    "Started": {
        "Succeeded": _LOOK,
        "CompletedWithWarnings": _LOOK,
        "Failed": "failed: guest (patches_failed)",
    },
    "Unknown": {
        "Succeeded": _LOOK,
        "CompletedWithWarnings": _LOOK,
        "Failed": "failed: guest (patches_failed)",
    },
    "Failed": {
        "Succeeded": "failed: guest (reboot_failed)",
        "CompletedWithWarnings": "failed: guest (reboot_failed)",
        "Failed": "failed: guest (reboot_failed)",
    },
}
REBOOTS = (
    *(
        _row(
            f"status {status}, reboot {reboot}",
            {"status": status, "rebootStatus": reboot},
            then,
            reboot=reboot,
        )
        for reboot, by_status in _AFTER.items()
        for status, then in by_status.items()
    ),
    _row("reboot in small letters", {"rebootStatus": "required"}, "succeeded: reboot_pending"),
    _row("a reboot word of no table", {"rebootStatus": "Postponed"}, _LOOK, reboot="Unknown"),
    # Without a word on it, it is learned from Resource Graph (design 6).
    _row("no reboot status", {"rebootStatus": ...}, _LOOK, reboot=None),
    _row("reboot null", {"rebootStatus": None}, _LOOK, reboot=None),
    _row(
        "Always: rebooted with nothing installed",
        {"rebootStatus": "Completed", **_NOTHING},
        _LOOK,
        installed=0,
    ),
    _row(
        "a reboot that failed with nothing installed",
        {"rebootStatus": "Failed", **_NOTHING},
        "failed: guest (reboot_failed)",
    ),
)

# --------------------------------------------------------------------------- counts that are none

_SENSELESS: tuple[tuple[str, object], ...] = (
    ("-1", -1),
    ("a text", "1"),
    ("2147483648", 2**31),
    ("1e300", 1e300),
    ("1.5", 1.5),
    ("true", True),
    ("null", None),
    ("a list", [1]),
    ("left out", ...),
)
COUNTS = (
    *(
        # A count that cannot be one is not known (reliability A3, 42): it is never taken for zero,
        # and without the number of failures nothing is known to have gone well.
        _row(f"installed is {what}", {"installedPatchCount": value}, _GOOD, installed=None)
        for what, value in _SENSELESS
    ),
    *(
        _row(f"failed is {what}", {"failedPatchCount": value}, _LOOK, failed=None)
        for what, value in _SENSELESS
    ),
    *(
        _row(
            f"nothing installed, pending is {what}",
            {"installedPatchCount": 0, "pendingPatchCount": value},
            _GOOD,
            pending=None,
        )
        for what, value in _SENSELESS
    ),
    _row(
        "failed is 2147483647",
        {"failedPatchCount": 2**31 - 1},
        "failed: guest (patches_failed)",
        failed=2**31 - 1,
    ),
    _row(
        "1 failed in the list, none in the count",
        {"patches": [{"patchId": "a", "installationState": "Failed"}]},
        _GOOD,
        failed=0,
    ),
    _row(
        "3 installed in the list, none in the count",
        {"patches": [{"patchId": n, "installationState": "Installed"} for n in "abc"], **_NOTHING},
        "succeeded: nothing_to_do",
        installed=0,
    ),
)

# -------------------------------------------------------------------- errors and lists beside it

_ERRORS: tuple[tuple[str, object], ...] = (
    ("code 0", {"code": "0", "message": "0 error/s reported."}),
    ("code Success", {"code": "Success", "message": "0 error/s reported"}),
    ("code success", {"code": "success"}),
    ("null", None),
    ("an empty object", {}),
    ("text", "none"),
    ("a list", []),
    ("left out", ...),
)
BESIDE = (
    *(
        _row(f"Succeeded with an error: {what}", {"error": value}, _GOOD, error_code="")
        for what, value in _ERRORS
    ),
    _row(
        "Succeeded with an error of code 1",
        {"error": {"code": "1", "message": "1 error/s reported."}},
        _GOOD,
        error_code="1",
    ),
    *(
        _row(f"patches is {what}", {"patches": value}, _GOOD, installed=2)
        for what, value in (
            ("null", None),
            ("text", "many"),
            ("an object", {"a": 1}),
            ("a list of numbers", [1, 2]),
            ("left out", ...),
            ("cut short by Linux", [{"patchId": "Truncated_patch_list_id"}]),
            ("a list of a thousand", [{"patchId": f"p-{n}", "name": "n"} for n in range(1000)]),
        )
    ),
    _row("its id in upper case", {"installationActivityId": OPERATION.upper()}, _GOOD),
    _row("an id that is no guid", {"installationActivityId": "7"}, _GOOD),
    _row("no id", {"installationActivityId": ...}, _GOOD),
    _row("a start that is no time", {"startDateTime": "yesterday"}, _GOOD),
    _row("a field of no table", {"msrcSeverity": "Critical", "percentComplete": 100}, _GOOD),
)

# A result that names another installation is not ours (azure-facts 2.3, reliability A2, 34).
_OTHERS = {"installationActivityId": "11111111-2222-4333-8444-555555555555"}
FOREIGN = (
    Row(
        ask=Ask.POLL,
        name="result: of another installation, and Location has ours",
        plays=(
            answer(200, JSON, body=bodies.succeeded(**_OTHERS)),
            answer(200, JSON, body=bodies.bare_result()),
        ),
        outcome=ended(_GOOD, installed=2),
        asked=2,
    ),
    Row(
        ask=Ask.POLL,
        name="result: of another installation, at both URLs",
        plays=(
            answer(200, JSON, body=bodies.succeeded(**_OTHERS)),
            answer(200, JSON, body=bodies.bare_result(**_OTHERS)),
        ),
        outcome=without_result(),
        asked=2,
    ),
    Row(
        ask=Ask.POLL,
        name="result: of another installation, beside a status Failed",
        plays=(
            answer(200, JSON, body=bodies.operation("Failed", output=bodies.result(**_OTHERS))),
        ),
        outcome=collapsed("failed: platform (failed)", "Failed", "", report=None),
    ),
)

ROWS = (*WORDS, *REBOOTS, *COUNTS, *BESIDE, *FOREIGN)
