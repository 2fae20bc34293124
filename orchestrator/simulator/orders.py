"""The body of an installPatches request, checked as Azure checks it (azure-facts 1.1, 2.6).

Strict on purpose: what the API's description does not name is refused, so that a client's typing
error is seen here first.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orchestrator.simulator import durations
from orchestrator.simulator.machines import OperatingSystem

REBOOTS = ("IfRequired", "Never", "Always")
_WINDOWS_WORDS = "Critical Security UpdateRollUp FeaturePack ServicePack Definition Tools Updates"
CLASSIFICATIONS: Mapping[OperatingSystem, tuple[str, ...]] = {
    "Windows": tuple(_WINDOWS_WORDS.split()),
    "Linux": ("Critical", "Security", "Other"),
}
_DEFAULT_MAXIMUM = "PT4H"
_MEMBERS: Mapping[str, type] = {
    "maximumDuration": str,
    "rebootSetting": str,
    "windowsParameters": dict,
    "linuxParameters": dict,
}
_BLOCK_NAMES: Mapping[OperatingSystem, str] = {
    "Windows": "windowsParameters",
    "Linux": "linuxParameters",
}
_BLOCK_MEMBERS: Mapping[OperatingSystem, Mapping[str, type]] = {
    "Windows": {
        "classificationsToInclude": list,
        "kbNumbersToInclude": list,
        "kbNumbersToExclude": list,
        "excludeKbsRequiringReboot": bool,
        "maxPatchPublishDate": str,
        "patchNameMasksToInclude": list,
        "patchNameMasksToExclude": list,
    },
    "Linux": {
        "classificationsToInclude": list,
        "packageNameMasksToInclude": list,
        "packageNameMasksToExclude": list,
        "maintenanceRunId": str,
    },
}
_KB = re.compile(r"KB\d+", re.IGNORECASE)
_MASK = re.compile(r"[A-Za-z0-9*?]+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 400: message, target and code of the error."""

    message: str
    target: str | None = None
    code: str = "InvalidParameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be installed on one machine.

    `classifications` are lower-case, empty for none named; `include` and `exclude` are KBs and name
    masks; `readable` is False where the guest cannot read the duration.
    """

    reboot: str = "IfRequired"
    maximum: timedelta = timedelta(hours=4)
    readable: bool = True
    classifications: frozenset[str] = field(default=frozenset())
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    without_reboots: bool = False
    published_until: datetime | None = None
    maintenance_run: str = ""


def read(body: bytes, os: OperatingSystem) -> Order | Refusal:
    """Check a request body for a machine of this system; return the order, or why it is refused."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        message = "The request content was invalid and could not be deserialized."
        return Refusal(message, code="InvalidRequestContent")
    checks = _Checks(document, os)
    order = checks.order()
    return checks.refusals[0] if checks.refusals else order


class _Checks:
    """Reads one document; whatever is wrong is noted in `refusals`, in the order of its finding."""

    def __init__(self, document: Mapping[str, object], os: OperatingSystem) -> None:
        self.refusals: list[Refusal] = []
        self._os = os
        self._document = document
        self._members(document, _MEMBERS, "")
        self._block = self._own_block()

    def order(self) -> Order:
        duration = str(self._document.get("maximumDuration") or _DEFAULT_MAXIMUM)
        maximum = durations.parse(duration)
        if maximum is None:
            self._invalid("maximumDuration", duration)
        return Order(
            reboot=self._reboot(),
            maximum=maximum or timedelta(0),
            readable=self._os == "Windows" or durations.linux_guest_reads(duration),
            classifications=self._classifications(),
            include=self._names("Include"),
            exclude=self._names("Exclude"),
            without_reboots=bool(self._block.get("excludeKbsRequiringReboot")),
            published_until=self._publish_date(),
            maintenance_run=str(self._block.get("maintenanceRunId") or ""),
        )

    def _invalid(self, target: str, value: object) -> None:
        message = f"The value '{value}' of parameter '{target}' is invalid."
        self.refusals.append(Refusal(message, target))

    def _members(self, block: Mapping[str, object], known: Mapping[str, type], path: str) -> None:
        for name, value in block.items():
            target = f"{path}{name}"
            if name not in known:
                message = f"Could not find member '{name}' on object. Path '{target}'."
                self.refusals.append(Refusal(message, target))
            elif value is not None and not isinstance(value, known[name]):
                self._invalid(target, value)

    def _own_block(self) -> Mapping[str, object]:
        own: Mapping[str, object] = {}
        for system, name in _BLOCK_NAMES.items():
            content = self._document.get(name)
            block = content if isinstance(content, dict) else {}
            self._members(block, _BLOCK_MEMBERS[system], f"{name}.")
            if system == self._os:
                own = block
            elif block:  # an empty block of the other system is accepted [recorded]
                message = f"'{name}' cannot be used for a VM with {self._os}."
                self.refusals.append(Refusal(message, name))
        return own

    def _reboot(self) -> str:
        given = self._document.get("rebootSetting")
        if given is None:
            message = "Required parameter 'rebootSetting' is missing (null)."
            self.refusals.append(Refusal(message, "rebootSetting"))
        known = {setting.lower(): setting for setting in REBOOTS}
        setting = known.get(str(given).lower())
        if setting is None:
            self._invalid("rebootSetting", given)
        return setting or REBOOTS[0]

    def _texts(self, name: str) -> tuple[str, ...]:
        entries = self._block.get(name)
        texts = []
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str) and entry.strip():
                texts.append(entry)
            else:
                self._invalid(self._target(name), entry)
        return tuple(texts)

    def _target(self, name: str) -> str:
        return f"{_BLOCK_NAMES[self._os]}.{name}"

    def _classifications(self) -> frozenset[str]:
        name = "classificationsToInclude"
        given = {entry.lower() for entry in self._texts(name)}
        unknown = given - {known.lower() for known in CLASSIFICATIONS[self._os]}
        if unknown:
            self._invalid(self._target(name), min(unknown))
        if self._os == "Linux" and given & {"critical", "security"}:
            given |= {"critical", "security"}  # one unit in the guest
        return frozenset(given)

    def _names(self, which: str) -> tuple[str, ...]:
        if self._os == "Linux":
            return self._texts(f"packageNameMasksTo{which}")
        kbs = self._texts(f"kbNumbersTo{which}")
        for kb in kbs:
            if not _KB.fullmatch(kb):
                message = (
                    f"The entry in 'kbNumbersTo{which}' with value '{kb}' is not valid. "
                    "It must be a KBID such as KB4512508."
                )
                self.refusals.append(Refusal(message, self._target(f"kbNumbersTo{which}")))
        masks = self._texts(f"patchNameMasksTo{which}")
        for mask in masks:
            if not _MASK.fullmatch(mask):
                self._invalid(self._target(f"patchNameMasksTo{which}"), mask)
        return kbs + masks

    def _publish_date(self) -> datetime | None:
        given = self._block.get("maxPatchPublishDate")
        if not given:
            return None
        try:
            date = datetime.fromisoformat(str(given))
        except ValueError:
            self._invalid(self._target("maxPatchPublishDate"), given)
            return None
        return date if date.tzinfo else date.replace(tzinfo=UTC)
