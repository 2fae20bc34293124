"""One documented behaviour: what is asked, what happens, what it is taken for, what follows.

The outcome of a row is written down from the design and from Azure's facts. Nothing here, and no
row, calls what is tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final

from orchestrator.domain import answer as a
from orchestrator.domain.states import Conflict
from tests.contract.arm.behaviours.script import Answer, Line, Play
from tests.contract.arm.bench import LOCATION_URL, OPERATION, STATUS_URL, SUBSCRIPTION

ORIGIN: Final = "https://management.azure.com"
"""What the rows call Azure; over sockets it is a server of the test's own."""


def at(here: str, text: str) -> str:
    """Return a text in which Azure is at `here`, and every other https URL of the same scheme."""
    return text.replace(ORIGIN, here).replace("https:", here.partition("//")[0])


def bytes_at(here: str, body: bytes) -> bytes:
    """Return a body in which Azure is at `here`, every other byte as it was."""
    return at(here, body.decode("latin-1")).encode("latin-1")


class Ask(Enum):
    """Which request of ours."""

    SUBMIT = "the one POST that installs"
    POLL = "a read of the operation's status URL"
    MONITOR = "a read of the operation's Location URL"
    LOOK = "a read of one VM with its instance view"
    LIST = "a read of the list of VMs"


@dataclass(frozen=True, slots=True)
class Listed:
    """A list came to its end; the names of its VMs."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A list could not be read whole: `InventoryError`, with a sentence for people."""

    reason: str


Kind = (
    type[a.Taken]
    | type[a.NotSent]
    | type[a.Throttled]
    | type[a.Unauthenticated]
    | type[a.Rejected]
    | type[a.Conflicted]
    | type[a.InDoubt]
    | type[a.Running]
    | type[a.Finished]
    | type[a.Collapsed]
    | type[a.Unreadable]
    | type[a.Untrackable]
    | type[a.Seen]
    | type[a.Gone]
    | type[Listed]
    | type[Unlisted]
)
Facts = Mapping[str, object]
"""Fields of an answer by their path: `report.result.status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is documented: the answer's kind, the fields that matter, and the state that follows.

    `then` is a public state name, with `: reason` behind it where there is one. `attempt` is how
    the intent's row ends, for submits.
    """

    kind: Kind
    then: str
    facts: Facts = field(default_factory=dict)
    attempt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One behaviour. `name` says what Azure or the network does, and is unique within `ask`.

    `asked` is how many requests our client begins; `warm`: an earlier read left its connection
    open. `late`: the request's time was over before.
    """

    ask: Ask
    name: str
    plays: tuple[Play, ...]
    outcome: Outcome
    asked: int = 1
    warm: bool = False
    late: bool = False

    @property
    def id(self) -> str:
        """Return how a test names it."""
        return f"{self.ask.name.lower()}: {self.name}"


# ----------------------------------------------------------------------- outcomes of the one POST


def taken(**facts: object) -> Outcome:
    """202 with a usable URL: accepted (design 5.4)."""
    known = {"activity": OPERATION, "http_status": 202}
    return Outcome(kind=a.Taken, facts=known | facts, then="in_progress", attempt="accepted")


def by(*, status: bool = True, location: bool = True) -> Facts:
    """Which of the two URLs of a 202 are kept."""
    return {
        "tracker.status_url": STATUS_URL if status else "",
        "tracker.location_url": LOCATION_URL if location else "",
    }


def doubt(status: int | None = None, activity: str | None = None) -> Outcome:
    """Whatever proves nothing: Azure may have taken it, so it is only looked for (design 5.4)."""
    return Outcome(
        kind=a.InDoubt,
        facts={"http_status": status, "activity": activity},
        then="unknown: no_answer" + (", its id known" if activity else ""),
        attempt="unknown",
    )


def refused(status: int, code: str) -> Outcome:
    """A 4xx that proves to be ARM's own (design 5.4)."""
    facts = {"http_status": status, "code": code}
    return Outcome(kind=a.Rejected, facts=facts, then="failed: rejected", attempt="refused")


def conflict(kind: Conflict, code: str) -> Outcome:
    """409: refused, or ours is running already; only a look tells (azure-facts 6)."""
    return Outcome(
        kind=a.Conflicted,
        facts={"conflict": kind, "code": code},
        then=f"unknown: conflict ({kind})",
        attempt="unknown",
    )


def held_back(seconds: float) -> Outcome:
    """429: nothing was done, and no attempt is lost (design 5.4)."""
    facts = {"retry_after": timedelta(seconds=seconds)}
    then = f"queued: throttled for {seconds:g} s"
    return Outcome(kind=a.Throttled, facts=facts, then=then, attempt="refused")


def no_credentials() -> Outcome:
    """401: nothing ran, and the VM is not to blame (design 5.4)."""
    return Outcome(kind=a.Unauthenticated, then="queued: credentials", attempt="refused")


def not_sent() -> Outcome:
    """Proved that no byte left (design 5.4)."""
    facts = {"abandoned": False}
    return Outcome(kind=a.NotSent, facts=facts, then="queued: not_sent", attempt="not_sent")


def abandoned() -> Outcome:
    """Its time was over before its first byte (design 5.2)."""
    facts = {"abandoned": True}
    return Outcome(kind=a.NotSent, facts=facts, then="queued: not_sent", attempt="abandoned")


# ------------------------------------------------------------------------------ outcomes of a read


def wait(seconds: float | None) -> timedelta | None:
    """Return how long Azure asks us to wait, or None where it does not ask."""
    return None if seconds is None else timedelta(seconds=seconds)


def running(seconds: float | None = None) -> Outcome:
    """No terminal word: it still runs (azure-facts 3)."""
    return Outcome(kind=a.Running, facts={"retry_after": wait(seconds)}, then="in_progress")


def told_nothing(status: int | None = None, seconds: float | None = None) -> Outcome:
    """It was the reading that failed; the operation goes on (azure-facts 3)."""
    facts = {"http_status": status, "retry_after": wait(seconds)}
    return Outcome(kind=a.Unreadable, facts=facts, then="in_progress")


def read_slower(seconds: float) -> Outcome:
    """429 on a poll: the reading waits, the operation does not (azure-facts 4)."""
    return Outcome(kind=a.Throttled, facts={"retry_after": wait(seconds)}, then="in_progress")


def by_view(status: int | None) -> Outcome:
    """This URL will not tell: the instance view is read instead (azure-facts 8)."""
    return Outcome(
        kind=a.Untrackable, facts={"http_status": status}, then="in_progress, by instance view"
    )


def ended(then: str, **result: object) -> Outcome:
    """The operation Succeeded; its body says what that means (azure-facts 5.1, layer 3)."""
    facts = {f"report.result.{name}": value for name, value in result.items()}
    return Outcome(kind=a.Finished, facts=facts, then=then)


def without_result() -> Outcome:
    """The operation Succeeded and its result is nowhere: no success unseen (reliability 41)."""
    return Outcome(kind=a.Finished, facts={"report": None}, then="verifying, by instance view")


def collapsed(then: str, status: str, code: str, **facts: object) -> Outcome:
    """The operation itself ended badly (azure-facts 5.1, layer 2)."""
    known = {"status": status, "code": code}
    return Outcome(kind=a.Collapsed, facts=known | facts, then=then)


def seen(then: str = "submitting", **facts: object) -> Outcome:
    """The VM was seen; the state follows as for a VM that is about to be patched (design 5.0)."""
    return Outcome(kind=a.Seen, facts=facts, then=then)


def gone() -> Outcome:
    """Azure itself says that there is no such VM."""
    return Outcome(kind=a.Gone, then="skipped: not_found")


def unseen(status: int | None = None, seconds: float | None = None) -> Outcome:
    """A look that told nothing: the VM waits, and nothing is concluded."""
    facts = {"http_status": status, "retry_after": wait(seconds)}
    return Outcome(kind=a.Unreadable, facts=facts, then="queued: unreachable")


def look_later(seconds: float) -> Outcome:
    """429 on a look: the VM waits as long as Azure asks."""
    facts = {"retry_after": wait(seconds)}
    return Outcome(kind=a.Throttled, facts=facts, then=f"queued: throttled for {seconds:g} s")


def listed(*names: str) -> Outcome:
    """The list came to its end."""
    return Outcome(kind=Listed, facts={"names": names}, then="the targets are chosen among them")


def unlisted(why: str) -> Outcome:
    """The list is not whole: half a fleet is never taken for the fleet."""
    what = f"the virtual machines of subscription {SUBSCRIPTION}"
    reason = f"Azure did not list {what}: {why}"
    return Outcome(kind=Unlisted, facts={"reason": reason}, then="no run is opened")


# ---------------------------------------------------------------------------------- small scripts


def answer(status: int, *lines: Line, body: bytes | str = b"") -> Answer:
    """Say a plain answer."""
    content = body.encode() if isinstance(body, str) else body
    return Answer(status=status, lines=lines, body=content)


BY_ARM: Final[Line] = ("x-ms-request-id", OPERATION)
STATUS: Final[Line] = ("azure-asyncoperation", STATUS_URL)
LOCATION: Final[Line] = ("location", LOCATION_URL)
JSON: Final[Line] = ("content-type", "application/json; charset=utf-8")
HTML: Final[Line] = ("content-type", "text/html")
ACCEPTED: Final = answer(202, STATUS, LOCATION, BY_ARM)

PROXY_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Blocked by policy</h1></body></html>"
LIST_URL: Final = (
    f"{ORIGIN}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
    "?api-version=2025-04-01"
)
