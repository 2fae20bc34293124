"""Results as Azure writes them: the body of an installation, its summary, and its three layouts.

Recorded shapes: azure-facts 1.2 (fields, `error` on success), 2.5 (layouts), 5.4 (details of at
most five errors).
"""

import json
from datetime import datetime

from orchestrator.simulator import draws, stamps
from orchestrator.simulator.course import Detail, Outcome
from orchestrator.simulator.errors import pretty
from orchestrator.simulator.exchange import Json
from orchestrator.simulator.installations import Installation
from orchestrator.simulator.machines import OperatingSystem
from orchestrator.simulator.patches import URGENT, Patch

_MOST_DETAILS = 5
_LONGEST_MESSAGE = 128
_SHOWN_WHEN_TRUNCATED = 3
_LOG = "/var/log/azure/Microsoft.CPlat.Core.LinuxPatchExtension/{}.core.log"


def body(installation: Installation) -> Json:
    """Return the result of an ended installation (`VirtualMachineInstallPatchesResult`)."""
    outcome, system = installation.course.outcome, installation.machine.os
    result: Json = {
        "status": outcome.status,
        "installationActivityId": installation.id,
        "rebootStatus": outcome.reboot_status,
        "maintenanceWindowExceeded": outcome.exceeded,
        **_counts(outcome),
        "patches": _patches(outcome, system),
        "startDateTime": _start(installation),
        "error": _error(outcome, system),
    }
    if system == "Linux":
        result["maintenanceRunId"] = installation.order.maintenance_run
    return result


def summary(installation: Installation, now: datetime) -> Json:
    """Return `lastPatchInstallationSummary` as the instance view shows it, trailing by the lag."""
    seen = now - installation.lag
    ends_at = installation.ends_at
    over = ends_at is not None and ends_at <= seen
    outcome = installation.course.outcome if over else Outcome(status="InProgress")
    modified = ends_at if over and ends_at is not None else max(seen, installation.starts_at)
    return {
        "status": outcome.status,
        "installationActivityId": installation.id,
        "maintenanceWindowExceeded": outcome.exceeded,
        **_counts(outcome),
        "startTime": _start(installation),
        "lastModifiedTime": modified.isoformat(),
        "error": _error(outcome, installation.machine.os),
    }


def record(installation: Installation, seen: datetime) -> Json:
    """Return `properties` of the installation's row in Resource Graph, as it stood at `seen`
    (azure-facts 7). One that has not begun has no start yet [our reading]."""
    system, begun = installation.machine.os, installation.starts_at <= seen
    outcome, modified = _standing(installation, seen)
    return {
        "installationActivityId": installation.id,
        "status": outcome.status,
        "startedBy": installation.started_by,
        "startDateTime": stamps.seven_digits(installation.starts_at) if begun else None,
        "lastModifiedDateTime": stamps.seven_digits(modified),
        "rebootStatus": outcome.reboot_status,
        "maintenanceWindowExceeded": outcome.exceeded,
        **_counts(outcome),
        "osType": system,
        "patchServiceUsed": "WU" if system == "Windows" else "APT",
        "maintenanceRunId": installation.order.maintenance_run,
        "errorDetails": _error(outcome, system),
    }


def glance(installation: Installation, seen: datetime) -> Json:
    """Return what a query mostly asks for of `record`, at a fraction of its cost."""
    outcome, modified = _standing(installation, seen)
    return {"status": outcome.status, "lastModifiedDateTime": stamps.seven_digits(modified)}


def _standing(installation: Installation, seen: datetime) -> tuple[Outcome, datetime]:
    """Return how an installation stood, and since when it is shown so."""
    ends_at = installation.ends_at
    if ends_at is not None and ends_at <= seen:
        return installation.course.outcome, ends_at
    if installation.starts_at <= seen:
        return Outcome(status="InProgress", reboot_status="Unknown"), seen
    return Outcome(status="NotStarted", reboot_status="Unknown"), installation.accepted_at


def assessment(installation: Installation) -> Json:
    """Return `availablePatchSummary`: every installation ends with a look at what is left."""
    outcome, system = installation.course.outcome, installation.machine.os
    left = outcome.failed + outcome.pending + outcome.excluded + outcome.not_selected
    urgent = sum(patch.classification in URGENT for patch in left)
    at = (installation.ends_at or installation.starts_at).isoformat()
    return {
        "status": "Succeeded",
        "assessmentActivityId": draws.guid(installation.id, "assessment"),
        "rebootPending": outcome.reboot_status == "Required",
        "criticalAndSecurityPatchCount": urgent,
        "otherPatchCount": len(left) - urgent,
        "startTime": at,
        "lastModifiedTime": at,
        "error": _error(Outcome(), system),
    }


def laid_out(document: Json, salt: str) -> str:
    """Write the result in one of the three recorded layouts: one line, at column 0, or nested."""
    layout = draws.whole(0, 2, salt, "layout")
    if layout == 0:
        return json.dumps(document, separators=(",", ":"))
    text = pretty(document)
    return text if layout == 1 else text.replace("\r\n", "\r\n    ")


def _start(installation: Installation) -> str:
    at = installation.starts_at
    if installation.machine.os == "Linux":
        return stamps.whole_seconds(at)
    return stamps.seven_digits(at)


def _counts(outcome: Outcome) -> Json:
    return {
        "excludedPatchCount": len(outcome.excluded),
        "notSelectedPatchCount": len(outcome.not_selected),
        "pendingPatchCount": len(outcome.pending),
        "installedPatchCount": len(outcome.installed),
        "failedPatchCount": len(outcome.failed),
    }


def _patches(outcome: Outcome, system: OperatingSystem) -> list[Json]:
    groups = {
        "Failed": outcome.failed,
        "Installed": outcome.installed,
        "Pending": outcome.pending,
        "Excluded": outcome.excluded,
        "NotSelected": outcome.not_selected,
    }
    listed = [_patch(one, state, system) for state, group in groups.items() for one in group]
    return [*listed[:_SHOWN_WHEN_TRUNCATED], _tombstone()] if outcome.truncated else listed


def _patch(patch: Patch, state: str, system: OperatingSystem) -> Json:
    entry: Json = {"patchId": patch.id, "name": patch.name}
    if system == "Linux":
        entry["version"] = patch.version
    else:
        entry["kbId"] = patch.kb
        if patch.severity is not None:
            entry["msrcSeverity"] = patch.severity
    return {**entry, "classifications": [patch.classification], "installationState": state}


def _tombstone() -> Json:
    return {
        "patchId": "Truncated_patch_list_id",
        "name": "Truncated_patch_list",
        "version": "",
        "classifications": ["Other"],
        "installationState": "NotSelected",
    }


def _error(outcome: Outcome, system: OperatingSystem) -> Json:
    """Return `error`, which is there on success too."""
    if system == "Windows":
        code, stop = ("Success" if not outcome.details else "Failed"), ""
    else:
        code, stop = {"Failed": "1", "CompletedWithWarnings": "2"}.get(outcome.status, "0"), "."
    total = len(outcome.details)
    told = outcome.details[-_MOST_DETAILS:]
    message = f"{total} error/s reported{stop}"
    if told and system == "Linux":
        log = _LOG.format(draws.whole(1, 40, told[0].message))
        message += (
            f" The latest {len(told)} error/s are shared in detail. To view all errors, review "
            f"this log file on the machine: {log}"
        )
    return {"details": [_detail(one) for one in told], "code": code, "message": message}


def _detail(detail: Detail) -> Json:
    text = detail.message
    if len(text) > _LONGEST_MESSAGE:
        text = text[: _LONGEST_MESSAGE - 3] + "..."
    return {"code": detail.code, "message": text}
