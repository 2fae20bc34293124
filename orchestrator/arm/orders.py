"""installPatches as we ask for it: an order to a URL and a body, in Azure's words.

Pure; it sends nothing.
"""

import json
from collections.abc import Mapping
from datetime import UTC, timedelta
from math import ceil
from typing import Final
from urllib.parse import quote

from orchestrator.arm.clouds import Cloud
from orchestrator.domain.model import LinuxPatches, Patches, Reboot, VmId, WindowsPatches
from orchestrator.ports import Order

LONGEST_MINUTES: Final = 24 * 60 - 1
"""The guest's side takes no duration of a day or more (azure-facts 1.1)."""

_REBOOTS: Final[Mapping[Reboot, str]] = {
    Reboot.IF_REQUIRED: "IfRequired",
    Reboot.NEVER: "Never",
    Reboot.ALWAYS: "Always",
}


def vm_url(cloud: Cloud, vm: VmId, api_version: str, action: str = "", query: str = "") -> str:
    """Return the URL of a VM, or of one of its actions (`/installPatches`)."""
    path = quote(vm, safe="/()-._~")
    return f"{cloud.endpoint}{path}{action}?{query}api-version={quote(api_version)}"


def subscription_of(vm: VmId) -> str:
    """Return the subscription in a VM's id, or an empty string when that is none."""
    parts = vm.split("/")
    return parts[2] if len(parts) > 2 else ""


def install_body(order: Order) -> bytes:
    """Return the JSON that asks for this installation (azure-facts 1.1).

    A VM whose system is known gets that system's block, an empty one when nothing is configured for
    it; a VM whose system is not known gets both blocks as far as they are configured, and Azure
    uses the right one.
    """
    body: dict[str, object] = {
        "maximumDuration": duration(order.max_duration),
        "rebootSetting": _REBOOTS[order.reboot],
    }
    body |= _blocks(order.os.lower(), order.patches)
    return json.dumps(body).encode()


def _blocks(system: str, patches: Patches) -> dict[str, object]:
    blocks: dict[str, object] = {}
    if system == "windows" or (system != "linux" and patches.windows is not None):
        blocks["windowsParameters"] = _windows(patches.windows or WindowsPatches())
    if system == "linux" or (system != "windows" and patches.linux is not None):
        blocks["linuxParameters"] = _linux(patches.linux or LinuxPatches())
    return blocks


def _windows(patches: WindowsPatches) -> dict[str, object]:
    published = patches.max_publish_date
    return _given(
        classificationsToInclude=list(patches.classifications),
        kbNumbersToInclude=[_kb(number) for number in patches.kb_include],
        kbNumbersToExclude=[_kb(number) for number in patches.kb_exclude],
        excludeKbsRequiringReboot=patches.exclude_kbs_requiring_reboot,
        maxPatchPublishDate=f"{published.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if published
        else None,
        patchNameMasksToInclude=list(patches.name_masks_include),
        patchNameMasksToExclude=list(patches.name_masks_exclude),
    )


def _linux(patches: LinuxPatches) -> dict[str, object]:
    return _given(
        classificationsToInclude=list(patches.classifications),
        packageNameMasksToInclude=list(patches.package_masks_include),
        packageNameMasksToExclude=list(patches.package_masks_exclude),
        maintenanceRunId=patches.maintenance_run_id,
    )


def _given(**fields: object) -> dict[str, object]:
    """Keep the fields that say something."""
    return {name: value for name, value in fields.items() if value}


def _kb(number: str) -> str:
    """Azure refuses a KB number without its prefix (azure-facts 2.6)."""
    return f"KB{number}" if number.isdigit() else number


def duration(given: timedelta) -> str:
    """Return an ISO 8601 duration in whole hours and minutes, of a minute at least and under a day.

    Seconds count as a whole minute. Never days and never fractions: the guest's side refuses them
    (azure-facts 1.1).
    """
    minutes = min(max(ceil(given / timedelta(minutes=1)), 1), LONGEST_MINUTES)
    hours, rest = divmod(minutes, 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{rest}M" if rest or not hours else "")
