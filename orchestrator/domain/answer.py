"""What Azure can say to us, as values. Outcomes are values; exceptions are for bugs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.domain.model import ActivityId, VmId
from orchestrator.domain.result import Report, Result
from orchestrator.domain.states import Conflict

# --------------------------------------------------------------------------- to the one POST


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """The operation URLs of a 202, verbatim: they are signed, about 3.4 KB, and never to be logged
    (azure-facts 2.4)."""

    status_url: str = field(repr=False)
    location_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """202 with a usable operation URL: Azure has the work. `activity` is its `x-ms-request-id`
    (azure-facts 2.3)."""

    tracker: Tracker
    activity: ActivityId | None
    retry_after: timedelta | None = None
    http_status: int = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Proved: no byte of the request left (connection refused, no route, TLS refused, past its
    time)."""

    reason: str
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """429: refused before anything was done (azure-facts 4). `retry_after` is already clamped to
    [1 s, 20 min]."""

    retry_after: timedelta
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unauthenticated:
    """401, or no token to be had: nothing ran, and the VM is not to blame (azure-facts 8)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A 4xx from ARM itself (request id and ARM error body seen) that says: never. Not 408, 409,
    429 or 401."""

    http_status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted:
    """409: refused for now, or ours is already running. Only a look tells (azure-facts 6)."""

    conflict: Conflict
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """Everything else: Azure may have taken it. `activity` is the request id of a 202
    whose URLs were of no use; no other answer names the operation (azure-facts 2.3)."""

    reason: str
    http_status: int | None = None
    activity: ActivityId | None = None


SubmitAnswer = Taken | NotSent | Throttled | Unauthenticated | Rejected | Conflicted | InDoubt

# --------------------------------------------------------------------------- to a read


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The operation is not at its end: any status word but the three terminal ones (azure-facts
    3)."""

    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The operation `Succeeded`. That says nothing about the patches: the report does, if it could
    be read."""

    report: Report | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapsed:
    """The operation itself ended `Failed` or `Canceled`, with ARM's error (azure-facts 5.1, layer
    2)."""

    status: str
    code: str
    message: str
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """This read told nothing about the operation, whatever its status code was (azure-facts 3)."""

    reason: str
    http_status: int | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrackable:
    """403, 404 or a refused URL: this operation URL will not tell us; the instance view may
    (azure-facts 8)."""

    reason: str
    http_status: int | None = None


PollAnswer = Running | Finished | Collapsed | Throttled | Unreadable | Untrackable


@dataclass(frozen=True, slots=True, kw_only=True)
class LastInstallation:
    """`lastPatchInstallationSummary` of an instance view: the one slot that names the newest
    installation."""

    activity: ActivityId
    started_at: datetime | None
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One VM with its instance view. `skew` is Azure's clock minus ours at this answer (its `Date`
    header)."""

    vm_id: VmId
    region: str
    os: str
    power: str
    """The word after `PowerState/`, or empty when Azure did not say."""
    agent_ready: bool
    last: LastInstallation | None
    skew: timedelta = timedelta(0)
    provisioning: str = "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """404: Azure knows no such VM."""

    reason: str


LookAnswer = Seen | Gone | Throttled | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One installation as Resource Graph keeps it: a row of its own, which a later one does not
    replace (azure-facts 7)."""

    activity: ActivityId
    started_at: datetime | None
    """None while it is accepted and has not begun."""
    started_by: str
    """`User`, `Platform` (Azure itself), or empty when Azure did not say."""
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What Resource Graph has heard of so far. It trails by minutes: what is not in here may be
    all the same. `skew` is Azure's clock minus ours at this answer."""

    traces: tuple[Trace, ...]
    skew: timedelta = timedelta(0)


TraceAnswer = Traced | Throttled | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMany:
    """The same of many VMs at once: of each as much as if it had been asked about alone. `pages` is
    how many queries it took."""

    answers: Mapping[VmId, Traced | Unreadable]
    pages: int = 1


ManyAnswer = TracedMany | Throttled | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Resource Graph shows this installation, and whether it has ended. It may be wrong or late:
    one read of the operation itself tells."""

    vm_id: VmId
    activity: ActivityId
    ended: bool = True
    changed_at: datetime | None = None
    """When its row was changed last, on Azure's clock; None: that was not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What Resource Graph has heard of so far. `pages` is how many queries it took; not `whole`:
    there is more than was read. `skew` is Azure's clock minus ours at this answer."""

    hints: tuple[Hint, ...]
    pages: int = 1
    whole: bool = True
    skew: timedelta = timedelta(0)


SweepAnswer = Swept | Throttled | Unreadable
