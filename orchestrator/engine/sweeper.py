"""Asking Resource Graph which installations have ended, for all VMs of a daemon at once.

What it says is a hint: an operation that is hinted at is due at once, and one read of its own tells
what became of it. A sweep that says too much costs a read, one that says too little costs time.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import Hint, Swept, Throttled
from orchestrator.domain.lag import Asked, Lag
from orchestrator.domain.model import RunId, Target
from orchestrator.domain.polling import POLLS_PER_SECOND, pace, planned_anew
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
"""Each sweep looks back so far behind the one before, and as much further as Resource Graph was
seen to trail: a row may be indexed later than it was written (seconds to minutes, azure-facts 7),
and clocks differ."""
LONG_LAG: Final = timedelta(minutes=10)
"""No sweep but a deep one looks back further."""
DEEP_EVERY: Final = 10
"""Every tenth sweep is a deep one: it asks about all that has ended since the oldest installation
that is followed began, for rows that were indexed later still."""
AGAIN: Final = 5
"""A sweep that failed is repeated after a fifth of the time; after twice that if it fails again."""
PROMPT: Final = timedelta(minutes=1)
"""Where Resource Graph trails further, it is relied on only where so many VMs share the reads of a
subscription that single reads would come later still."""
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
        self._answered: dict[str, Asked] = {}
        """The last whole answer of each subscription. Only of those in which an installation of
        ours was shown: without a right to the results all answers are empty."""
        self._before: dict[str, Asked] = {}
        """The last answer of each subscription, whatever it showed."""
        self._deep_at: dict[str, datetime] = {}
        """When the last deep answer of each of them was asked for."""
        self._shown: set[str] = set()
        self._too_many: set[str] = set()
        """Those with an answer that did not end: what ended long ago is left to single reads."""
        self._skew = timedelta(0)
        self._lag = Lag(LONG_LAG)
        self._told: dict[tuple[RunId, str], bool] = {}

    async def sweep_always(self) -> None:
        """Sweep for as long as the daemon lives."""
        failed = 0
        while True:
            await self._clock.sleep(self._wait(failed).total_seconds())
            try:
                failed = 0 if await self.sweep() else failed + 1
            except Exception as error:  # noqa: BLE001 - a bug here must not stop what runs
                failed = 0
                self._observer.crashed("sweep", error)
                self._answered.clear()
                self._tell(self._clock.now())

    def _wait(self, failed: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        soon = self._every / AGAIN * (1 << min(failed, AGAIN)) / 2
        return min(soon, self._every) if failed else self._every

    async def sweep(self) -> bool:
        """Ask about every subscription that is worth it, and pass on what is new. False: some query
        was not answered."""
        self._choose()
        known = sorted(self._wanted.keys() & self._answered.keys())
        fresh = sorted(self._wanted.keys() - self._answered.keys())
        chunks = (*self._chunks(known), *self._chunks(fresh))
        answered = [await self._ask(chunk) for chunk in chunks]
        self._tell(self._clock.now())
        return all(answered)

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
        self._answered = {one: it for one, it in self._answered.items() if one in self._shown}
        self._deep_at = {one: at for one, at in self._deep_at.items() if one in self._answered}
        self._before = {one: it for one, it in self._before.items() if one in self._wanted}
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

    async def _ask(self, subscriptions: Sequence[str]) -> bool:
        """Put one query; False when it was not answered."""
        target, now = self._somebody(), self._clock.now()
        if target is None:
            return True
        if self._throttle.take((Call.TRACE,), target, now) is not None:
            return False
        fresh = subscriptions[0] not in self._answered
        deep = fresh or self._deep_due(subscriptions, now)
        asked = Asked(now, self._since(subscriptions, now, deep=deep))
        answer = await self._arm.sweep(subscriptions, asked.since + self._skew, running=fresh)
        if isinstance(answer, Swept):
            self._heed(subscriptions, asked, answer, deep=deep)
            self._pay(answer.pages - 1, target)
        elif isinstance(answer, Throttled):
            self._throttle.refused(Call.TRACE, target, answer.retry_after, self._clock.now())
        return isinstance(answer, Swept)

    def _heed(
        self, subscriptions: Sequence[str], asked: Asked, answer: Swept, *, deep: bool
    ) -> None:
        """Pass on what an answer says, and note what need not be asked again."""
        self._skew = answer.skew
        self._lag.learn(answer.hints, self._asked_before(subscriptions), asked.at, answer.skew)
        self._before |= dict.fromkeys(subscriptions, asked)
        self._pass_on(answer.hints)
        shown = self._shown.intersection(subscriptions)
        fresh = self._answered.keys().isdisjoint(subscriptions)
        if deep:
            self._deep_at |= dict.fromkeys(shown, asked.at)
        if answer.whole or fresh:
            self._answered |= dict.fromkeys(shown, asked)
        elif not deep:
            # So much has ended since the last answer that only a fresh beginning helps.
            self._answered = {
                one: it for one, it in self._answered.items() if one not in subscriptions
            }
        if not answer.whole:
            self._too_many |= set(subscriptions)

    def _asked_before(self, subscriptions: Sequence[str]) -> Asked | None:
        """Return what the answer before this one was asked; None: not all of these had one."""
        known = [self._before[one] for one in subscriptions if one in self._before]
        if len(known) < len(subscriptions):
            return None
        return Asked(min(each.at for each in known), max(each.since for each in known))

    def _deep_due(self, subscriptions: Sequence[str], now: datetime) -> bool:
        last = [self._deep_at.get(one) for one in subscriptions]
        return any(at is None or now - at >= self._every * DEEP_EVERY for at in last)

    def _since(self, subscriptions: Sequence[str], now: datetime, *, deep: bool) -> datetime:
        """Return from when on these are asked about: since they were; by a deep sweep, and at
        first, since the oldest installation that is followed."""
        if not deep:
            behind = min(LAG + self._lag.longest, LONG_LAG)
            return min(self._answered[one].at for one in subscriptions) - behind
        if not self._too_many.isdisjoint(subscriptions):
            return min(self._deep_at.get(one, now) for one in subscriptions) - LONG_LAG
        began = (driver.view.outlook.oldest for driver in self._planned())
        oldest = min((each for each in began if each is not None), default=now) - LAG
        self._lag.forget(oldest)
        return oldest

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
        trusted = {one for one, asked in self._answered.items() if now - asked.at <= TRUSTED_FOR}
        told: dict[tuple[RunId, str], bool] = {}
        for driver in self._planned():
            outlook = driver.view.outlook
            for subscription, crowd in driver.view.crowds().items():
                sooner = max(PROMPT, pace(driver.run.plan.tracking, crowd))
                key = (driver.run.id, subscription)
                swept = subscription in trusted and self._lag.usual <= sooner
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
