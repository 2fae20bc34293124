"""The driver of one run: plan, write the decisions, hand out the commands, wait. It decides
nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from orchestrator.domain.answer import Tracker
from orchestrator.domain.deciding import write
from orchestrator.domain.lanes import Errand
from orchestrator.domain.model import AttemptId, Run, VmId
from orchestrator.domain.operation import Dropped, Withdrawn
from orchestrator.domain.record import Lease, Snapshot
from orchestrator.domain.rollout import (
    Await,
    Command,
    Drop,
    Look,
    Plan,
    Poll,
    Recover,
    Restart,
    Start,
    Survey,
    plan,
)
from orchestrator.domain.steering import apply
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import Visit
from orchestrator.domain.wave_acts import must_wait
from orchestrator.domain.words import spanned
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.follow import Follower
from orchestrator.engine.gatekeeper import Gatekeeper
from orchestrator.engine.hands import Hands
from orchestrator.engine.permits import Permits
from orchestrator.engine.restart import Restarter
from orchestrator.engine.rewinds import Rewinds
from orchestrator.engine.submit import Submitter
from orchestrator.engine.survey import Surveyor
from orchestrator.engine.visitor import Visitor
from orchestrator.engine.waiting import changed_or_slept
from orchestrator.ports import StoreUnavailableError

_BUG = "a bug, see the log"
READERS = 100
"""How many reads of one run wait for Azure together: as many as there are connections."""
_SHORTEST = timedelta(milliseconds=10)
"""What falls due within this time is done in one step: a plan for each of thousands of polls a
second would cost more than the polls."""


class Driver:
    """Drives one run under one lease. Safe to kill at any moment: the rows say everything."""

    def __init__(self, doors: Doors, lease: Lease, snapshot: Snapshot) -> None:
        self._store = doors.store
        self._clock = doors.clock
        self._name = doors.name
        self._observer = doors.observer
        self._rhythm = doors.rhythm
        self.view = RunView(snapshot)
        self.book = Book(doors, lease, self.view)
        self._follower = Follower(doors, self.book)
        self._submitter = Submitter(doors, self.book)
        self._restarter = Restarter(doors, self.book)
        self._surveyor = Surveyor(doors, self.book)
        self._visitor = Visitor(doors, self.book)
        self._gatekeeper = Gatekeeper(doors, self.book)
        self._permits = Permits(doors.throttle, self.view)
        self._readers: Hands[_Read] = Hands("read", READERS, self._read)
        self._wakes_at: datetime | None = None
        self._stopping = self._settling = False
        self.stepped = asyncio.Event()
        """Set once everything that waited for this driver, people's acts too, was looked at."""
        self._rewinds = Rewinds(self._clock)
        self._acts_at = self._clock.now()
        self._checkpoint_at = self._clock.now() + self._rhythm.checkpoint

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.view.run

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do here: the run has ended, or it is not ours any more.

        An ended run may have a VM whose late end is being verified. For those that still need a
        person nobody waits here: the run is taken up again when a look is due.
        """
        if self.book.lost is not None or self.run.closed_at is None:
            return self.book.lost is not None
        verifying = any(tally.in_flight for tally in self.view.tallies())
        return not (self.view.in_hand or verifying)

    def stop(self) -> None:
        """Start nothing more; `drive` returns when what is in hand has been answered."""
        self._stopping = True
        self.book.stopping = True
        self.book.changed.set()

    def nudge(self) -> None:
        """Look for acts now: somebody has just written one."""
        self._acts_at = self._clock.now()
        self.book.changed.set()

    async def drive(self) -> None:
        """Drive the run until it is over or `stop` is called."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping and self.book.lost is None:
                self.book.changed.clear()
                wake_at = await self._try_step(group)
                if self.over:
                    break
                seconds = self._seconds_until(wake_at)
                self._wakes_at = self._clock.now() + timedelta(seconds=seconds)
                await changed_or_slept(group, self.book.changed, self._clock, seconds)
        if self.book.lost is None:
            await self.book.checkpoint()

    async def _try_step(self, group: asyncio.TaskGroup) -> datetime | None:
        try:
            return (await self.step(group)).wake_at
        except StoreUnavailableError as error:
            self._observer.troubled("database", str(error))
            return self._clock.now() + self._rhythm.acts
        except Exception as error:  # noqa: BLE001 - likewise, and other runs go on
            self._observer.crashed(f"run {self.run.id}", error)
            self.book.lose(_BUG)
            return None

    async def step(self, group: asyncio.TaskGroup) -> Plan:
        """Apply what people asked for, write what is decided, and hand out everything due now.

        Nothing is planned by a book that is lost: its view is not what the rows say.
        """
        self._heed_the_clock()
        await self._apply_acts()
        await self._checkpoint()
        while self.book.lost is None:
            now = self._clock.now()
            self.view.advance(now)
            todo = plan(self.view, now)
            self._hand_out(group, todo.commands, now)
            for reading in todo.readings:
                self._gatekeeper.send(group, reading)
            if not todo.decisions:
                self.stepped.set()
                return todo
            for decision in todo.decisions:
                if not await self.book.record(write(self.view, decision, now)):
                    break
        return Plan((), (), None)

    def _heed_the_clock(self) -> None:
        """Else everything that was planned would rest for as long as the clock was set back."""
        back = self._rewinds.since_last()
        if back is not None:
            self._acts_at -= back
            self._checkpoint_at -= back
            self.view.rewind(back)
            self._observer.troubled("clock", f"it was set back by {spanned(back)}")

    async def settle(self) -> None:
        """Wait until nothing is in hand: for those who turn the clock themselves."""
        self._settling = True
        while self.view.in_hand or self.view.gates.in_hand:
            self.book.changed.clear()
            if self.view.in_hand or self.view.gates.in_hand:
                await self.book.changed.wait()

    # --------------------------------------------------------------------------------- commands

    def _hand_out(
        self, group: asyncio.TaskGroup, commands: Sequence[Command], now: datetime
    ) -> None:
        """Set to work on every command that Azure's buckets have tokens for."""
        polls: list[Poll | Await] = []
        for command in commands:
            lane = self.view.lane(command.op.target.vm_id)
            if not self._permits.granted(command, lane, now):
                continue
            self._note_lateness(command, now)
            self.view.take(command.op.target.vm_id)
            if lane is not None and lane.errand is Errand.POLL and isinstance(command, _ASKING):
                polls.append(command)
            elif isinstance(command, _READING):
                self._readers.give(group, (command, None))
            else:
                group.create_task(self._obey(command), name=f"{type(command).__name__}")
        if polls:
            group.create_task(self._fetch(group, polls), name="fetch operation URLs")

    def _note_lateness(self, command: Command, now: datetime) -> None:
        if isinstance(command, Poll | Look):
            watch = self.view.watches.get(command.op.target.vm_id)
            if watch is not None:
                self._observer.late((now - watch.next_at).total_seconds())

    async def _fetch(self, group: asyncio.TaskGroup, polls: Sequence[Poll | Await]) -> None:
        """Read the operation URLs of many polls in one go: signed ones are too large to be kept in
        memory for a whole fleet (design 13)."""
        trackers = await self._trackers(polls)
        for poll in polls:
            if trackers is None:
                self._return(poll.op.target.vm_id, self._clock.now() + self._rhythm.acts)
            else:
                self._readers.give(group, (poll, trackers.get(poll.state.attempt)))

    async def _trackers(self, polls: Sequence[Poll | Await]) -> Mapping[AttemptId, Tracker] | None:
        try:
            return await self._store.trackers([poll.state.attempt for poll in polls])
        except StoreUnavailableError as error:
            self._observer.troubled("database", str(error))
        except Exception as error:  # noqa: BLE001 - as in `_obey`
            self._observer.crashed("fetch operation URLs", error)
            self.book.lose(_BUG)
        return None

    async def _read(self, read: "_Read") -> None:
        """Read, unless there is nobody any more who would use the answer."""
        command, tracker = read
        if self._stopping or self.book.lost is not None:
            self._return(command.op.target.vm_id, None)
        else:
            await self._obey(command, tracker)

    async def _obey(self, command: Command, tracker: Tracker | None = None) -> None:
        vm, again = command.op.target.vm_id, None
        try:
            if self.view.ops[vm] is command.op:  # else it has moved while it waited for a hand
                await self._do(command, tracker)
        except StoreUnavailableError as error:
            self._observer.troubled("database", str(error))
            # Else it would be due at once, again and again.
            again = self._clock.now() + self._rhythm.acts
        except Exception as error:  # noqa: BLE001 - a bug here must not cut a neighbour's request
            self._observer.crashed(f"{type(command).__name__} {vm}", error)
            self.book.lose(_BUG)
        finally:
            self._return(vm, again, quiet=isinstance(command, Poll | Await | Look))

    def _return(self, vm: VmId, again: datetime | None, *, quiet: bool = False) -> None:
        """Let an operation go from the hand. A read after which nothing has changed wakes nobody
        who would not come too late."""
        self.view.give_back(vm)
        if again is not None:
            self.view.postpone(vm, again)
        if not quiet or self._is_late() or self._is_waited_for():
            self.book.changed.set()

    def _is_late(self) -> bool:
        """Tell whether the next step is too far away for what falls due before it."""
        due = self.view.next_due(self._clock.now())
        return due is not None and (self._wakes_at is None or due + _SHORTEST < self._wakes_at)

    def _is_waited_for(self) -> bool:
        """Tell whether nothing is in hand any more, and that is what somebody waits for: a run is
        closed only then, and left when it is closed."""
        if self.view.in_hand:
            return False
        return self._settling or all(tally.settled for tally in self.view.tallies())

    async def _do(self, command: Command, tracker: Tracker | None) -> None:
        match command:
            case Start(op):
                await self._submitter.start(op)
            case Restart() | Await():
                await self._do_restart(command, tracker)
            case Poll() if self.view.in_hand.get(command.op.target.vm_id) is Errand.VIEW:
                await self._follower.poll_by_view(command)
            case Poll():
                await self._follower.poll(command, tracker)
            case Look():
                await self._follower.look(command)
            case Recover():
                await self._follower.recover(command)
            case Survey(op):
                await self._surveyor.survey(op)
            case Visit(op):
                await self._visitor.visit(op)
            case Drop(op, cancelled, why):
                now = self._clock.now()
                event = Withdrawn(now, why) if cancelled else Dropped(now, why)
                await self.book.moved(self.book.move(op, event))

    async def _do_restart(self, command: Restart | Await, tracker: Tracker | None) -> None:
        if isinstance(command, Restart):
            await self._restarter.start(command)
        else:
            errand = self.view.in_hand.get(command.op.target.vm_id)
            await self._restarter.follow(command, errand, tracker)

    # ------------------------------------------------------------------------------------ waits

    async def _apply_acts(self) -> None:
        now = self._clock.now()
        if now < self._acts_at:
            return
        self._acts_at = now + self._rhythm.acts
        heed = await self._store.heed(self.run.id)
        self.view.brake = heed.brake
        self.view.distrust(heed.safe_mode)
        self.view.thaw(heed.freezes)
        if kinds := self.view.slots.shared:
            self.view.slots.hear(await self._store.slots_elsewhere(self.run.id, kinds, now))
        for act in heed.acts:
            if must_wait(self.view, act):
                continue
            if not await self.book.record(apply(self.view, act, self._clock.now(), self._name)):
                return

    async def _checkpoint(self) -> None:
        now = self._clock.now()
        if now >= self._checkpoint_at:
            self._checkpoint_at = now + self._rhythm.checkpoint
            await self.book.checkpoint()

    def _seconds_until(self, wake_at: datetime | None) -> float:
        """Return how long to sleep after a step: until what it planned for, or a lane that it had
        to hold is let go."""
        now = self._clock.now()
        times = (self._acts_at, self._checkpoint_at, wake_at, self.view.next_due(now))
        soonest = min(time for time in times if time is not None)
        return max(_SHORTEST, soonest - now).total_seconds()


_ASKING = (Poll, Await)
"""Named here: a union that is spelt in a test is made anew for each command."""
_READING = (*_ASKING, Look, Survey, Visit)
_Read = tuple[Poll | Await | Look | Survey | Visit, Tracker | None]
"""What the readers do; a poll by URL brings its URLs."""
