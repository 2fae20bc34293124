"""What is on offer for a machine, and what an order takes of it.

A new set comes each month and is drawn per machine from the seed; the shapes of names, ids, KBs and
versions are the recorded ones (azure-facts 1.2), the contents are made up.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from orchestrator.simulator import draws
from orchestrator.simulator.machines import Machine, OperatingSystem
from orchestrator.simulator.orders import Order

# A month's patches are on offer from the tenth on; Windows' own day is the second Tuesday.
_RELEASE_DAY = timedelta(days=9)
URGENT = ("Critical", "Security")

_WINDOWS = (
    # name, classification, severity, asks for a reboot, how common
    ("{0} Cumulative Update for Windows Server 2022 (KB{1})", "Security", "Critical", True, 0.9),
    ("{0} Cumulative Update for .NET Framework 4.8.1 (KB{1})", "Security", "Important", True, 0.5),
    ("{0} Servicing Stack Update (KB{1})", "Critical", "Critical", False, 0.4),
    ("Security Intelligence Update for Defender - KB{1}", "Definition", None, False, 0.8),
    ("Windows Malicious Software Removal Tool x64 - {0} (KB{1})", "UpdateRollUp", None, False, 0.7),
    ("{0} Security Update for SQL Server 2019 RTM CU (KB{1})", "Security", "Important", True, 0.2),
    ("{0} Update for Windows Server 2022 time zones (KB{1})", "Updates", None, False, 0.3),
    ("{0} Dynamic Update for set-up (KB{1})", "Critical", "Important", False, 0.3),
)  # fmt: skip

_LINUX = (
    ("linux-image-azure", "Security", True, 0.35),
    ("linux-headers-azure", "Security", False, 0.5),
    ("libc6", "Security", True, 0.1),
    ("libc-bin", "Security", False, 0.3),
    ("openssl", "Security", False, 0.7),
    ("libssl3", "Security", True, 0.1),
    ("curl", "Security", False, 0.7),
    ("libcurl4", "Security", False, 0.7),
    ("openssh-server", "Security", False, 0.4),
    ("openssh-client", "Security", False, 0.4),
    ("sudo", "Security", False, 0.3),
    ("vim", "Security", False, 0.6),
    ("vim-common", "Security", False, 0.6),
    ("python3.10", "Security", False, 0.5),
    ("libpython3.10-stdlib", "Security", False, 0.5),
    ("bind9-host", "Security", False, 0.3),
    ("git", "Security", False, 0.3),
    ("systemd", "Other", False, 0.4),
    ("udev", "Other", False, 0.4),
    ("tzdata", "Other", False, 0.6),
    ("cloud-init", "Other", False, 0.4),
    ("walinuxagent", "Other", False, 0.4),
    ("apport", "Other", False, 0.3),
    ("snapd", "Other", False, 0.5),
)


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch; `version` on Linux only, `kb` (digits) and `severity` on Windows only."""

    id: str
    name: str
    classification: str
    reboots: bool
    published: datetime
    version: str | None = None
    kb: str | None = None
    severity: str | None = None
    commonness: float = 1.0


@dataclass(frozen=True, slots=True)
class Selection:
    """What an order makes of the patches on offer."""

    selected: tuple[Patch, ...]
    excluded: tuple[Patch, ...]
    not_selected: tuple[Patch, ...]


def offered(machine: Machine, seed: int, at: datetime, had: Collection[str]) -> tuple[Patch, ...]:
    """Return the patches on offer at this instant, without the ids in `had` (installed before)."""
    release = at - _RELEASE_DAY
    temper = machine.temper
    if temper.patches is not None:
        chosen = _exactly(machine.os, release, temper.patches)
    else:
        month = catalogue(machine.os, release.year, release.month)
        chosen = tuple(p for p in month if draws.fraction(seed, machine.key, p.id) < p.commonness)
        if temper.needs_reboot or temper.failing_patches or temper.overruns:
            # What goes wrong needs something to go wrong with.
            surely = _exactly(machine.os, release, max(3, temper.failing_patches))
            chosen = surely + tuple(patch for patch in chosen if patch not in surely)
    return tuple(patch for patch in chosen if patch.id not in had)


def sort_out(patches: tuple[Patch, ...], order: Order) -> Selection:
    """Divide the patches on offer by the order's classifications, KBs and masks."""
    includes, excludes = _matcher(order.include), _matcher(order.exclude)
    everything = not order.classifications and not order.include
    selected, excluded, not_selected = [], [], []
    for patch in patches:
        late = order.published_until is not None and patch.published > order.published_until
        if excludes(patch) or (order.without_reboots and patch.reboots):
            excluded.append(patch)
        elif late:
            not_selected.append(patch)
        elif everything or _of_class(patch, order) or includes(patch):
            selected.append(patch)
        else:
            not_selected.append(patch)
    return Selection(tuple(selected), tuple(excluded), tuple(not_selected))


@lru_cache(maxsize=64)
def catalogue(os: OperatingSystem, year: int, month: int) -> tuple[Patch, ...]:
    """Return all patches of one month for one system."""
    return _windows(year, month) if os == "Windows" else _linux(year, month)


def _windows(year: int, month: int) -> tuple[Patch, ...]:
    title, published = f"{year}-{month:02d}", _second_tuesday(year, month)
    patches = []
    for number, (name, classification, severity, reboots, commonness) in enumerate(_WINDOWS):
        kb = str(draws.whole(5_000_000, 5_099_999, "kb", year, month, number))
        patches.append(
            Patch(
                id=draws.guid("update", year, month, number),
                name=name.format(title, kb),
                classification=classification,
                reboots=reboots,
                published=published,
                kb=kb,
                severity=severity,
                commonness=commonness,
            )
        )
    return tuple(patches)


def _linux(year: int, month: int) -> tuple[Patch, ...]:
    published = datetime(year, month, 10, tzinfo=UTC)
    patches = []
    for number, (name, classification, reboots, commonness) in enumerate(_LINUX):
        upstream = f"{draws.whole(1, 9, name)}.{draws.whole(0, 99, name)}"
        version = f"{upstream}-0ubuntu1.{(year - 2020) * 12 + month}"
        patches.append(
            Patch(
                id=f"{name}_{version}_Ubuntu_22.04",
                name=name,
                classification=classification,
                reboots=reboots,
                published=published + timedelta(hours=number),
                version=version,
                commonness=commonness,
            )
        )
    return tuple(patches)


def _exactly(os: OperatingSystem, release: datetime, count: int) -> tuple[Patch, ...]:
    """Return `count` patches: urgent ones first, and older months' when one has too few."""
    found: list[Patch] = []
    while len(found) < count:
        month = catalogue(os, release.year, release.month)
        found += [patch for patch in month if patch.classification in URGENT]
        found += [patch for patch in month if patch.classification not in URGENT]
        release = release.replace(day=1) - timedelta(days=1)
    return tuple(found[:count])


def _second_tuesday(year: int, month: int) -> datetime:
    first = datetime(year, month, 1, 17, tzinfo=UTC)
    return first + timedelta(days=(1 - first.weekday()) % 7 + 7)


def _of_class(patch: Patch, order: Order) -> bool:
    return patch.classification.lower() in order.classifications


def _matcher(entries: tuple[str, ...]) -> "_Matcher":
    return _Matcher(tuple(_pattern(entry) for entry in entries))


@dataclass(frozen=True, slots=True)
class _Matcher:
    """Tells whether a patch is meant by KBs or masks: name, or name_version, or KB number."""

    patterns: tuple[re.Pattern[str], ...]

    def __call__(self, patch: Patch) -> bool:
        names = [patch.name, f"{patch.name}_{patch.version}", f"KB{patch.kb}"]
        return any(pattern.fullmatch(name) for pattern in self.patterns for name in names)


@lru_cache(maxsize=1024)
def _pattern(entry: str) -> re.Pattern[str]:
    text = re.escape(entry).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.IGNORECASE)
