"""A run in memory: its rows, kept up to date write by write, with the indexes that `plan` asks for.

It decides nothing. At every moment it equals the view built afresh from the same rows (a property
test holds that).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Final

from orchestrator.domain.coming import Coming
from orchestrator.domain.course import Course
from orchestrator.domain.doubts import Doubts
from orchestrator.domain.gating import GateWatch
from orchestrator.domain.lanes import Errand, Lane, Lanes, Place, errand_of, place_of
from orchestrator.domain.model import Freeze, Run, VmId, Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.outlook import Outlook
from orchestrator.domain.polling import Pacing, attention_at
from orchestrator.domain.ready import Line, Ready, line_of
from orchestrator.domain.record import Brake, SafeMode, Snapshot, Watch
from orchestrator.domain.slots import Slots
from orchestrator.domain.states import (
    InFlight,
    InProgress,
    NeedsHuman,
    Preparing,
    Queued,
    Rebooting,
    RebootQueued,
    Submitting,
    Unknown,
    Verifying,
)
from orchestrator.domain.surveying import Survey
from orchestrator.domain.tally import Tally
from orchestrator.domain.vigil import Vigil

_ONE_BY_ONE: Final = 1_000
_FOLLOWED: Final = (Unknown, InProgress, Verifying, Rebooting, NeedsHuman)
_WAITING: Final = (Queued, RebootQueued)
_TRYING: Final = (Preparing, Submitting, Unknown)
"""Named here: a union that is spelt in a test of a state is made anew for each operation."""


class RunView:
    """One run and its operations, indexed by what falls due and by what may be started."""

    freezes: tuple[Freeze, ...] = ()
    """When nothing may start, as it was last read; the intent reads it anew, too. An emergency run
    that somebody approved has none."""
    unreachable_since: datetime | None
    """Since when no request to Azure was answered; None while Azure is there."""
    silence: timedelta
    """How long Azure had not answered at the last request in vain."""
    brake: Brake | None
    """The fleet-wide halt, as it was last read; the intent's transaction reads it anew."""
    safe_mode: SafeMode | None
    """Whether the database is believed, as it was last read; the intent reads it anew, too."""
    survey: Survey
    """How far safe mode's look at the queued VMs has come."""
    vigil: Vigil
    """How far the looks at VMs of a wave that bakes have come."""
    gates: GateWatch
    """What was read of gates."""
    doubts: Doubts
    """Where requests are of unknown fate."""
    slots: Slots
    """Who holds the slots of each limited group."""
    course: Course
    """How the VMs of all waves ended, in their order."""
    courses: dict[int, Course]
    """The same of each wave."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.run: Run = snapshot.run
        self.waves: dict[int, Wave] = {wave.position: wave for wave in snapshot.waves}
        self.ops: dict[VmId, Operation] = {}
        self.watches: dict[VmId, Watch] = dict(snapshot.watches)
        self.in_hand: dict[VmId, Errand | None] = {}
        """Operations on which the engine works at this moment, and for which errand, where it is
        one: `plan` leaves them alone."""
        self.unreachable_since = self.brake = self.safe_mode = None
        self.silence = timedelta(0)
        self.survey, self.vigil, self.gates = Survey(()), Vigil(), GateWatch()
        self.outlook = Outlook(
            self.run.plan.tracking,
            {position: wave.spec.reboot for position, wave in self.waves.items()},
        )
        self.doubts = Doubts()
        self.slots = Slots(self.run.plan.limits, snapshot.operations)
        self.course = Course(self.run.plan.allow_failures)
        self.courses = {
            position: Course(wave.spec.allow_failures) for position, wave in self.waves.items()
        }
        self._crowds: Counter[str] = Counter()
        self._tallies: dict[int, Tally] = {position: Tally() for position in self.waves}
        self._trying: Counter[Place] = Counter()
        self.coming = Coming(self.waves)
        self._queued: dict[VmId, None] = {}
        self._lanes = Lanes()
        self._ready = Ready(self.slots)
        self._hands: Counter[Errand] = Counter()
        self._agenda: list[tuple[datetime, VmId]] = []
        self._when: dict[VmId, datetime] = {}
        self._begun: set[VmId] = set()
        self._take_in(snapshot.operations)

    def _take_in(self, operations: Iterable[Operation]) -> None:
        for op in operations:
            self._forget_the_past(op)
            self.put(op)

    # ------------------------------------------------------------------ writing

    def put(self, op: Operation) -> None:
        """Take in an operation's newest row."""
        vm = op.target.vm_id
        if (old := self.ops.get(vm)) is not None:
            self._count(old, -1)
        self.ops[vm] = op
        self._count(op, 1)
        for course in (self.course, self.courses[op.wave]):
            course.follow(old, op, self.waves[op.wave].spec)
        self.outlook.learn(old, op)
        if isinstance(op.state, _WAITING):
            self._queued[vm] = None
        else:
            self._queued.pop(vm, None)
        self.slots.put(op, begun=vm in self._begun)
        self.doubts.put(op)
        if self.safe_mode is not None:
            self.survey.put(op)
        self._schedule(op)

    def watch(self, vm: VmId, watch: Watch) -> None:
        """Take in the polling state of an operation."""
        self.watches[vm] = watch
        self._schedule(self.ops[vm])

    def postpone(self, vm: VmId, until: datetime) -> None:
        """Leave an operation alone until then, without a word to the database: its request was not
        permitted yet."""
        self._unschedule(vm)
        self._note(vm, until)

    def hold(self, lane: Lane, until: datetime) -> None:
        """Leave a whole lane alone until then: its place has no token left."""
        if (line := line_of(lane)) is not None:
            self._ready.hold(line, lane.place, until)
        else:
            self._lanes.hold(lane, until)

    def rewind(self, by: timedelta) -> None:
        """Bring back what was planned, after the wall clock was set back by so much."""
        for vm, watch in self.watches.items():
            self.watches[vm] = replace(watch, next_at=watch.next_at - by)
        self._lanes.let_go()
        self._ready.let_go()
        for op in self.ops.values():
            self._schedule(op)

    def take(self, vm: VmId) -> None:
        """Put an operation into the engine's hand."""
        lane = self.lane(vm)
        errand = lane.errand if lane else None
        if lane is not None:
            self._hands[lane.errand] += 1
        self._unschedule(vm)
        self.in_hand[vm] = errand
        if isinstance(self.ops[vm].state, _WAITING):
            self._begun.add(vm)
            self.slots.put(self.ops[vm], begun=True)

    def give_back(self, vm: VmId) -> None:
        """Take it out of the engine's hand again."""
        errand = self.in_hand.pop(vm, None)
        if errand is not None:
            self._hands[errand] -= 1
        self._begun.discard(vm)
        self.slots.put(self.ops[vm], begun=False)
        self._schedule(self.ops[vm])

    def advance(self, now: datetime) -> None:
        """Move everything whose time has come from the agenda into its lane, and begin the round
        of looks whose time has come."""
        self.slots.expire(now)
        self.vigil.keep(self.waves.values(), self.ops.values(), now)
        for when, vm in self._come(now):
            if self._when.get(vm) == when:  # else it was scheduled anew since
                del self._when[vm]
                self._line_up(self.ops[vm])

    def _come(self, now: datetime) -> Iterator[tuple[datetime, VmId]]:
        """Take off the agenda what has come, in its order. After a restart that may be all of it,
        and to sort that costs a fifth of taking it one by one."""
        for _ in range(_ONE_BY_ONE):
            if not self._agenda or self._agenda[0][0] > now:
                return
            yield heappop(self._agenda)
        come = [entry for entry in self._agenda if entry[0] <= now]
        self._agenda = [entry for entry in self._agenda if entry[0] > now]
        heapify(self._agenda)
        yield from sorted(come)

    def thaw(self, freezes: tuple[Freeze, ...]) -> None:
        """Take in when nothing may start, unless an approver let this run override that."""
        self.freezes = () if self.run.approved_by is not None else freezes

    def distrust(self, safe_mode: SafeMode | None) -> None:
        """Take in whether the database is believed; each safe mode has a survey of its own."""
        if safe_mode != self.safe_mode:
            self.safe_mode = safe_mode
            self.survey = Survey(self.ops.values() if safe_mode is not None else ())

    # ------------------------------------------------------------------ reading

    def lane(self, vm: VmId) -> Lane | None:
        """Return the lane in which an operation stands: it is due, or ready to begin."""
        queue = self._ready.of(vm)
        if queue is not None:
            errand = Errand.RESTART if queue.line.restarts else Errand.START
            return Lane(errand, queue.line.wave, queue.place)
        return self._lanes.lane(vm)

    def is_held(self, lane: Lane, now: datetime) -> bool:
        """Tell whether a lane is left alone at this moment."""
        if (line := line_of(lane)) is not None:
            return self._ready.is_held(line, lane.place, now)
        return self._lanes.is_held(lane, now)

    def hands(self, errand: Errand) -> int:
        """Return how many operations are in the engine's hand for an errand."""
        return self._hands[errand]

    def unsurveyed(self, now: datetime) -> Iterator[Operation]:
        """Yield the queued operations that safe mode has not looked at, and may look at now."""
        return (op for op in self.survey.left(now) if op.target.vm_id not in self.in_hand)

    def tally(self, wave: int) -> Tally:
        """Return the counts of a wave."""
        return self._tallies[wave]

    def settled(self, wave: int) -> bool:
        """Tell whether every VM of a wave has ended or needs a person, and none is on its way back
        from there."""
        return self._tallies[wave].settled and not self.coming.any(wave)

    def tallies(self) -> Iterable[Tally]:
        """Return the counts of all waves."""
        return self._tallies.values()

    def busy(self, wave: int) -> int:
        """Return how many slots of a wave are taken: in flight, or begun and not yet written."""
        begun = sum(
            self.ops[vm].wave == wave and isinstance(self.ops[vm].state, _WAITING)
            for vm in self._begun
        )
        return self._tallies[wave].in_flight + begun

    def due(self, errand: Errand, now: datetime) -> Iterator[Operation]:
        """Yield what wants this done now, is in nobody's hand and in no lane that is held."""
        return (self.ops[vm] for vm in self._lanes.going(errand, now))

    def ready(
        self,
        wave: int,
        most: int,
        now: datetime,
        without: Collection[Place],
        beside: Sequence[Operation] = (),
    ) -> Iterator[Operation]:
        """Yield queued operations of a wave that may be begun now, in their order, but for those of
        the places left out; together, with those that are begun beside them, they exceed no
        limit."""
        vms = [op.target.vm_id for op in beside]
        return (self.ops[vm] for vm in self._ready.pick(Line(wave), most, now, without, vms))

    def to_restart(self, wave: int, most: int, now: datetime) -> Iterator[Operation]:
        """Yield the same of operations that wait for their restart."""
        line = Line(wave, restarts=True)
        return (self.ops[vm] for vm in self._ready.pick(line, most, now, ()))

    def probes(self, wave: int, now: datetime, places: Collection[Place]) -> Iterator[Operation]:
        """Yield the first queued operation of a wave that may be begun now in each of these
        places."""
        for place in sorted(places):
            vm = self._ready.first(Line(wave), place, now)
            if vm is not None:
                yield self.ops[vm]

    def queued(self) -> Iterator[Operation]:
        """Yield all operations that wait to be started or restarted and are in nobody's hand."""
        return (self.ops[vm] for vm in self._queued if vm not in self.in_hand)

    def trying(self, place: Place) -> bool:
        """Tell whether a VM of a place is on its way to its request, or of unknown fate."""
        begun = (place_of(self.ops[vm]) for vm in self._begun)
        return self._trying[place] > 0 or place in begun

    def pacing(self, op: Operation) -> Pacing:
        """Return how an operation is to be followed, as its subscription is crowded now."""
        return self.outlook.pacing(op, self._crowds[op.target.subscription_id])

    def crowds(self) -> Mapping[str, int]:
        """Return how many VMs are in flight, by subscription."""
        return self._crowds

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next operation falls due or the next lane is let go, however far
        away."""
        while self._agenda and self._when.get(self._agenda[0][1]) != self._agenda[0][0]:
            heappop(self._agenda)
        times = [
            self._agenda[0][0] if self._agenda else None,
            self._lanes.next_release(now),
            self._ready.next_release(now),
            self.slots.next_expiry(),
        ]
        return min((time for time in times if time is not None), default=None)

    def indexes(self) -> Mapping[str, object]:
        """Return everything derived, for the test that compares a lived view with a fresh one."""
        return {
            "tallies": {
                position: (dict(+t.labels), t.bad, t.in_flight, dict(+t.waiting))
                for position, t in self._tallies.items()
            },
            "crowds": dict(+self._crowds),
            "doubtful": self.doubts.standing(),
            "trying": dict(+self._trying),
            "queued": set(self._queued),
            "lanes": self._lanes.standing(),
            "ready": self._ready.standing(),
            "slots": self.slots.standing(),
            "courses": [c.standing() for c in (self.course, *self.courses.values())],
            "when": self._when,
        }

    # ------------------------------------------------------------------ indexes

    def _forget_the_past(self, op: Operation) -> None:
        """Polling state is checkpointed now and then: what was planned before an operation reached
        its state (an hour's rest before a person, say) holds no more. It is due at once."""
        watch, state = self.watches.get(op.target.vm_id), op.state
        if watch is None or not isinstance(state, _FOLLOWED):
            return
        since = state.since
        if since is not None and (watch.last_at is None or watch.last_at < since):
            self.watches[op.target.vm_id] = replace(watch, next_at=since, by_view=False)

    def _schedule(self, op: Operation) -> None:
        vm = op.target.vm_id
        self._unschedule(vm)
        if vm in self.in_hand:
            return
        when = attention_at(op.state, self.watches.get(vm), self.run.plan.tracking)
        if when is not None:
            self._note(vm, when)
        elif isinstance(op.state, _WAITING):
            self._line_up(op)

    def _note(self, vm: VmId, when: datetime) -> None:
        self._when[vm] = when
        heappush(self._agenda, (when, vm))

    def _line_up(self, op: Operation) -> None:
        vm = op.target.vm_id
        if isinstance(op.state, _WAITING):
            rank = op.rank if op.state.wait is None else None
            line = Line(op.wave, restarts=isinstance(op.state, RebootQueued))
            self._ready.put(vm, line, place_of(op), rank)
        else:
            errand = errand_of(op.state, self.watches.get(vm))
            self._lanes.put(vm, Lane(errand, op.wave, place_of(op)))

    def _unschedule(self, vm: VmId) -> None:
        self._when.pop(vm, None)
        self._lanes.remove(vm)
        self._ready.remove(vm)

    def _count(self, op: Operation, sign: int) -> None:
        spec = self.waves[op.wave].spec
        self._tallies[op.wave].count(op, spec, sign)
        if isinstance(op.state, InFlight):
            self._crowds[op.target.subscription_id] += sign
        if isinstance(op.state, _TRYING):
            self._trying[place_of(op)] += sign
