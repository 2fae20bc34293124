"""The nouns of what is configured and of a run: plan, wave, target, run. No behaviour beyond
construction."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NewType

from orchestrator.domain.gate import Approval, GateSpec, GateStand

RunId = NewType("RunId", str)
VmId = NewType("VmId", str)
"""An ARM resource id in lower case; build it with `vm_id`."""
AttemptId = NewType("AttemptId", str)
"""A UUID: the `x-ms-client-request-id` of one POST."""
ActivityId = NewType("ActivityId", str)
"""The guid that names one installation everywhere in Azure (azure-facts 2.3)."""


def vm_id(resource_id: str) -> VmId:
    """Return the one spelling of an ARM resource id that we compare and store: lower case, no
    slash at the end."""
    return VmId(resource_id.strip().rstrip("/").lower())


class Reboot(StrEnum):
    """What the installation may do about a reboot; Azure's `rebootSetting` (azure-facts 1.1)."""

    IF_REQUIRED = "if_required"
    NEVER = "never"
    ALWAYS = "always"


class Warnings(StrEnum):
    """Whether an installation that completed with warnings counts against the budget."""

    PASS = "pass"  # noqa: S105 - a policy, not a password
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsPatches:
    """`windowsParameters` of installPatches, field by field (azure-facts 1.1)."""

    classifications: tuple[str, ...] = ()
    kb_include: tuple[str, ...] = ()
    kb_exclude: tuple[str, ...] = ()
    exclude_kbs_requiring_reboot: bool = False
    max_publish_date: datetime | None = None
    name_masks_include: tuple[str, ...] = ()
    name_masks_exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxPatches:
    """`linuxParameters` of installPatches, field by field (azure-facts 1.1)."""

    classifications: tuple[str, ...] = ()
    package_masks_include: tuple[str, ...] = ()
    package_masks_exclude: tuple[str, ...] = ()
    maintenance_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """Which patches are asked for, by operating system. A system without a block gets none of our
    filters."""

    windows: WindowsPatches | None = None
    linux: LinuxPatches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A number of VMs: a count, a percentage of the wave, or both (then the smaller holds)."""

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of the latest results: more than `percent` bad among the `last` ones halts, once
    there are `min_sample`."""

    percent: float
    last: int = 50
    min_sample: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance(Share):
    """How many failures are tolerated (design 7). With neither count nor percentage a wave has the
    default of its size, and a run no such bound."""

    in_a_row: int | None = None
    """The n-th failure with no success between halts."""
    rate: Rate | None = None
    strict: bool = False
    """A VM starts only while `in_flight + bad < allowed + 1`."""
    quarantine: bool = False
    """In the place of a halt, the one group of VMs that shares the cause is held back."""


class Order(StrEnum):
    """In which order the VMs of a wave are started."""

    AS_LISTED = "as_listed"
    LONGEST_FIRST = "longest_first"
    SHUFFLE = "shuffle"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimit:
    """How many VMs of each group of one kind may be in flight: a count holds over all runs, a
    percentage is of the run's own VMs in the group.

    `kind` is `subscription`, `subscription_region`, `zone`, `availability_set` or `tag:NAME`.
    """

    kind: str
    most: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all runs together may have in flight (design 8). All of it holds at once."""

    in_flight: int | None = None
    per: tuple[GroupLimit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which VMs: all given kinds must match, any value within a kind will do. Nothing given
    matches nothing.

    `ids` are lower-case resource ids (`file` is read into `ids` by the configuration); `tags` maps
    a tag's name to the accepted values, both compared without case.
    """

    ids: tuple[VmId, ...] = ()
    subscriptions: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of the wall clock in which VMs may be started, `length` long on that clock.

    `days` are those on which it opens, Monday is 0; none given means every day.
    """

    start: time
    length: timedelta
    days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When the VMs of a wave may be started: in any of these windows; none means at any time.

    A start must leave room for `max_duration` and `reserve`, the time for a reboot, before the
    window closes.
    """

    windows: tuple[Window, ...] = ()
    timezone: str = "UTC"
    reserve: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time span in which nothing starts, in any run: from `begins` on, and not any more at
    `ends`."""

    name: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedReboot:
    """Reboots as a phase of their own: VMs are patched without one, and those that need it are
    restarted once every VM of the wave is patched."""

    hours: Hours = field(default_factory=Hours)
    """When VMs may be restarted; `reserve` is the room that a restart needs in its window."""
    max_parallel: Share | None = None
    """How many at once; None: as many as the wave patches at once."""
    allow_failures: Share | None = None
    """How many restarts may fail, beside what the wave tolerates; None: only that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSpec:
    """One wave as configured. With a `ramp` its last step is `max_parallel`."""

    name: str
    select: Selection
    exclude: Selection = field(default_factory=Selection)
    max_parallel: Share | None = None
    ramp: tuple[Share, ...] = ()
    allow_failures: Tolerance | None = None
    order: Order = Order.AS_LISTED
    bake: timedelta = timedelta(0)
    allow_empty: bool = False
    max_duration: timedelta = timedelta(minutes=90)
    reboot: Reboot = Reboot.IF_REQUIRED
    staged: StagedReboot | None = None
    warnings: Warnings = Warnings.PASS
    hours: Hours = field(default_factory=Hours)
    approve: Approval | None = None
    before: tuple[GateSpec, ...] = ()
    check: tuple[GateSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """How operations are followed (design 14)."""

    poll: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(minutes=15)
    send_within: timedelta = timedelta(seconds=5)
    overdue: timedelta = timedelta(minutes=45)
    max_unknown: int = 3
    request_timeout: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSpec:
    """What is configured for one plan, with every default filled in: the *resolved plan* that a
    run keeps."""

    name: str
    waves: tuple[WaveSpec, ...]
    patches: Patches = field(default_factory=Patches)
    tracking: Tracking = field(default_factory=Tracking)
    allow_failures: Tolerance | None = None
    limits: Limits = field(default_factory=Limits)
    deadline: timedelta = timedelta(days=14)
    min_interval: timedelta = timedelta(hours=12)
    carry_over: int = 2
    """How often a VM that ran out of its time may go on in a later window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One VM, as the inventory described it when the run was opened."""

    vm_id: VmId
    name: str
    subscription_id: str
    resource_group: str
    region: str
    os: str
    """`Windows`, `Linux`, or empty when the inventory did not say."""
    zone: str = ""
    """The availability zone, `1`, of the VM's own subscription and region; empty: in none."""
    availability_set: str = ""
    """A resource id in lower case; empty: in none."""
    image: str = ""
    """What it was made from, `publisher:offer:sku` or a gallery's image; empty: unknown."""
    tags: tuple[tuple[str, str], ...] = ()
    """By name, in Azure's spelling."""


class RunStatus(StrEnum):
    """How a run stands. The last three are ends once `closed_at` is set; until then the rest is
    followed."""

    OPEN = "open"
    PAUSED = "paused"
    HALTED = "halted"
    PASSED = "passed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class WaveStatus(StrEnum):
    """The life of a wave (design 3)."""

    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    OPEN = "open"
    BAKING = "baking"
    PASSED = "passed"
    HALTED = "halted"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One wave of a run as it stands. Shares are fixed as counts when it opens; a person may have
    set `max_parallel` before."""

    position: int
    spec: WaveSpec
    vms: int
    status: WaveStatus = WaveStatus.PENDING
    reason: str = ""
    allowed: int | None = None
    max_parallel: int | None = None
    opened_at: datetime | None = None
    baking_until: datetime | None = None
    closed_at: datetime | None = None
    excused: bool = False
    """A person resumed after this wave halted: it may pass without a single VM that ended well."""
    ramp: tuple[int, ...] = ()
    """The steps to `max_parallel`; empty: it holds from the first VM on."""
    asked_at: datetime | None = None
    """Since when the wave has been waiting at its door: for an approval, for its gates."""
    approved_at: datetime | None = None
    approved_by: str = ""
    gates: tuple[GateStand, ...] = ()
    reboots_at: datetime | None = None
    """When the phase of its reboots began; the two counts are fixed with it."""
    reboots_at_once: int | None = None
    reboots_allowed: int | None = None


class Trait(StrEnum):
    """What VMs may have in common that is known before they are started; the narrowest first."""

    IMAGE = "image"
    SYSTEM = "system"
    REGION = "region"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """The group of VMs that a run holds back: those with this trait, and the evidence."""

    kind: Trait
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a plan. `version` is the compare-and-set of everything about it but its
    operations."""

    id: RunId
    plan: PlanSpec
    status: RunStatus
    opened_at: datetime
    deadline_at: datetime
    config_hash: str
    opened_by: str
    reason: str = ""
    closed_at: datetime | None = None
    parent: RunId | None = None
    results_from: datetime | None = None
    """`in_a_row` and `rate` look at what ended after this: the last resume after a halt."""
    reminded_at: datetime | None = None
    """When people were last told that this run needs one of them."""
    version: int = 0
    approved_by: str | None = None
    """Of an emergency run: who allowed that it overrides freezes."""
    quarantine: Quarantine | None = None
    """Held back since then, to the end of the run: one group at most."""
