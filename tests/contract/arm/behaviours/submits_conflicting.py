"""The one POST: 409, refused for now, or ours is running already.

Only a look tells which (azure-facts 6). What it says decides what the refusal means if it stands:
the VM does not run, it is locked, or it is busy (azure-facts 5.2, design 5.5).
"""

from orchestrator.domain.states import Conflict
from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    BY_ARM,
    HTML,
    JSON,
    LOCATION,
    PROXY_PAGE,
    STATUS,
    Ask,
    Outcome,
    Row,
    answer,
    conflict,
)
from tests.contract.arm.behaviours.script import Play, Tear, Torn


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.SUBMIT, name=name, plays=plays, outcome=outcome)


_OPERATION = "Operation 'installPatches' is not allowed on VM 'vm-1' since "
_CONFLICTS: tuple[tuple[str, str, Conflict], ...] = (
    (
        "OperationNotAllowed",
        "The operation requires the VM to be running (or set to run).",
        Conflict.NOT_RUNNING,
    ),
    (
        "OperationNotAllowed",
        "Cannot modify extensions in the VM when the VM is not running.",
        Conflict.NOT_RUNNING,
    ),
    (
        "OperationNotAllowed",
        _OPERATION + "the VM is either deallocated or marked to be deallocated.",
        Conflict.NOT_RUNNING,
    ),
    ("OperationNotAllowed", _OPERATION + "another operation is in progress.", Conflict.BUSY),
    (
        "OperationNotAllowed",
        "An ongoing operation is changing power state of Virtual Machine vm-1 to deallocated.",
        Conflict.BUSY,
    ),
    ("OperationNotAllowed", _OPERATION + "the VM is marked for deletion.", Conflict.LOCKED),
    ("OperationNotAllowed", _OPERATION + "the VM is being deleted.", Conflict.LOCKED),
    ("OperationNotAllowed", _OPERATION + "the VM is generalized.", Conflict.LOCKED),
    (
        "OperationNotAllowed",
        _OPERATION + "the VM has extension 'x' in failed state.",
        Conflict.BUSY,
    ),
    (
        "Conflict",
        "The request failed due to conflict with a concurrent request.",
        Conflict.BUSY,
    ),
    ("ScopeLocked", "The scope cannot perform write operation: it is locked.", Conflict.LOCKED),
    ("ReadOnlyDisabledSubscription", "The subscription is disabled.", Conflict.LOCKED),
    ("MissingSubscriptionRegistration", "Not registered.", Conflict.LOCKED),
    ("SomethingNew", "Nobody has seen this one.", Conflict.BUSY),
)
CONFLICTS = (
    *(
        _row(
            f"409 {code}: {message}",
            conflict(kind, code),
            answer(409, BY_ARM, JSON, body=bodies.error(code, message)),
        )
        for code, message, kind in _CONFLICTS
    ),
    _row(
        "409 scopelocked in small letters",
        conflict(Conflict.LOCKED, "scopelocked"),
        answer(409, BY_ARM, body=bodies.error("scopelocked")),
    ),
    _row(
        "409 Conflict without a request id",
        conflict(Conflict.BUSY, "Conflict"),
        answer(409, body=bodies.error("Conflict")),
    ),
    _row("409 with no body", conflict(Conflict.BUSY, ""), answer(409, BY_ARM)),
    _row(
        "409 with a proxy's page",
        conflict(Conflict.BUSY, ""),
        answer(409, HTML, body=PROXY_PAGE),
    ),
    _row(
        "409 that breaks off",
        conflict(Conflict.BUSY, ""),
        Torn(answer=answer(409, BY_ARM, body=bodies.error("ScopeLocked")), tear=Tear.SHORT),
    ),
    _row(
        "409 Conflict with Retry-After",
        conflict(Conflict.BUSY, "Conflict"),
        answer(409, BY_ARM, ("retry-after", "10"), body=bodies.error("Conflict")),
    ),
    _row(
        "409 Conflict that offers operation URLs",
        conflict(Conflict.BUSY, "Conflict"),
        answer(409, BY_ARM, STATUS, LOCATION, body=bodies.error("Conflict")),
    ),
)

ROWS = CONFLICTS
