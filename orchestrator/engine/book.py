"""The one place where an operation or a run changes: written first, then shown to the view and the
observers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from orchestrator.domain.bounds import Bounds
from orchestrator.domain.model import VmId
from orchestrator.domain.operation import Event, Operation, transition
from orchestrator.domain.polling import is_followed, watch_for
from orchestrator.domain.record import DAEMON, AttemptUpdate, Change, Lease, Move, Receipt, Watch
from orchestrator.domain.result import Report
from orchestrator.domain.view import RunView
from orchestrator.engine.doors import Doors
from orchestrator.ports import Refused, Saved, Stale, StoreUnavailableError

_T = TypeVar("_T")
_LAST_TRIES = 5
"""How often such a write is tried, all together, once the process is to end."""
_RETRY_S = 1.0
"""How long to wait before a write that must not be lost is tried again."""


class Book:
    """A run's rows and their view, kept equal.

    When a row turns out to have been moved by somebody else, or the lease is not ours any more,
    the book is `lost`: nothing more is written, the driver ends, and whoever holds the lease loads
    the rows again.
    """

    def __init__(self, doors: Doors, lease: Lease, view: RunView) -> None:
        self.view = view
        self.lost: str | None = None
        self.changed = asyncio.Event()
        """Set whenever something happened that the next plan should see."""
        self.lease = lease
        self._store = doors.store
        self._clock = doors.clock
        self._observer = doors.observer
        self.stopping = False
        """Set when the process is to end: a database that is away is not waited for any longer
        than a few tries. The rows say enough to go on from."""
        self._tries_left = _LAST_TRIES
        self._dirty: dict[VmId, Watch] = {}

    def move(
        self,
        op: Operation,
        event: Event,
        *,
        attempt: AttemptUpdate | None = None,
        report: Report | None = None,
    ) -> Move:
        """Write an event as a move; nothing is stored yet."""
        after = transition(op, event)
        return Move(
            before=op, after=after, event=event, actor=DAEMON, attempt=attempt, report=report
        )

    async def record(self, change: Change) -> bool:
        """Store a change and show it to the view. False: the book is lost.

        A database out of reach is tried again until it answers: what is written here has happened.
        """
        return await self._recorded(change, lambda: self._store.record(self.lease, change))

    async def _recorded(
        self, change: Change, write: Callable[[], Awaitable[Saved | Stale]]
    ) -> bool:
        self.view.coming.count(change.moves)
        try:
            outcome = await self._persist(write)
        finally:
            self.view.coming.count(change.moves, -1)
        if isinstance(outcome, Stale):
            self.lose(outcome.reason)
            return False
        self._show(change)
        return True

    async def moved(self, *moves: Move) -> bool:
        """Store moves of operations. False: the book is lost."""
        return await self.record(Change(moves=moves))

    async def intend(self, move: Move, bounds: Bounds) -> Saved | Refused | None:
        """Commit an intent. None: it is not certain that it is on disk, so it must not be sent.

        When the database did not answer, the intent is taken back as unsent as soon as it does; if
        it was never written, the rows are not what we believe, and the book is lost.
        """
        try:
            outcome = await self._store.intend(self.lease, move, bounds)
        except StoreUnavailableError as error:
            self._observer.troubled("database", str(error))
            self.view.put(move.after)
            return None
        if isinstance(outcome, Stale):
            self.lose(outcome.reason)
            return None
        if isinstance(outcome, Saved):
            self._show(Change(moves=(move,)))
        return outcome

    async def accept(self, receipt: Receipt, move: Move) -> bool:
        """Keep what a 202 said, whatever it takes (without it an installation is lost), together
        with the move that follows from it. False: the book is lost, and the receipt is kept."""
        change = Change(moves=(move,))
        try:
            return await self._recorded(
                change, lambda: self._store.accept(self.lease, receipt, change)
            )
        except StoreUnavailableError:
            raise
        except Exception:
            # A bug in the move has undone both: the receipt must not pay for it.
            await self._persist(lambda: self._store.receive(receipt))
            raise

    def watch(self, vm: VmId, watch: Watch) -> None:
        """Note polling state; the next checkpoint writes it."""
        self.view.watch(vm, watch)
        self._dirty[vm] = watch

    async def checkpoint(self) -> None:
        """Write the polling state that changed since the last time."""
        dirty, self._dirty = self._dirty, {}
        if not dirty:
            return
        try:
            await self._store.checkpoint(self.view.run.id, dirty)
        except StoreUnavailableError:
            self._dirty = {**dirty, **self._dirty}
            raise

    def _show(self, change: Change) -> None:
        now = self._clock.now()
        for move in change.moves:
            self.view.put(move.after)
            if move.after.state is not move.before.state and is_followed(move.after.state):
                self._follow(move.after, now)
            self._observer.moved(move)
        for wave in change.waves:
            self.view.waves[wave.position] = wave
        if change.run is not None:
            if change.run.status is not self.view.run.status:
                self.view.unreachable_since = None  # who resumes gets a fresh quarter of an hour
            self.view.run = change.run
        for fact in change.facts:
            self._observer.noted(self.view.run.id, fact)
        self.changed.set()

    def _follow(self, op: Operation, now: datetime) -> None:
        """Plan the first look at an operation in its new state."""
        vm = op.target.vm_id
        fresh = watch_for(op, self.view.watches.get(vm), self.view.pacing(op), now)
        if fresh is not None:
            self.watch(vm, fresh)

    def lose(self, reason: str) -> None:
        """Give the run up here: its rows know better than we do."""
        self.lost = self.lost or reason
        self.changed.set()

    async def _persist(self, write: Callable[[], Awaitable[_T]]) -> _T:
        while True:
            try:
                return await write()
            except StoreUnavailableError as error:
                self._observer.troubled("database", str(error))
                self._tries_left -= self.stopping
                if self._tries_left < 0:
                    raise
                await self._clock.sleep(_RETRY_S)
