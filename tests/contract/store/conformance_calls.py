"""The contract of the Store port, call by call: how each method is asked, and what it answers at
first, repeated, without the lease, and after somebody was faster.

It plays nothing: `test_conformance_port.py` does, on both databases.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from orchestrator.domain.model import ActivityId, AttemptId, Freeze, RunId
from orchestrator.domain.operation import Began, Operation
from orchestrator.domain.record import (
    Brake,
    Change,
    GrantKind,
    Lease,
    Rest,
    SafeMode,
    ScheduleState,
    Snapshot,
    Watch,
)
from orchestrator.ports import Refused, Saved, Stale
from orchestrator.store import incarnation
from orchestrator.store.sql import SqlStore
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    a_move,
    a_receipt,
    a_run,
    a_vm,
    an_intent,
)
from tests.contract.store.test_acts import an_act
from tests.contract.store.test_schedules import a_fire

RUN: Final = RunId("run-1")
BRAKE: Final = Brake(at=NOW, actor="ada", because="a bad patch is out")
FREEZE: Final = Freeze(name="Black Week", begins=NOW, ends=LATER)
REST: Final = Rest(plan="monthly", at=NOW, until=None, actor="ada", because="Christmas")
DOUBT: Final = SafeMode(since=NOW, code="older_copy", reason="it is an older copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A run with one VM about to be sent, one that waits, and one that was sent."""

    store: SqlStore
    lease: Lease
    ready: Operation
    waiting: Operation
    attempt: AttemptId
    sent: AttemptId


Ask = Callable[[Scene], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method: how it is asked, and its answers as `said` puts them.

    `lost`: another daemon has the lease. `late`: somebody else was faster with the same thing.
    """

    ask: Ask
    first: object
    again: object
    lost: object
    late: object
    before: Ask | None = None
    """What must be there first."""


def reading(ask: Ask, answer: object, late: object = ...) -> Call:
    """A read: it answers the same however often, with or without a lease, and shows the newest."""
    newest = answer if late is ... else late
    return Call(ask=ask, first=answer, again=answer, lost=answer, late=newest)


async def what_is_overseen(s: Scene) -> object:
    seen = await s.store.overview("daemon-a")
    return seen.others, len(seen.free_runs)


async def urls_of_receipts(s: Scene) -> object:
    found = (await s.store.trackers([s.sent])).values()
    return [len(each.status_url) for each in found]


async def times_of_receipts(s: Scene) -> object:
    return [each.at for each in (await s.store.receipts([s.sent])).values()]


async def what_is_heeded(s: Scene) -> object:
    heed = await s.store.heed(RUN)
    halted = heed.brake.actor if heed.brake else None
    return halted, [act.actor for act in heed.acts], heed.safe_mode


async def runs_in(rows: Awaitable[Sequence[Mapping[str, Any]]]) -> object:
    return [row["run_id"] for row in await rows]


CALLS: Final[Mapping[str, Call]] = {
    "open_run": Call(
        ask=lambda s: s.store.open_run(a_run("run-2", "weekly"), [], [], [], None),
        first="Saved",
        again="Saved",
        lost="Saved",
        late="Refused: already_open",
    ),
    "undriven": reading(lambda s: s.store.undriven(timedelta(minutes=1)), {}, {"run-3": None}),
    "open_run_of": reading(lambda s: s.store.open_run_of("weekly"), None, "run-3"),
    "open_runs": reading(lambda s: s.store.open_runs(), ["run-1"], ["run-1", "run-3"]),
    "late_runs": reading(lambda s: s.store.late_runs(LATER), []),
    "queued_elsewhere": reading(
        lambda s: s.store.queued_elsewhere([a_vm("vm-2")]), {a_vm("vm-2"): "run-1"}, {}
    ),
    "load": reading(
        lambda s: s.store.load(RUN),
        ("Preparing", "Queued", "Submitting"),
        ("Queued", "Skipped", "Submitting"),
    ),
    "record": Call(
        ask=lambda s: s.store.record(s.lease, Change(moves=(a_move(s.waiting, Began(NOW)),))),
        first="Saved",
        again="Stale",
        lost="Stale",
        late="Stale",
    ),
    "intend": Call(
        ask=lambda s: s.store.intend(s.lease, an_intent(s.ready, attempt=s.attempt)),
        first="Saved",
        again="Saved",  # the same intent is there: its first answer was lost on the way
        lost="Stale",
        late="Stale",
    ),
    "slots_elsewhere": reading(
        lambda s: s.store.slots_elsewhere(RunId("another"), ["in_flight"], NOW),
        {"in_flight": 1},
        {"in_flight": 1},
    ),
    "receive": Call(
        ask=lambda s: s.store.receive(a_receipt(s.sent)),
        first=None,
        again=None,
        lost=None,  # a fact needs no lease
        late=None,
    ),
    "accept": Call(
        ask=lambda s: s.store.accept(s.lease, a_receipt(s.sent), Change()),
        first="Saved",
        again="Saved",
        lost="Stale",  # the change needs a lease; the fact is kept all the same
        late="Saved",
    ),
    "trackers": reading(urls_of_receipts, [], [3470]),
    "receipts": reading(times_of_receipts, [], [LATER]),
    "knows": reading(lambda s: s.store.knows(ActivityId("act-1")), answer=False, late=True),
    "is_contested": reading(
        lambda s: s.store.is_contested(a_vm("vm-1"), s.sent), answer=False, late=False
    ),
    "durations": reading(lambda s: s.store.durations(10), []),
    "checkpoint": Call(
        ask=lambda s: s.store.checkpoint(RUN, {a_vm("vm-3"): Watch(next_at=LATER, polls=3)}),
        first=None,
        again=None,
        lost=None,  # polling state may be written over; it decides nothing
        late=None,
    ),
    "overview": Call(ask=what_is_overseen, first=(0, 1), again=(0, 1), lost=(1, 0), late=(0, 2)),
    "claim": Call(
        ask=lambda s: s.store.claim(RUN, "daemon-a", TTL),
        first="epoch 2",
        again="epoch 3",
        lost=None,
        late="epoch 2",
    ),
    "renew": Call(
        ask=lambda s: s.store.renew(s.lease, TTL), first=True, again=True, lost=False, late=True
    ),
    "release": Call(
        ask=lambda s: s.store.release(s.lease), first=None, again=None, lost=None, late=None
    ),
    "ask": Call(
        ask=lambda s: s.store.ask(an_act("a-1")), first=None, again=None, lost=None, late=None
    ),
    "heed": reading(what_is_heeded, (None, [], None), ("eve", ["eve"], None)),
    "brake": reading(lambda s: s.store.brake(), None, "halted by eve"),
    "halt_all": Call(
        ask=lambda s: s.store.halt_all(BRAKE), first=True, again=False, lost=True, late=False
    ),
    "resume_all": Call(
        ask=lambda s: s.store.resume_all(LATER, "ada", "it is pulled"),
        before=lambda s: s.store.halt_all(BRAKE),
        first=True,
        again=False,
        lost=True,
        late=False,
    ),
    "safe_mode": reading(lambda s: s.store.safe_mode(), None),
    "confirm": Call(
        ask=lambda s: s.store.confirm(LATER, "ada", "I have looked"),
        before=lambda s: s.store._write(lambda c: incarnation.enter(c, DOUBT, "daemon-a")),
        first="older_copy",
        again=None,
        lost="older_copy",
        late=None,
    ),
    "freezes": reading(lambda s: s.store.freezes(), ()),
    "replace_freezes": Call(
        ask=lambda s: s.store.replace_freezes("a.yaml", [FREEZE], NOW, "ada"),
        first=True,
        again=False,
        lost=True,
        late=True,
    ),
    "grants": reading(lambda s: s.store.grants(RUN, a_vm("vm-1"), GrantKind.RETRY), 0),
    "queue_fire": Call(
        ask=lambda s: s.store.queue_fire(a_fire()), first=True, again=False, lost=True, late=False
    ),
    "schedule_state": reading(lambda s: s.store.schedule_state("monthly"), ScheduleState()),
    "disable_schedule": Call(
        ask=lambda s: s.store.disable_schedule(REST), first=None, again=None, lost=None, late=None
    ),
    "enable_schedule": Call(
        ask=lambda s: s.store.enable_schedule(REST),
        before=lambda s: s.store.disable_schedule(REST),
        first=True,
        again=False,
        lost=True,
        late=False,
    ),
    "fire": Call(
        ask=lambda s: s.store.fire(a_fire()), first=True, again=False, lost=True, late=False
    ),
    "see_schedule": Call(
        ask=lambda s: s.store.see_schedule("monthly", "a rule", LATER, LATER),
        first=LATER,
        again=LATER,
        lost=LATER,
        late=NOW,  # it was seen before, with this rule
    ),
    "fired": reading(lambda s: s.store.fired("monthly"), [], ["2026-11-22T22:00"]),
    "rows": reading(lambda s: runs_in(s.store.rows("v_runs", plan="weekly")), [], ["run-3"]),
    "events": reading(lambda s: runs_in(s.store.events(RunId("run-3"), 0, 1)), [], ["run-3"]),
}

CHANGES: Final = {
    "again": {"claim", "renew", "disable_schedule"},
    "lost": {
        *(
            "open_run",
            "receive",
            "accept",
            "checkpoint",
            "ask",
            "halt_all",
            "resume_all",
            "confirm",
        ),
        *("fire", "see_schedule", "replace_freezes", "queue_fire"),
        *("disable_schedule", "enable_schedule"),
    },
    "late": {
        *("checkpoint", "claim", "renew", "release"),
        *("replace_freezes", "disable_schedule"),
    },
}
"""The calls that change rows even so: a repeated `claim` has a new epoch, what needs no lease is
written without one, and what nobody else did is done."""


READS: Final = (
    *("open_run_of", "open_runs", "late_runs", "queued_elsewhere", "load", "knows"),
    "is_contested",
    *("trackers", "receipts"),
    *("freezes", "grants", "schedule_state"),
    *("heed", "brake", "safe_mode", "fired", "rows", "events", "overview", "durations"),
)
GROUPS: Final = {"the reads": READS} | {name: (name,) for name in CALLS if name not in READS}
"""What shares a database: reads are in nobody's way."""


def said(answer: object) -> object:
    """Put an answer so that it can be written down."""
    match answer:
        case Refused(code=code):
            return f"Refused: {code}"
        case Saved() | Stale():
            return type(answer).__name__
        case Lease(epoch=epoch):
            return f"epoch {epoch}"
        case Snapshot(operations=operations):
            return tuple(type(op.state).__name__ for op in operations)
        case Brake(actor=actor):
            return f"halted by {actor}"
        case SafeMode(code=code):
            return code
        case _:
            return answer
