"""A run in memory: its rows, kept up to date write by write, with the indexes that `plan` asks for.

It decides nothing. At every moment it equals the view built afresh from the same rows (a property
test holds that).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush

from orchestrator.domain.model import Run, VmId, Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.polling import attention_at, pace
from orchestrator.domain.record import Brake, SafeMode, Snapshot, Watch
from orchestrator.domain.states import (
    InFlight,
    InProgress,
    NeedsHuman,
    Preparing,
    Queued,
    Unknown,
    Verifying,
)
from orchestrator.domain.tally import Tally

Place = tuple[str, str]
"""A subscription and a region: where a breaker trips."""


class RunView:
    """One run and its operations, indexed by what falls due and by what may be started."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.run: Run = snapshot.run
        self.waves: dict[int, Wave] = {wave.position: wave for wave in snapshot.waves}
        self.ops: dict[VmId, Operation] = {}
        self.watches: dict[VmId, Watch] = dict(snapshot.watches)
        self.in_hand: set[VmId] = set()
        """Operations on which the engine works at this moment: `plan` leaves them alone."""
        self.unreachable_since: datetime | None = None
        """Since when no request to Azure was answered; None while Azure is there."""
        self.silence: timedelta = timedelta(0)
        """How long Azure had not answered at the last request in vain."""
        self.brake: Brake | None = None
        """The fleet-wide halt, as it was last read; the intent's transaction reads it anew."""
        self.safe_mode: SafeMode | None = None
        """Whether the database is believed, as it was last read; the intent reads it anew, too."""
        self.surveyed: set[VmId] = set()
        """The VMs that were looked at in this safe mode (`surveying`)."""
        self.forgotten: set[VmId] = set()
        """Those of them with an installation that the database does not know."""
        self._survey_at: dict[VmId, datetime] = {}
        self._crowds: Counter[str] = Counter()
        self._tallies: dict[int, Tally] = {position: Tally() for position in self.waves}
        self._doubtful: dict[Place, set[VmId]] = {}
        self._ready: dict[int, dict[VmId, None]] = {position: {} for position in self.waves}
        self._due: dict[VmId, None] = {}
        self._agenda: list[tuple[datetime, VmId]] = []
        self._when: dict[VmId, datetime] = {}
        self._begun: set[VmId] = set()
        for op in snapshot.operations:
            self._forget_the_past(op)
            self.put(op)

    # ------------------------------------------------------------------ writing

    def put(self, op: Operation) -> None:
        """Take in an operation's newest row."""
        vm = op.target.vm_id
        if (old := self.ops.get(vm)) is not None:
            self._tallies[old.wave].count(old, self.waves[old.wave].spec, -1)
            self._crowds[old.target.subscription_id] -= isinstance(old.state, InFlight)
        self.ops[vm] = op
        self._crowds[op.target.subscription_id] += isinstance(op.state, InFlight)
        self._tallies[op.wave].count(op, self.waves[op.wave].spec)
        self._index_doubt(op)
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

    def take(self, vm: VmId) -> None:
        """Put an operation into the engine's hand."""
        self.in_hand.add(vm)
        if isinstance(self.ops[vm].state, Queued):
            self._begun.add(vm)

    def give_back(self, vm: VmId) -> None:
        """Take it out of the engine's hand again."""
        self.in_hand.discard(vm)
        self._begun.discard(vm)
        self._schedule(self.ops[vm])

    def advance(self, now: datetime) -> None:
        """Move everything whose time has come from the agenda to what is due or ready."""
        while self._agenda and self._agenda[0][0] <= now:
            when, vm = heappop(self._agenda)
            if self._when.get(vm) != when:
                continue  # it was scheduled anew since
            del self._when[vm]
            op = self.ops[vm]
            if isinstance(op.state, Queued):
                self._ready[op.wave][vm] = None
            else:
                self._due[vm] = None

    def distrust(self, safe_mode: SafeMode | None) -> None:
        """Take in whether the database is believed; each safe mode has a survey of its own."""
        if safe_mode != self.safe_mode:
            self.surveyed, self.forgotten, self._survey_at = set(), set(), {}
        self.safe_mode = safe_mode

    def survey_later(self, vm: VmId, at: datetime) -> None:
        """Look at a VM of the survey again then: it could not be read."""
        self._survey_at[vm] = at

    # ------------------------------------------------------------------ reading

    def unsurveyed(self, now: datetime) -> Iterator[Operation]:
        """Yield the queued operations that safe mode has not looked at, and may look at now."""
        for op in self.queued():
            vm = op.target.vm_id
            if vm not in self.surveyed and self._survey_at.get(vm, now) <= now:
                yield op

    def survey_ends(self) -> bool:
        """Tell whether no queued VM is left that safe mode has not looked at."""
        return all(
            vm in self.surveyed
            for vm, op in self.ops.items()
            if isinstance(op.state, Queued | Preparing)
        )

    def survey_at(self, now: datetime) -> datetime | None:
        """Return when the next VM of the survey may be looked at again."""
        return min((at for at in self._survey_at.values() if at > now), default=None)

    def tally(self, wave: int) -> Tally:
        """Return the counts of a wave."""
        return self._tallies[wave]

    def tallies(self) -> Iterable[Tally]:
        """Return the counts of all waves."""
        return self._tallies.values()

    def busy(self, wave: int) -> int:
        """Return how many slots of a wave are taken: in flight, or begun and not yet written."""
        begun = sum(
            self.ops[vm].wave == wave and isinstance(self.ops[vm].state, Queued)
            for vm in self._begun
        )
        return self._tallies[wave].in_flight + begun

    def due(self) -> Iterator[Operation]:
        """Yield what wants attention now and is in nobody's hand."""
        return (self.ops[vm] for vm in self._due if vm not in self.in_hand)

    def ready(self, wave: int) -> Iterator[Operation]:
        """Yield the queued operations of a wave that may be begun now, in their order."""
        return (self.ops[vm] for vm in self._ready[wave] if vm not in self.in_hand)

    def queued(self, wave: int | None = None) -> Iterator[Operation]:
        """Yield all queued operations, of one wave or of all, that are in nobody's hand."""
        for vm, op in self.ops.items():
            if isinstance(op.state, Queued) and vm not in self.in_hand and wave in {None, op.wave}:
                yield op

    def interval(self, op: Operation) -> timedelta:
        """Return the time between two polls of an operation, as its subscription is crowded now."""
        return pace(self.run.plan.tracking, self._crowds[op.target.subscription_id])

    def doubtful(self, place: Place) -> int:
        """Return how many VMs of a place are unknown or ended without a trace: what the breaker
        counts."""
        return len(self._doubtful.get(place, ()))

    def unknown(self, place: Place) -> int:
        """Return how many VMs of a place are unknown at this moment."""
        return sum(isinstance(self.ops[vm].state, Unknown) for vm in self._doubtful.get(place, ()))

    def next_due(self) -> datetime | None:
        """Return when the next operation falls due, however far away."""
        while self._agenda and self._when.get(self._agenda[0][1]) != self._agenda[0][0]:
            heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def indexes(self) -> Mapping[str, object]:
        """Return everything derived, for the test that compares a lived view with a fresh one."""
        return {
            "tallies": {
                position: (dict(+t.labels), t.bad, t.in_flight)
                for position, t in self._tallies.items()
            },
            "crowds": dict(+self._crowds),
            "doubtful": {place: vms for place, vms in self._doubtful.items() if vms},
            "ready": {position: set(vms) for position, vms in self._ready.items()},
            "due": set(self._due),
            "when": self._when,
        }

    # ------------------------------------------------------------------ indexes

    def _forget_the_past(self, op: Operation) -> None:
        """Polling state is checkpointed now and then: what was planned before an operation reached
        its state (an hour's rest before a person, say) holds no more. It is due at once."""
        watch, state = self.watches.get(op.target.vm_id), op.state
        if watch is None or not isinstance(state, Unknown | InProgress | Verifying | NeedsHuman):
            return
        if watch.last_at is None or watch.last_at < state.since:
            self.watches[op.target.vm_id] = replace(watch, next_at=state.since)

    def _schedule(self, op: Operation) -> None:
        vm = op.target.vm_id
        self._unschedule(vm)
        if vm in self.in_hand:
            return
        when = attention_at(op.state, self.watches.get(vm), self.run.plan.tracking)
        if when is not None:
            self._note(vm, when)
        elif isinstance(op.state, Queued):
            self._ready[op.wave][vm] = None

    def _note(self, vm: VmId, when: datetime) -> None:
        self._when[vm] = when
        heappush(self._agenda, (when, vm))

    def _unschedule(self, vm: VmId) -> None:
        self._due.pop(vm, None)
        self._when.pop(vm, None)
        self._ready[self.ops[vm].wave].pop(vm, None)

    def _index_doubt(self, op: Operation) -> None:
        place = place_of(op)
        traceless = isinstance(op.state, NeedsHuman) and op.state.why.code == "no_trace"
        vms = self._doubtful.setdefault(place, set())
        if isinstance(op.state, Unknown) or traceless:
            vms.add(op.target.vm_id)
        else:
            vms.discard(op.target.vm_id)


def place_of(op: Operation) -> Place:
    """Return the subscription and region of an operation's VM."""
    return op.target.subscription_id, op.target.region
