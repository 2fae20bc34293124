"""Asking Resource Graph which installations have ended, for all VMs of a daemon at once.

What it says is a hint: an operation that is hinted at is due at once, and one read of its own tells
what became of it. A sweep that says too much costs a read, one that says too little costs time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import Hint, Swept, Throttled
from orchestrator.domain.model import RunId, Target
from orchestrator.domain.polling import POLLS_PER_SECOND, planned_anew
from orchestrator.domain.record import Watch
from orchestrator.domain.states import InProgress
from orchestrator.domain.throttle import Call
from orchestrator.engine.doors import Doors
from orchestrator.engine.driver import Driver

SWEPT_FROM: Final = 50
"""So many VMs in flight in a subscription are worth its sweeps: fewer are read by themselves for
less than two reads a second, and need no right to Resource Graph."""
SWEPT_UNTIL: Final = 5
"""And so few are not any more: one query in 25 s is still less than a read each."""
SUBSCRIPTIONS: Final = 200
"""In one query: fewer than 300 are advised (azure-facts 7)."""
VMS: Final = 25_000
"""In flight, in one query: some thousand ends a minute, so a few pages."""
LAG: Final = timedelta(minutes=1)
"""Each sweep looks back so far behind the one before: a row may be indexed later than it was
written (seconds to minutes, azure-facts 7), and clocks differ."""
LONG_LAG: Final = timedelta(minutes=10)
DEEP_EVERY: Final = 10
"""Each tenth sweep looks back further, for rows that were indexed later still."""
MISSED: Final = 5
"""After so many ends in a row that no sweep had told of, a subscription must show itself anew: a
right may have been taken away, and Resource Graph answers with nothing then."""
TRUSTED_FOR: Final = timedelta(seconds=90)
"""After so long without an answer reads are planned as if there were no sweeps."""


class Sweeper:
    """Sweeps for all drivers of a daemon. A restart forgets what was hinted, and asks about all
    that began since its oldest installation."""

    def __init__(self, doors: Doors, drivers: Callable[[], Collection[Driver]]) -> None:
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._observer = doors.observer
        self._every = doors.rhythm.sweep
        self._drivers = drivers
        self._wanted: dict[str, int] = {}
        """The subscriptions that are swept, with their VMs in flight."""
        self._answered: dict[str, datetime] = {}
        """When the last whole answer of each subscription was asked for. Only of those in which an
        installation of ours was shown: without a right to the results all answers are empty."""
        self._shown: set[str] = set()
        self._too_many: set[str] = set()
        """Those whose first answer did not end: what ended long ago is left to single reads."""
        self._skew = timedelta(0)
        self._number = 0
        self._told: dict[tuple[RunId, str], bool] = {}

    async def sweep_always(self) -> None:
        """Sweep for as long as the daemon lives."""
        while True:
            await self._clock.sleep(self._every.total_seconds())
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - a bug here must not stop what runs
                self._observer.crashed("sweep", error)
                self._answered.clear()
                self._tell(self._clock.now())

    async def sweep(self) -> None:
        """Ask about every subscription that is worth it, and pass on what is new."""
        self._choose()
        self._number += 1
        known = sorted(self._wanted.keys() & self._answered.keys())
        fresh = sorted(self._wanted.keys() - self._answered.keys())
        for chunk in (*self._chunks(known), *self._chunks(fresh)):
            await self._ask(chunk)
        self._tell(self._clock.now())

    # ------------------------------------------------------------------------------ whom to ask

    def _choose(self) -> None:
        crowds: dict[str, int] = {}
        for driver in self._planned():
            for subscription, number in driver.view.crowds().items():
                crowds[subscription] = crowds.get(subscription, 0) + number
        self._wanted = {
            subscription: number
            for subscription, number in crowds.items()
            if number >= (SWEPT_UNTIL if subscription in self._wanted else SWEPT_FROM)
        }
        self._shown = {one for one in self._shown & self._wanted.keys() if not self._misses(one)}
        self._answered = {one: at for one, at in self._answered.items() if one in self._shown}
        self._too_many &= self._wanted.keys()

    def _misses(self, subscription: str) -> bool:
        """Tell whether sweeps miss what ends there; if so, they are given another chance."""
        counts = [driver.view.outlook.missed for driver in self._planned()]
        if max((each[subscription] for each in counts), default=0) < MISSED:
            return False
        for each in counts:
            del each[subscription]
        return True

    def _chunks(self, subscriptions: Sequence[str]) -> Iterator[Sequence[str]]:
        """Divide them into queries."""
        chunk: list[str] = []
        vms = 0
        for one in subscriptions:
            if chunk and (len(chunk) >= SUBSCRIPTIONS or vms + self._wanted[one] > VMS):
                yield chunk
                chunk, vms = [], 0
            chunk.append(one)
            vms += self._wanted[one]
        if chunk:
            yield chunk

    def _planned(self) -> list[Driver]:
        """Return the drivers whose reads are planned: hints are of no use to the others."""
        return [driver for driver in self._drivers() if driver.view.outlook.planned]

    async def _ask(self, subscriptions: Sequence[str]) -> None:
        target = self._somebody()
        now = self._clock.now()
        if target is None or self._throttle.take((Call.TRACE,), target, now) is not None:
            return
        fresh = subscriptions[0] not in self._answered
        since = self._since(subscriptions) + self._skew
        answer = await self._arm.sweep(subscriptions, since, running=fresh)
        if isinstance(answer, Swept):
            self._pay(answer.pages - 1, target)
            self._skew = answer.skew
            self._pass_on(answer.hints)
            if answer.whole or fresh:
                self._answered |= dict.fromkeys(self._shown.intersection(subscriptions), now)
            if not answer.whole:
                self._too_many |= set(subscriptions)
        elif isinstance(answer, Throttled):
            self._throttle.refused(Call.TRACE, target, answer.retry_after, self._clock.now())

    def _since(self, subscriptions: Sequence[str]) -> datetime:
        """Return from when on these are asked about: since they were, and at first since the oldest
        installation that is followed."""
        known = [self._answered[one] for one in subscriptions if one in self._answered]
        if known:
            return min(known) - (LONG_LAG if self._number % DEEP_EVERY == 0 else LAG)
        if not self._too_many.isdisjoint(subscriptions):
            return self._clock.now() - LONG_LAG
        began = (
            op.state.intent_at
            for driver in self._planned()
            for op in driver.view.ops.values()
            if isinstance(op.state, InProgress)
        )
        return min(began, default=self._clock.now()) - LAG

    def _somebody(self) -> Target | None:
        """Name any VM: the queries of a credential are counted as a whole."""
        ops = (op for driver in self._planned() for op in driver.view.ops.values())
        return next((op.target for op in ops), None)

    def _pay(self, pages: int, target: Target) -> None:
        """Take the tokens of the pages behind the first: each is a query."""
        for _ in range(pages):
            self._throttle.take((Call.TRACE,), target, self._clock.now())

    # ------------------------------------------------------------------------------ what to tell

    def _pass_on(self, hints: Iterable[Hint]) -> None:
        """Make due what has ended, not more at once than may be read."""
        numbers: dict[str, int] = {}
        drivers = self._planned()
        for hint in hints:
            for driver in drivers:
                self._hint(driver, hint, numbers)
        for driver in drivers:
            driver.book.changed.set()

    def _hint(self, driver: Driver, hint: Hint, numbers: dict[str, int]) -> None:
        view, now, vm = driver.view, self._clock.now(), hint.vm_id
        op = view.ops.get(vm)
        if op is None or not isinstance(op.state, InProgress):
            return
        if op.state.activity not in {None, hint.activity}:
            return
        subscription = op.target.subscription_id
        self._shown.add(subscription)
        if not hint.ended or vm in view.in_hand or not view.outlook.hint(vm, hint.activity, now):
            return
        before = numbers[subscription] = numbers.get(subscription, -1) + 1
        due = now + timedelta(seconds=before / POLLS_PER_SECOND)
        watch = view.watches.get(vm) or Watch(next_at=due)
        driver.book.watch(vm, replace(watch, next_at=min(watch.next_at, due)))

    def _tell(self, now: datetime) -> None:
        """Let each run know where sweeps work, and plan its reads anew where that has changed."""
        trusted = {one for one, at in self._answered.items() if now - at <= TRUSTED_FOR}
        told: dict[tuple[RunId, str], bool] = {}
        for driver in self._planned():
            outlook = driver.view.outlook
            for subscription in driver.view.crowds():
                key, swept = (driver.run.id, subscription), subscription in trusted
                (outlook.swept.add if swept else outlook.swept.discard)(subscription)
                told[key] = swept
                if self._told.get(key) is not swept:
                    self._plan_anew(driver, subscription, now)
        self._told = told

    def _plan_anew(self, driver: Driver, subscription: str, now: datetime) -> None:
        view = driver.view
        for vm, op in view.ops.items():
            if op.target.subscription_id != subscription or vm in view.in_hand:
                continue
            watch = view.watches.get(vm)
            if isinstance(op.state, InProgress) and watch is not None:
                fresh = planned_anew(op.state, watch, view.pacing(op), now)
                driver.book.watch(vm, fresh)
        driver.book.changed.set()
