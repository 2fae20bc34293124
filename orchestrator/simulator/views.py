"""Machines as ARM shows them: the resource, its instance view, its patches (azure-facts 1.6, 1.7).

Pure: records in, JSON-able values out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from orchestrator.simulator import draws
from orchestrator.simulator.exchange import Json
from orchestrator.simulator.installations import Installation, Record
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.results import assessment, summary

_DISPLAY = {
    "running": "VM running",
    "starting": "VM starting",
    "stopping": "VM stopping",
    "stopped": "VM stopped",
    "deallocating": "VM deallocating",
    "deallocated": "VM deallocated",
}
_IMAGES: Mapping[str, Json] = {
    "Windows": {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2022-datacenter-azure-edition",
        "version": "latest",
    },
    "Linux": {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts-gen2",
        "version": "latest",
    },
}
_NAMES = {
    "Windows": ("Windows Server 2022 Datacenter Azure Edition", "10.0.20348.2849"),
    "Linux": ("ubuntu", "22.04"),
}
_PATCHING = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
_LINUX_PATCHING = {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}


def resource(machine: Machine, *, shouted: bool = False) -> Json:
    """Return the VM resource. `shouted`: the group in upper case, as Compute's lists spell it."""
    group = machine.resource_group
    vm_id = machine.vm_id
    if shouted:
        vm_id = vm_id.replace(f"/{group}/", f"/{group.upper()}/", 1)
    return {
        "name": machine.name,
        "id": vm_id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.region,
        **({"zones": [machine.zone]} if machine.zone else {}),
        "tags": dict(machine.tags),
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "provisioningState": "Succeeded",
            "vmId": draws.guid("vmId", machine.key),
            "storageProfile": {
                "imageReference": _image(machine),
                "osDisk": {
                    "osType": machine.os,
                    "name": f"{machine.name}_OsDisk_1",
                    "createOption": "FromImage",
                    "caching": "ReadWrite",
                    "deleteOption": "Delete",
                },
                "dataDisks": [],
            },
            "osProfile": _os_profile(machine),
            "networkProfile": {
                "networkInterfaces": [{"id": _sibling(machine, "Network/networkInterfaces")}]
            },
            **_availability_set(machine),
        },
    }


def _image(machine: Machine) -> Json:
    if not machine.image:
        return _IMAGES[machine.os]
    publisher, offer, sku = machine.image.split(":")
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"}


def _availability_set(machine: Machine) -> Json:
    return {"availabilitySet": {"id": machine.availability_set}} if machine.availability_set else {}


def instance(record: Record, now: datetime) -> Json:
    """Return the instance view."""
    machine, power = record.machine, record.power(now)
    view: Json = {}
    if power == "running":
        os_name, os_version = _NAMES[machine.os]
        view |= {"computerName": machine.name, "osName": os_name, "osVersion": os_version}
        view |= {"vmAgent": _agent(record, now)}
    view["hyperVGeneration"] = "V2"
    shown = record.shown(now)
    if shown is not None:
        view["patchStatus"] = _patch_status(shown, now)
    view["statuses"] = [
        _state("ProvisioningState/succeeded", "Provisioning succeeded", now),
        {
            "code": f"PowerState/{power}",
            "level": "Info",
            "displayStatus": _DISPLAY.get(power, "VM state unknown"),
        },
    ]
    return view


def _os_profile(machine: Machine) -> Json:
    profile: Json = {"computerName": machine.name, "adminUsername": "azureadmin", "secrets": []}
    if machine.os == "Windows":
        profile["windowsConfiguration"] = {
            "provisionVMAgent": True,
            "enableAutomaticUpdates": True,
            "patchSettings": _PATCHING,
        }
    else:
        profile["linuxConfiguration"] = {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            "patchSettings": _LINUX_PATCHING,
        }
    return {**profile, "allowExtensionOperations": True}


def _sibling(machine: Machine, kind: str) -> str:
    group = machine.vm_id.partition("/providers/")[0]
    return f"{group}/providers/Microsoft.{kind}/{machine.name}-nic"


def _agent(record: Record, now: datetime) -> Json:
    if record.agent_ready(now):
        message = "GuestAgent is running and processing the extensions."
        state = {**_state("ProvisioningState/succeeded", "Ready", now), "message": message}
        version = "2.7.41491.1176"
    else:
        message = "VM status blob is found but not yet populated."
        state = {
            **_state("ProvisioningState/Unavailable", "Not Ready", now),
            "level": "Warning",
            "message": message,
        }
        version = "Unknown"
    return {"vmAgentVersion": version, "statuses": [state], "extensionHandlers": []}


def _state(code: str, display: str, now: datetime) -> Json:
    return {
        "code": code,
        "level": "Info",
        "displayStatus": display,
        "time": (now - timedelta(seconds=7)).isoformat(),
    }


def _patch_status(shown: Installation, now: datetime) -> Json:
    last = {"lastPatchInstallationSummary": summary(shown, now)}
    if not shown.ended(now - shown.lag):
        return dict(last)
    return {"availablePatchSummary": assessment(shown), **last}
