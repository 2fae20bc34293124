"""What a result means: the table of design 6, first match wins. The body is the truth, and counts
beat lists."""

from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from orchestrator.domain.result import Result
from orchestrator.domain.states import FailureClass, Outcome, Why
from orchestrator.domain.words import counted

GUEST_CODES: Final = frozenset(
    {
        "VMAgentStatusCommunicationError",
        "VMExtensionProvisioningError",
        "VMExtensionProvisioningTimeout",
        "VMExtensionHandlerNonTransientError",
        "VMStartTimedOut",
    }
)
"""Error codes of a Failed operation that speak of the machine, not of the platform (azure-facts
5.3)."""


REBOOT_UNKNOWN: Final = "reboot_unknown"
WINDOW_EXCEEDED: Final = "window_exceeded"
"""The reason code of an installation that ran out of its time, with nothing failed."""


@dataclass(frozen=True, slots=True)
class Good:
    """Ended well."""

    outcome: Outcome
    why: Why


@dataclass(frozen=True, slots=True)
class Bad:
    """Ended badly."""

    failure: FailureClass
    why: Why


@dataclass(frozen=True, slots=True)
class Unclear:
    """Not to be judged yet: look at the VM until the deadline, then a person decides."""

    why: Why


Verdict = Good | Bad | Unclear


def judge(result: Result | None, *, back: bool) -> Verdict:
    """Judge the result body of an installation.

    `back` tells that the VM was seen running with its agent ready after the report: a reboot that
    was still under way then counts as done. A result that is missing or says nothing is Unclear.
    """
    if result is not None and result.status.startswith("Operation"):
        return _judge_collapsed(result)
    if not readable(result):
        return Unclear(Why("no_result", "the operation ended, but its result could not be read"))
    if result.reboot == "Failed":
        return Bad(
            FailureClass.GUEST, Why("reboot_failed", _with_error("the reboot failed", result))
        )
    if result.status == "Failed" or (result.failed or 0) > 0:
        return Bad(FailureClass.GUEST, _why_failed(result))
    if result.reboot in {"Started", "Unknown"} and not back:
        return Unclear(Why("reboot_unfinished", f"the reboot was reported as {result.reboot}"))
    return _good(result)


def unsaid(verdict: Verdict, result: Result | None) -> Verdict:
    """Judge an installation without a reboot, whose restart is a phase of its own: where patches
    went in and Azure does not say whether they need one, it is not done."""
    silent = result is not None and result.reboot in {None, "Unknown"}
    if not isinstance(verdict, Good) or not silent or verdict.outcome is Outcome.NOTHING_TO_DO:
        return verdict
    text = f"{verdict.why.text}; whether they need a reboot is not known, and none was made"
    return Good(Outcome.REBOOT_PENDING, Why(REBOOT_UNKNOWN, text))


def readable(result: Result | None) -> TypeGuard[Result]:
    """Tell whether a result says enough to be judged: a word of the table, and how many patches
    failed. A count that cannot be one is no zero (reliability A3, 42)."""
    if result is None or result.status not in _JUDGED:
        return False
    return result.status == "Failed" or result.failed is not None


_JUDGED: Final = frozenset({"Failed", "Succeeded", "CompletedWithWarnings"})


def _why_failed(result: Result) -> Why:
    if result.window_exceeded and not result.failed:
        return Why(
            "window_exceeded", f"window exceeded, {result.pending or 0} patches still pending"
        )
    text = f"{result.failed or 0} of {_attempted(result)} patches failed"
    return Why(
        result.error_code if result.error_code not in _NO_ERROR else "patches_failed",
        _with_error(text, result),
    )


def _good(result: Result) -> Good:
    if result.reboot == "Required":
        return Good(
            Outcome.REBOOT_PENDING,
            Why("reboot_pending", f"{_installed(result)}; a reboot is pending"),
        )
    if result.status == "CompletedWithWarnings":
        return Good(
            Outcome.WARNED,
            Why("warned", _with_error(f"{_installed(result)}, with warnings", result)),
        )
    if result.installed == 0 and result.pending == 0:
        return Good(Outcome.NOTHING_TO_DO, Why("nothing_to_do", "nothing to install"))
    return Good(Outcome.SUCCEEDED, Why("succeeded", _installed(result)))


def collapsed(status: str, code: str, message: str, counted: Result | None) -> Result:
    """Write an operation that itself ended `Failed` or `Canceled` as a result, with the counts it
    may have brought.

    Such a result has the status `OperationFailed` or `OperationCanceled`: words of ours, not of
    Azure's result body.
    """
    base = counted or Result(status="")
    return replace(
        base, status=f"Operation{status.capitalize()}", error_code=code, error_message=message
    )


def _judge_collapsed(result: Result) -> Bad:
    failure = FailureClass.GUEST if result.error_code in GUEST_CODES else FailureClass.PLATFORM
    ended = result.status.removeprefix("Operation")
    said = result.error_message or result.error_code or "no reason given"
    return Bad(
        failure, Why(result.error_code or ended.lower(), f"the operation ended {ended}: {said}")
    )


_NO_ERROR: Final = frozenset({"", "0", "Success", "1", "2"})
"""`error.code` values that are no cause: success, and Linux's plain levels (azure-facts 1.2,
5.4)."""


def _installed(result: Result) -> str:
    if result.installed is None:
        return "installed; Azure gave no count"
    return f"{counted(result.installed, 'patch', 'patches')} installed"


def _attempted(result: Result) -> int:
    return (result.installed or 0) + (result.failed or 0) + (result.pending or 0)


def _with_error(text: str, result: Result) -> str:
    if result.error_code in {"", "0", "Success"} or not result.error_message:
        return text
    return f"{text} ({result.error_message})"
