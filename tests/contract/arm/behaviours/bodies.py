"""Bodies as Azure writes them, or nearly so. They are given, not judged."""

import json
from collections.abc import Mapping

from tests.contract.arm.bench import OPERATION, VM


def error(code: object = "Code", message: object = "Why.", **more: object) -> bytes:
    """Return an error as ARM writes it (azure-facts 3)."""
    return _json({"error": {"code": code, "message": message, **more}})


def bare_error(code: str, message: str, **more: object) -> bytes:
    """Return an error without its wrapping, as Compute's 429 has it (azure-facts 4.2)."""
    return _json({"code": code, "message": message, **more})


def operation(status: object, **more: object) -> bytes:
    """Return the answer of a status URL (azure-facts 2.5); `output` is put where it belongs."""
    body: dict[str, object] = {"startTime": "2026-11-22T18:00:00.123456+00:00", "status": status}
    if "output" in more:
        body["properties"] = {"output": more.pop("output")}
    return _json(body | {"name": OPERATION} | more)


def result(**given: object) -> dict[str, object]:
    """Return the result of an installation that went well (azure-facts 1.2), but for `given`.

    A field that is given as `...` is left out.
    """
    body: dict[str, object] = {
        "status": "Succeeded",
        "installationActivityId": OPERATION,
        "rebootStatus": "NotNeeded",
        "maintenanceWindowExceeded": False,
        "excludedPatchCount": 0,
        "notSelectedPatchCount": 1,
        "pendingPatchCount": 0,
        "installedPatchCount": 2,
        "failedPatchCount": 0,
        "patches": [],
        "startDateTime": "2026-11-22T18:00:02Z",
        "error": {"code": "0", "message": "0 error/s reported.", "details": []},
    }
    return {name: value for name, value in (body | given).items() if value is not ...}


def succeeded(**given: object) -> bytes:
    """Return a status answer of an operation that Succeeded, with this result in it."""
    return operation("Succeeded", output=result(**given))


def bare_result(**given: object) -> bytes:
    """Return what the Location URL answers at the end (azure-facts 2.1)."""
    return _json(result(**given))


def summary(**given: object) -> dict[str, object]:
    """Return `lastPatchInstallationSummary` of an instance view, long over (azure-facts 1.6)."""
    body: dict[str, object] = {
        "status": "Succeeded",
        "installationActivityId": OPERATION,
        "maintenanceWindowExceeded": False,
        "installedPatchCount": 9,
        "failedPatchCount": 0,
        "pendingPatchCount": 0,
        "startTime": "2026-10-12T20:00:05.1234567+00:00",
        "lastModifiedTime": "2026-10-12T20:10:05+00:00",
    }
    return {name: value for name, value in (body | given).items() if value is not ...}


def vm(
    power: str | None = "PowerState/running",
    last: object = ...,
    agent: str = "ProvisioningState/succeeded",
    view: Mapping[str, object] | None = None,
    **more: object,
) -> bytes:
    """Return one VM with its instance view; `more` replaces members of the VM itself."""
    statuses = [{"code": "ProvisioningState/succeeded"}]
    shown: dict[str, object] = {
        "vmAgent": {"statuses": [{"code": agent}]},
        "statuses": statuses + ([{"code": power}] if power else []),
    }
    if last is not ...:
        shown["patchStatus"] = {"lastPatchInstallationSummary": last}
    properties = {
        "provisioningState": "Succeeded",
        "storageProfile": {"osDisk": {"osType": "Linux"}},
        "instanceView": shown | dict(view or {}),
    }
    whole = {"id": VM, "name": "vm-1", "location": "westeurope", "properties": properties}
    return _json({name: value for name, value in (whole | more).items() if value is not ...})


def page(*names: str, following: object = None, **more: object) -> bytes:
    """Return one page of a list of VMs (azure-facts 1.7)."""
    entries = [{"id": VM.replace("vm-1", name), "name": name} for name in names]
    return _json({"value": entries, "nextLink": following} | more)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
