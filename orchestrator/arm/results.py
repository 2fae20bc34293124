"""The result of an installation, from Azure's JSON to ours. Pure; lenient; it judges nothing.

The same summary stands in an operation's output and, shorter, in a VM's instance view (azure-facts
1.2, 1.6).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from orchestrator.arm.documents import (
    SENTENCE,
    Document,
    Fault,
    count,
    fault,
    flag,
    inner,
    items,
    text,
    word,
)
from orchestrator.domain.foreign import redact
from orchestrator.domain.result import Patch, Report, Result

STATUSES: Final = ("Unknown", "InProgress", "Failed", "Succeeded", "CompletedWithWarnings")
REBOOTS: Final = ("Unknown", "NotNeeded", "Required", "Started", "Failed", "Completed")
PATCH_STATES: Final = ("Unknown", "Installed", "Failed", "Excluded", "NotSelected", "Pending")

_NO_ERROR: Final = frozenset({"0", "success"})
"""Codes of an `error` that reports success (azure-facts 1.2)."""
_VAGUE: Final = frozenset({"1", "2", "error", "informational"})
"""Codes that say only that something went wrong; the details may say what (azure-facts 5.4)."""
_CUT_SHORT: Final = "truncated_patch_list_id"
"""The id of the entry that stands where Linux cut its list at 128 KB (azure-facts 5.4)."""
_MOST_CULPRITS: Final = 5
_NAME: Final = 100
"""Characters of a patch's name: enough to tell packages apart."""
_KB = re.compile(r"(?:KB)?([0-9]{1,12})", re.IGNORECASE)


def report(output: Document, raw: bytes) -> Report:
    """Read the result of an installation; `raw` is kept as it came, but for signed URLs."""
    patches = tuple(
        _patch(item)
        for item in items(output.get("patches"))
        if text(item.get("patchId")).lower() != _CUT_SHORT
    )
    return Report(
        result=replace(summary(output), culprits=_culprits(patches)),
        activity=text(output.get("installationActivityId")).lower(),
        patches=patches,
        raw=_unsigned(raw),
    )


def _culprits(patches: Sequence[Patch]) -> tuple[str, ...]:
    """Name the first patches that failed, by KB or package."""
    names = (each.kb_id or each.name for each in patches if each.state == "Failed")
    told = dict.fromkeys(name.replace(",", " ")[:_NAME] for name in names if name)
    return tuple(islice(told, _MOST_CULPRITS))


def _unsigned(raw: bytes) -> bytes:
    """Return a raw result without the signatures of URLs: capabilities (azure-facts 2.4)."""
    if b"s=" not in raw and b"sig=" not in raw:
        return raw
    return redact(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def summary(document: Document) -> Result:
    """Read the counts and words of a result.

    A count that cannot be one is None, a status or reboot word that nobody knows is `Unknown`.
    Counts are never made up from the list of patches, which Azure cuts short. An `error` that
    reports success leaves no trace.
    """
    error = _error(document)
    return Result(
        status=word(document.get("status"), STATUSES) or "Unknown",
        installed=count(document.get("installedPatchCount")),
        failed=count(document.get("failedPatchCount")),
        pending=count(document.get("pendingPatchCount")),
        excluded=count(document.get("excludedPatchCount")),
        not_selected=count(document.get("notSelectedPatchCount")),
        reboot=_reboot(document.get("rebootStatus")),
        window_exceeded=flag(document.get("maintenanceWindowExceeded")),
        error_code=error.code if error else "",
        error_message=error.message if error else "",
    )


def _reboot(value: object) -> str | None:
    return (word(value, REBOOTS) or "Unknown") if isinstance(value, str) else None


def _error(document: Document) -> Fault | None:
    """Return a result's error, with the code and words of its most telling detail."""
    found = fault({"error": inner(document, "error") or inner(document, "errorDetails")})
    if found is None or found.code.lower() in _NO_ERROR:
        return None
    telling = next((d for d in found.details if d.code.lower() not in _VAGUE), None)
    told = telling or next(iter(found.details), None)
    code = telling.code if telling and found.code.lower() in _VAGUE else found.code
    message = (told.message if told else "") or found.message  # the outer one only counts
    return Fault(code, text(message, SENTENCE))


def _patch(document: Document) -> Patch:
    classes = document.get("classifications")
    return Patch(
        patch_id=text(document.get("patchId")),
        name=text(document.get("name"), SENTENCE),
        version=text(document.get("version")),
        kb_id=_kb(text(document.get("kbId"))),
        classifications=tuple(filter(None, map(text, classes)))
        if isinstance(classes, list)
        else (),
        state=_state(document.get("installationState")),
    )


def _kb(given: str) -> str:
    """Return a KB number with its prefix, which only results leave out (azure-facts 1.1)."""
    match = _KB.fullmatch(given)
    return f"KB{match[1]}" if match else given


def _state(value: object) -> str:
    return (word(value, PATCH_STATES) or "Unknown") if isinstance(value, str) else ""
