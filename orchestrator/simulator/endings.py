"""How a run ends badly: by its machine's temper, or by what befalls it from outside.

Codes and texts are those of azure-facts 5.3 and 5.4; where nothing is recorded (a failed Windows
run, a canceled operation) they are made up in the same style.
"""

from dataclasses import replace
from datetime import timedelta

from orchestrator.simulator.course import Course, Detail, Outcome
from orchestrator.simulator.machines import Machine, OperatingSystem
from orchestrator.simulator.patches import Patch
from orchestrator.simulator.tempers import Ending, Layer, Mishap, Reboot

_AGENT_PATIENCE = timedelta(minutes=90)
_ERRORS = {
    "VMExtensionProvisioningError": (
        "VM has reported a failure when processing extension '{extension}'. "
        "Error message: 'Failed to install one or more patches.'"
    ),
    "VMAgentStatusCommunicationError": (
        "VM '{name}' has not reported status for VM agent or extensions. Please verify the VM has "
        "a running VM agent, and can establish outbound connections to Azure storage."
    ),
    "OperationPreempted": "The operation was preempted by a more recent operation on VM '{name}'.",
    "VMNotFound": "The VM '{name}' cannot be found.",
    "OperationCanceled": "The operation on VM '{name}' was canceled.",
}
_OTHER_ERROR = "An internal execution error occurred. Please retry later."
_TRUNCATED = Detail(
    "PACKAGE_LIST_TRUNCATED",
    "Package lists were truncated to limit reporting data volume. In-VM logs contain complete "
    "lists.",
)
_SUPERSEDED = Detail(
    "NEWER_OPERATION_SUPERSEDED",
    "Execution was stopped due to a newer operation taking precedence.",
)
_NOT_ASSESSED = Detail(
    "OPERATION_FAILED",
    "Installation failed due to assessment failure. Please refer the error details in "
    "assessment substatus",
)
_WARNINGS: dict[OperatingSystem, Detail] = {
    "Linux": Detail(
        "UA_ESM_REQUIRED",
        "7 patches requires Ubuntu Pro for Infrastructure with Extended Security Maintenance",
    ),
    "Windows": Detail("0x8024001E", "The service was stopping while updates were searched."),
}
_OVERTAKEN = {
    Mishap.STOPPED: "OperationPreempted",
    Mishap.DELETED: "VMNotFound",
    Mishap.AGENT_DIES: "VMAgentStatusCommunicationError",
}


def end(machine: Machine, run: Course) -> Course:
    """Apply how this machine's runs end."""
    temper, outcome = machine.temper, run.outcome
    if temper.truncated:
        outcome = warned(replace(outcome, truncated=True), _TRUNCATED)
    match temper.ending:
        case Ending.SUCCEEDS:
            return replace(run, outcome=outcome, lasts=None if temper.hangs else run.lasts)
        case Ending.WARNS:
            return replace(run, outcome=warned(outcome, _WARNINGS[machine.os]))
        case Ending.UNKNOWN:
            return replace(run, outcome=replace(outcome, status="Unknown"))
        case Ending.NO_RESULT:
            return replace(run, outcome=outcome, without_result=True)
        case Ending.CANCELED:
            code = temper.error_code or "OperationCanceled"
            return _broken_off(run, "Canceled", platform_error(code, machine))
        case Ending.FAILS if temper.layer is Layer.OPERATION:
            code = temper.error_code or "VMExtensionProvisioningError"
            return _broken_off(run, "Failed", platform_error(code, machine))
        case Ending.FAILS:
            return replace(run, outcome=_failed(machine, outcome))


def befall(machine: Machine, run: Course) -> Course:
    """Apply what happens from outside, in the middle of the run."""
    mishap = machine.temper.mishap
    if mishap is None or run.lasts is None:
        return run
    half = run.lasts / 2
    if mishap is Mishap.SUPERSEDED:
        return superseded(run, half)
    broken = _broken_off(run, "Failed", platform_error(_OVERTAKEN[mishap], machine))
    if mishap is Mishap.AGENT_DIES:
        lasts = half + _AGENT_PATIENCE
        return replace(broken, lasts=lasts, quiet=(half, None), mishap=mishap)
    return replace(broken, lasts=half, mishap=mishap)


def superseded(run: Course, at: timedelta) -> Course:
    """Return the run as a newer operation leaves it when it takes precedence at this offset."""
    return Course(lasts=at, outcome=_half_done(run.outcome, _SUPERSEDED), mishap=Mishap.SUPERSEDED)


def after_bad_runs(machine: Machine, runs: int) -> Machine:
    """Return the machine as it is after so many runs: well again if its bad ones are over."""
    limit = machine.temper.bad_runs
    if limit is None or runs < limit:
        return machine
    well = replace(
        machine.temper,
        ending=Ending.SUCCEEDS,
        layer=Layer.BODY,
        error_code=None,
        bad_runs=None,
        failing_patches=0,
        reboot=Reboot.COMPLETES,
        overruns=False,
        truncated=False,
        hangs=False,
        mishap=None,
    )
    return replace(machine, temper=well)


def warned(outcome: Outcome, detail: Detail) -> Outcome:
    """Add a warning; a failed result stays failed."""
    status = "Failed" if outcome.status == "Failed" else "CompletedWithWarnings"
    return replace(outcome, status=status, details=(*outcome.details, detail))


def platform_error(code: str, machine: Machine) -> Detail:
    """Return the error of a failed operation."""
    text = _ERRORS.get(code, _OTHER_ERROR)
    return Detail(code, text.format(name=machine.name, extension=f"{machine.os}PatchExtension"))


def _broken_off(run: Course, status: str, error: Detail) -> Course:
    outcome = _half_done(run.outcome, Detail("OPERATION_FAILED", error.message))
    return replace(run, status=status, error=error, outcome=outcome, quiet=None)


def _half_done(outcome: Outcome, detail: Detail) -> Outcome:
    middle = len(outcome.installed) // 2
    return replace(
        outcome,
        status="Failed",
        reboot_status="NotNeeded",
        installed=outcome.installed[:middle],
        pending=outcome.installed[middle:] + outcome.pending,
        details=(*outcome.details, detail),
    )


def _failed(machine: Machine, outcome: Outcome) -> Outcome:
    """Let the first of the patches fail; with none to fail, the assessment did."""
    failed = outcome.installed[: machine.temper.failing_patches]
    return replace(
        outcome,
        status="Failed",
        failed=failed,
        installed=outcome.installed[len(failed) :],
        details=outcome.details
        + (tuple(_failed_patch(machine.os, patch) for patch in failed) or (_NOT_ASSESSED,)),
    )


def _failed_patch(os: OperatingSystem, patch: Patch) -> Detail:
    if os == "Linux":
        return Detail("PACKAGE_MANAGER_FAILURE", f"Package failed to install: {patch.id}")
    return Detail("0x80070005", f"Failed to install update {patch.name}")
