"""The driver of one run: plan, write the decisions, hand out the commands, wait. It decides
nothing."""

import asyncio
from datetime import datetime

from orchestrator.domain.deciding import write
from orchestrator.domain.model import Run
from orchestrator.domain.operation import Dropped, Withdrawn
from orchestrator.domain.record import Lease, Snapshot
from orchestrator.domain.rollout import (
    Command,
    Drop,
    Look,
    Plan,
    Poll,
    Recover,
    Start,
    Survey,
    plan,
)
from orchestrator.domain.steering import apply
from orchestrator.domain.throttle import Call
from orchestrator.domain.view import RunView
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.follow import Follower
from orchestrator.engine.submit import Submitter
from orchestrator.engine.survey import Surveyor
from orchestrator.engine.waiting import changed_or_slept
from orchestrator.ports import StoreUnavailableError

_BUG = "a bug, see the log"


class Driver:
    """Drives one run under one lease. Safe to kill at any moment: the rows say everything."""

    def __init__(self, doors: Doors, lease: Lease, snapshot: Snapshot) -> None:
        self._store = doors.store
        self._clock = doors.clock
        self._name = doors.name
        self._observer = doors.observer
        self._throttle = doors.throttle
        self._rhythm = doors.rhythm
        self.view = RunView(snapshot)
        self.book = Book(doors, lease, self.view)
        self._follower = Follower(doors, self.book)
        self._submitter = Submitter(doors, self.book)
        self._surveyor = Surveyor(doors, self.book)
        self._stopping = False
        self.stepped = asyncio.Event()
        """Set once everything that waited for this driver, people's acts too, was looked at."""
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
        await self._apply_acts()
        await self._checkpoint()
        while self.book.lost is None:
            now = self._clock.now()
            self.view.advance(now)
            todo = plan(self.view, now)
            for command in todo.commands:
                self._hand_out(group, command, now)
            if not todo.decisions:
                self.stepped.set()
                return todo
            for decision in todo.decisions:
                if not await self.book.record(write(self.view, decision, now)):
                    break
        return Plan((), (), None)

    async def settle(self) -> None:
        """Wait until nothing is in hand: for those who turn the clock themselves."""
        while self.view.in_hand:
            self.book.changed.clear()
            if self.view.in_hand:
                await self.book.changed.wait()

    # --------------------------------------------------------------------------------- commands

    def _hand_out(self, group: asyncio.TaskGroup, command: Command, now: datetime) -> None:
        vm = command.op.target.vm_id
        until = self._throttle.take(_calls(command, self.view), command.op.target, now)
        if until is not None:
            self.view.postpone(vm, until)
            return
        if isinstance(command, Poll | Look) and (watch := self.view.watches.get(vm)) is not None:
            self._observer.late((now - watch.next_at).total_seconds())
        self.view.take(vm)
        group.create_task(self._obey(command), name=f"{type(command).__name__} {vm}")

    async def _obey(self, command: Command) -> None:
        vm, again = command.op.target.vm_id, None
        try:
            await self._do(command)
        except StoreUnavailableError as error:
            self._observer.troubled("database", str(error))
            # Else it would be due at once, again and again.
            again = self._clock.now() + self._rhythm.acts
        except Exception as error:  # noqa: BLE001 - a bug here must not cut a neighbour's request
            self._observer.crashed(f"{type(command).__name__} {vm}", error)
            self.book.lose(_BUG)
        finally:
            self.view.give_back(vm)
            if again is not None:
                self.view.postpone(vm, again)
            self.book.changed.set()

    async def _do(self, command: Command) -> None:
        match command:
            case Start(op):
                await self._submitter.start(op)
            case Poll():
                await self._follower.poll(command)
            case Look():
                await self._follower.look(command)
            case Recover():
                await self._follower.recover(command)
            case Survey(op):
                await self._surveyor.survey(op)
            case Drop(op, cancelled, why):
                now = self._clock.now()
                event = Withdrawn(now, why) if cancelled else Dropped(now, why)
                await self.book.moved(self.book.move(op, event))

    # ------------------------------------------------------------------------------------ waits

    async def _apply_acts(self) -> None:
        now = self._clock.now()
        if now < self._acts_at:
            return
        self._acts_at = now + self._rhythm.acts
        heed = await self._store.heed(self.run.id)
        self.view.brake = heed.brake
        self.view.distrust(heed.safe_mode)
        for act in heed.acts:
            if not await self.book.record(apply(self.view, act, self._clock.now(), self._name)):
                return

    async def _checkpoint(self) -> None:
        now = self._clock.now()
        if now >= self._checkpoint_at:
            self._checkpoint_at = now + self._rhythm.checkpoint
            await self.book.checkpoint()

    def _seconds_until(self, wake_at: datetime | None) -> float:
        soonest = min(self._acts_at, self._checkpoint_at, wake_at or self._checkpoint_at)
        return max(0.0, (soonest - self._clock.now()).total_seconds())


def _calls(command: Command, view: RunView) -> tuple[Call, ...]:
    """Name the requests that a command will make."""
    match command:
        case Start():
            return (Call.SUBMIT, Call.LOOK)
        case Look() | Survey():
            return (Call.LOOK,)
        case Poll(op, state):
            watch = view.watches.get(op.target.vm_id)
            by_view = not state.tracked or (watch is not None and watch.by_view)
            return (Call.LOOK,) if by_view else (Call.POLL,)
        case Recover() | Drop():
            return ()
