"""VMs as ARM describes them: one with its instance view, and lists. Pure; lenient; it never raises.

What an answer does not show is not there: a missing instance view is no answer, never "no
installation".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orchestrator.arm import documents, headers, replies, results
from orchestrator.arm.documents import Document
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Gone, LastInstallation, LookAnswer, Seen
from orchestrator.domain.inventory import Machine
from orchestrator.domain.model import ActivityId, VmId, vm_id

_SYSTEMS: Final = ("Windows", "Linux")
_POWER: Final = "powerstate/"
_AGENT_READY: Final = "provisioningstate/succeeded"
_VM_ID: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.compute/virtualmachines/(?P<name>[^/]+)"
)

# -------------------------------------------------------------------------------- one VM


def looked(reply: HttpReply, vm: VmId, now: datetime) -> LookAnswer:
    """Read a VM with its instance view; `now` is the wall clock at the answer (azure-facts 1.6)."""
    document = documents.read(reply.body)
    if reply.status == 429:
        return replies.throttled(reply)
    if reply.status == 404 and replies.fault(reply) is not None:
        return Gone(reason=replies.spoken(reply))
    if reply.status != 200:
        return replies.unreadable(reply)
    if document is None:
        return replies.unreadable(reply, "Azure's answer is not a whole JSON object")
    named = vm_id(documents.text(document.get("id"), 2000))
    if named and named != vm:
        return replies.unreadable(reply, "Azure answered about another VM")
    view = documents.inner(document, "properties", "instanceView")
    if not view:
        return replies.unreadable(reply, "Azure's answer has no instance view")
    summary = documents.inner(view, "patchStatus", "lastPatchInstallationSummary")
    last = _last(summary)
    if last is None and results.summary(summary).status == "InProgress":
        return replies.unreadable(reply, "Azure's answer shows an installation without its id")
    return _seen(document, view, last, headers.skew(reply.headers, now), vm)


def _seen(
    document: Document, view: Document, last: LastInstallation | None, skew: timedelta, vm: VmId
) -> Seen:
    properties = documents.inner(document, "properties")
    agent = documents.items(documents.inner(view, "vmAgent").get("statuses"))
    return Seen(
        vm_id=vm,
        region=_region(document),
        os=_system(document),
        power=_power(documents.items(view.get("statuses"))),
        agent_ready=any(_code(status) == _AGENT_READY for status in agent),
        last=last,
        skew=skew,
        provisioning=documents.text(properties.get("provisioningState")).lower() or "succeeded",
    )


def _last(summary: Document) -> LastInstallation | None:
    """Read the one slot that names the newest installation; without an id there was none."""
    activity = documents.text(summary.get("installationActivityId")).lower()
    if not activity:
        return None
    return LastInstallation(
        activity=ActivityId(activity),
        started_at=documents.instant(summary.get("startTime")),
        result=results.summary(summary),
    )


def _power(statuses: Sequence[Document]) -> str:
    words = [_code(s).removeprefix(_POWER) for s in statuses if _code(s).startswith(_POWER)]
    return words[-1] if words else ""


def _code(status: Document) -> str:
    return documents.text(status.get("code")).lower()


def _region(document: Document) -> str:
    """Return the region's name: Azure also writes it for people, `West Europe`."""
    return documents.text(document.get("location")).lower().replace(" ", "")


def _system(document: Document) -> str:
    disk = documents.inner(document, "properties", "storageProfile", "osDisk")
    return documents.word(disk.get("osType"), _SYSTEMS) or ""


# ---------------------------------------------------------------------------------------- lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list. `next_url` has passed no guard yet."""

    entries: tuple[Document, ...]
    next_url: str = field(default="", repr=False)


def page(reply: HttpReply) -> Page | None:
    """Read one page of a list (azure-facts 1.7); None when the answer is no list."""
    document = documents.read(reply.body)
    if reply.status != 200 or document is None:
        return None
    entries = document.get("value")
    following = document.get("nextLink")
    if not isinstance(entries, list) or not isinstance(following, str | None):
        return None
    return Page(entries=tuple(documents.items(entries)), next_url=following or "")


def machine(entry: Document) -> Machine | None:
    """Read one VM of a list; None when its id is not a VM's.

    Ids, group and region come in lower case.
    """
    resource = vm_id(documents.text(entry.get("id"), 2000))
    parts = _VM_ID.fullmatch(resource)
    if parts is None:
        return None
    return Machine(
        vm_id=resource,
        name=documents.text(entry.get("name")) or parts["name"],
        subscription_id=parts["subscription"],
        resource_group=parts["group"],
        region=_region(entry),
        os=_system(entry),
        zone=_zone(entry),
        availability_set=_availability_set(entry),
        image=_image(entry),
        tags=_tags(documents.inner(entry, "tags")),
    )


def _zone(entry: Document) -> str:
    """A VM is in one zone at most: `zones: ["1"]`."""
    zones = entry.get("zones")
    return documents.text(zones[0], 20).lower() if isinstance(zones, list) and zones else ""


def _availability_set(entry: Document) -> str:
    found = documents.inner(documents.inner(entry, "properties"), "availabilitySet")
    return vm_id(documents.text(found.get("id"), 2000))


def _image(entry: Document) -> str:
    """Return `publisher:offer:sku` of a marketplace image, or of a gallery's image its id without
    subscription and version."""
    profile = documents.inner(documents.inner(entry, "properties"), "storageProfile")
    image = documents.inner(profile, "imageReference")
    named = [documents.text(image.get(key), 200) for key in ("publisher", "offer", "sku")]
    if all(named):
        return ":".join(named).lower()
    resource = documents.text(image.get("id"), 2000).lower()
    kept, _, _ = resource.partition("/versions/")
    return kept.rpartition("/providers/")[2]


def _tags(tags: Document) -> Mapping[str, str]:
    """Azure's limits are 512 characters for a name and 256 for a value."""
    return {
        documents.text(name, 600): documents.text(value, 600)
        for name, value in tags.items()
        if isinstance(value, str)
    }


def subscription(entry: Document) -> str | None:
    """Read one subscription of a list; None when nothing in it can be patched or it has no id."""
    state = documents.text(entry.get("state")).lower()
    if state in {"disabled", "deleted"}:
        return None
    return documents.text(entry.get("subscriptionId")).lower() or None
