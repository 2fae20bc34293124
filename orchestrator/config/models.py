"""The keys of a configuration file and what each may hold. Nothing is filled in here.

A default that stands elsewhere (`defaults`, the plan) is None here; `resolving` fills it in.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from orchestrator.config import values
from orchestrator.config.azure_keys import Azure
from orchestrator.config.keys import Keys, forms
from orchestrator.config.patch_keys import PatchesKeys
from orchestrator.config.problems import Wrong
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


class Budget(Keys):
    """Both at once: the smaller holds."""

    count: Annotated[int, Field(ge=0)] | None = None
    """How many failures are tolerated."""
    percent: values.Percent | None = None
    """How many percent of the VMs may fail; rounded down."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.count is None and self.percent is None:
            raise Wrong("neither count nor percent", "write at least one of them")
        return self


AllowFailures = Annotated[
    Annotated[int, Field(ge=0), Tag("<number>")]
    | Annotated[values.PercentText, Tag("<text>")]
    | Annotated[Budget, Tag("<mapping>")],
    forms("a count, a percentage or a mapping of both", number=True, mapping=True),
]
MaxParallel = Annotated[
    Annotated[int, Field(ge=1), Tag("<number>")] | Annotated[values.SomePercentText, Tag("<text>")],
    forms("a count or a percentage", number=True),
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


class MissedKeys(Keys):
    """What becomes of a fire that is noticed late."""

    policy: Literal["skip", "run_late"] | None = None
    """skip: write it down and wait for the next; run_late: open one run at once."""
    grace: values.Duration | None = None
    """How late a fire still counts as on time."""


class ScheduleKeys(Keys):
    """When a plan fires: cron, or patch Tuesday and a time."""

    cron: values.CronText | None = None
    """Five fields; names, #, L and LW are known."""
    patch_tuesday: values.Days | None = None
    """Days after (or before) the second Tuesday of the month."""
    at: values.ClockTime | None = None
    """The time of day for patch_tuesday."""
    offset: values.Offset | None = None
    """Moves every fire on the wall clock, up to 60 days either way."""
    timezone: values.Zone | None = None
    """An IANA time zone. Default: the plan's."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.cron is None) == (self.patch_tuesday is None):
            raise Wrong("not exactly one of cron and patch_tuesday", "keep one of them")
        if self.cron is not None and self.at is not None:
            raise Wrong("a cron expression has its own time", "delete `at`")
        if self.patch_tuesday is not None and self.at is None:
            raise Wrong("patch_tuesday without a time of day", 'add `at: "22:00"`')
        return self


class ForWaves(Keys):
    """What may stand in `defaults`, in a plan and in a wave; the nearest holds."""

    max_duration: values.MaxDuration | None = None
    """How long one installation may take: whole minutes, less than 24 h."""
    reboot: Literal["if_required", "never", "always"] | None = None
    """Whether the installation may reboot the VM."""
    warnings: Literal["pass", "fail"] | None = None
    """Whether an installation that ended with warnings counts as a failure."""
    max_parallel: MaxParallel | None = None
    """How many VMs of a wave at once: a count, or a percentage of the wave."""
    bake: values.Duration | None = None
    """How long a finished wave must stay good before the next one opens."""


class ForPlans(ForWaves):
    """What may stand in `defaults` and in a plan."""

    timezone: values.Zone | None = None
    """The IANA time zone of schedules."""
    missed: MissedKeys | None = None
    """What becomes of a fire that is noticed late."""
    overlap: Literal["skip"] | None = None
    """What happens when a plan fires while its previous run is open."""
    deadline: values.PositiveDuration | None = None
    """How long a run may stay open."""
    min_interval: values.Duration | None = None
    """A VM that was patched by somebody else within this time is skipped."""


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


class PlanKeys(ForPlans):
    """One plan: when, what, and in which waves."""

    name: values.Name
    """How people call it; unique."""
    schedule: ScheduleKeys | None = None
    """When it fires. Without it, it is opened by hand."""
    patches: PatchesKeys | None = None
    """Which patches are asked for."""
    allow_failures: AllowFailures | None = None
    """How many failures the whole run tolerates, over all its waves."""
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
    defaults: Defaults = Defaults()
    """What holds for every plan that does not say otherwise."""
    plans: Annotated[list[PlanKeys], Field(min_length=1)]
    """What is patched, when, and in which waves."""
