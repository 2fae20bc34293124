"""The keys of a configuration file and what each may hold. Nothing is filled in here.

A default that stands elsewhere (`defaults`, the plan) is None here; `resolving` fills it in.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Tag, model_validator

from orchestrator.config import values
from orchestrator.config.azure_keys import Azure
from orchestrator.config.budget_keys import AllowFailures, LimitsKeys, RunAllowFailures
from orchestrator.config.gate_keys import Approve, Gates
from orchestrator.config.keys import Keys, forms
from orchestrator.config.patch_keys import PatchesKeys
from orchestrator.config.problems import Wrong
from orchestrator.config.reboot_keys import RebootPolicy
from orchestrator.config.time_keys import FreezeKeys, MissedKeys, ScheduleKeys, Windows
from orchestrator.config.time_values import Reserve
from orchestrator.config.values import Many


class Http(Keys):
    """The daemon's own door."""

    listen: values.Listen = "127.0.0.1:8470"
    """Host and port; loopback only, for now. Port 0 takes a free one."""


class TrackingKeys(Keys):
    """How installations are followed."""

    poll: values.PositiveDuration | None = None
    """How often a running installation is asked for."""
    settle: values.Duration | None = None
    """How long a request of unknown fate is looked for before a person is asked."""
    send_within: values.PositiveDuration | None = None
    """How old an intent may be when its request is written."""
    overdue: values.Duration | None = None
    """How long after max_duration an installation without an end is put before a person."""
    max_unknown: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many requests of unknown fate stop further starts in a subscription and region."""
    request_timeout: values.PositiveDuration | None = None
    """How long one request to Azure may take."""


class ThrottleKeys(Keys):
    """How much of Azure's own limits is used."""

    reserve: values.Reserve | None = None
    """The share of Azure's request limits that is left to your other tools. Default: 20%."""


_Step = Annotated[
    Annotated[int, Field(ge=1), Tag("<number>")] | Annotated[values.SomePercentText, Tag("<text>")],
    forms("a count or a percentage", number=True),
]


def _upwards(steps: list[int | float]) -> list[int | float]:
    """Refuse a ramp that goes down; a count and a percentage cannot be compared here."""
    for kind in (int, float):
        alike = [step for step in steps if type(step) is kind]
        if alike != sorted(alike):
            raise Wrong("a ramp that goes down", "begin with the smallest: [1, 5, 20, 25%]")
    return steps


MaxParallel = Annotated[
    Annotated[int, Field(ge=1), Tag("<number>")]
    | Annotated[values.SomePercentText, Tag("<text>")]
    | Annotated[
        list[_Step], Field(min_length=1, max_length=20), AfterValidator(_upwards), Tag("<list>")
    ],
    forms("a count, a percentage or a list of both", number=True, listed=True),
]


class Selector(Keys):
    """Which VMs: each kind given must match, any value within a kind will do."""

    ids: Many[values.VmText] | None = None
    """Resource ids of VMs."""
    file: values.IdFile | None = None
    """A file of resource ids (CSV, JSON lines, one a line), relative to this configuration."""
    resource_groups: Many[values.GroupText] | None = None
    """Names of resource groups."""
    subscriptions: Many[values.Guid] | None = None
    """Guids of subscriptions."""
    tags: Annotated[dict[values.Text, Many[values.Text]], Field(min_length=1)] | None = None
    """Tags and the values they may have."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            fix = "give ids, file, resource_groups, subscriptions or tags"
            raise Wrong("a selection that selects nothing", fix)
        return self


class ForWaves(Keys):
    """What may stand in `defaults`, in a plan and in a wave; the nearest holds."""

    max_duration: values.MaxDuration | None = None
    """How long one installation may take: whole minutes, less than 24 h."""
    reboot: RebootPolicy | None = None
    """Whether the installation may reboot the VM; or a phase of reboots of its own."""
    warnings: Literal["pass", "fail"] | None = None
    """Whether an installation that ended with warnings counts as a failure."""
    max_parallel: MaxParallel | None = None
    """How many VMs of a wave at once: a count, or a percentage of the wave. A list begins with few:
    each step holds until as many VMs have ended well as it permits."""
    order: Literal["as_listed", "longest_first", "shuffle"] | None = None
    """In which order the VMs of a wave are started."""
    bake: values.Duration | None = None
    """How long a finished wave must stay good before the next one opens."""
    window: Windows | None = None
    """When VMs may be started: one window or several. Default: at any time."""
    reboot_reserve: Reserve | None = None
    """How much room a start leaves for a reboot before its window closes, beside max_duration."""


class ForPlans(ForWaves):
    """What may stand in `defaults` and in a plan."""

    timezone: values.Zone | None = None
    """The IANA time zone of schedules."""
    missed: MissedKeys | None = None
    """What becomes of a fire that is noticed late."""
    overlap: Literal["skip", "queue"] | None = None
    """What happens when a plan fires while its previous run is open: the fire is skipped, or it
    waits for that run's end."""
    deadline: values.PositiveDuration | None = None
    """How long a run may stay open."""
    min_interval: values.Duration | None = None
    """A VM that was patched by somebody else within this time is skipped."""
    carry_over: Annotated[int, Field(ge=0, le=10)] | None = None
    """How often a VM that ran out of its time may go on in a later window of the same run."""


class Defaults(ForPlans):
    """What holds for every plan that does not say otherwise."""


class WaveKeys(ForWaves):
    """One wave."""

    name: values.Name | None = None
    """Default: its position, from 1."""
    select: Selector
    """Which VMs."""
    exclude: Selector | None = None
    """Which of these not: the same keys."""
    allow_failures: AllowFailures | None = None
    """How many failures the wave tolerates; one more halts the run."""
    allow_empty: bool = False
    """Whether the run goes on when the wave had no VM to start."""
    approve: Approve | None = None
    """A group that must approve before the wave opens."""
    before: Gates | None = None
    """What must hold before the wave opens."""
    check: Gates | None = None
    """What must hold before the wave closes, once every VM has ended and its bake is over."""


class PlanKeys(ForPlans):
    """One plan: when, what, and in which waves."""

    name: values.Name
    """How people call it; unique."""
    schedule: ScheduleKeys | None = None
    """When it fires. Without it, it is opened by hand."""
    patches: PatchesKeys | None = None
    """Which patches are asked for."""
    allow_failures: RunAllowFailures | None = None
    """How many failures the whole run tolerates, over all its waves."""
    emergency: bool = False
    """Whether its runs override freezes: each needs a named approver then."""
    waves: Annotated[list[WaveKeys], Field(min_length=1)]
    """In this order."""


class AccessKeys(Keys):
    """What looking and braking need: where the database and the daemon's door are."""

    database: values.DatabaseText = "sqlite:///orchestrator.db"
    """The status database: sqlite:///path (relative to this file), or postgresql://user@host/db."""
    http: Http = Http()
    """The daemon's own door."""


class Config(AccessKeys):
    """A configuration of the fleet patch orchestrator."""

    azure: Azure = Azure()
    """Which Azure, and as whom."""
    tracking: TrackingKeys = TrackingKeys()
    """How installations are followed."""
    throttle: ThrottleKeys = ThrottleKeys()
    """How much of Azure's own limits is used."""
    limits: LimitsKeys = LimitsKeys()
    """How many VMs may be in flight, over all runs. All of it holds at once."""
    defaults: Defaults = Defaults()
    """What holds for every plan that does not say otherwise."""
    freezes: Annotated[list[FreezeKeys], Field(default_factory=list)]
    """When nothing starts, in any run."""
    plans: Annotated[list[PlanKeys], Field(min_length=1)]
    """What is patched, when, and in which waves."""
