"""Planned reads beside periodic ones: `python -m benchmarks.planner`.

A made-up fleet in virtual time, the same in every run: started as Azure's limits allow (600 at
once, then 200 a minute), installations of 20 minutes give or take a quarter, 2 % that fail within
three minutes, 3 % that take twice as long. No HTTP and no database: the shipped planner alone
(`orchestrator/domain/polling.py`, `outlook.py`), with sweeps modelled as the engine makes them.
Printed: reads for each VM, and how late an end was noticed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from statistics import fmean, quantiles

from orchestrator.domain.durations import Lasted
from orchestrator.domain.model import ActivityId, AttemptId, Reboot, RunId, Target, Tracking, VmId
from orchestrator.domain.operation import Operation, Reported, transition
from orchestrator.domain.outlook import Outlook
from orchestrator.domain.polling import Pacing, next_watch, pace, planned_anew, watch_for
from orchestrator.domain.record import Watch
from orchestrator.domain.states import InProgress

BEGIN = datetime(2026, 11, 24, 22, tzinfo=UTC)
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
SWEEP_EVERY = 25.0
SWEPT_FROM, SWEPT_UNTIL = 50, 5
FAILS_EARLY, TAKES_TWICE = 0.02, 0.03
HEAD = "    VMs  way                            calls/VM     mean     p50     p99     max  (s late)"
Paced = Callable[[Outlook, Operation, int], Pacing]
TRACKING = Tracking()


@dataclass(frozen=True, slots=True)
class Installation:
    """One VM's installation as it will be: seconds since the beginning, and Resource Graph's
    lag."""

    op: Operation
    state: InProgress
    begins: float
    ends: float
    lag: float

    @property
    def vm(self) -> VmId:
        """Name its VM."""
        return self.op.target.vm_id


@dataclass(slots=True)
class Figures:
    """What a way of following cost, and how late it was."""

    reads: int = 0
    queries: int = 0
    delays: list[float] = field(default_factory=list)

    def row(self, vms: int) -> str:
        """Write a line of the table."""
        cuts = quantiles(self.delays, n=100)
        calls = (self.reads + self.queries) / vms
        return (
            f"{calls:8.2f}  {fmean(self.delays):7.0f}  {cuts[49]:6.0f}  {cuts[98]:6.0f}"
            f"  {max(self.delays):6.0f}"
        )


def fleet(vms: int, seed: int) -> list[Installation]:
    """Return a fleet and its night."""
    random = Random(seed)  # noqa: S311 - a fleet, not a secret
    return [_installation(random, number) for number in range(vms)]


def _installation(random: Random, number: int) -> Installation:
    begins = max(0.0, (number - 600) / (200 / 60))
    lasts, fate = 1200 * random.lognormvariate(0, 0.22), random.random()
    if fate < FAILS_EARLY:
        lasts = random.uniform(20, 180)
    elif fate < FAILS_EARLY + TAKES_TWICE:
        lasts *= 2
    since = BEGIN + timedelta(seconds=begins)
    deadline = since + timedelta(minutes=90) + TRACKING.overdue
    state = InProgress(
        AttemptId(f"a{number}"), since, ActivityId(f"i{number}"), since, deadline, tracked=True
    )
    group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg"
    target = Target(
        vm_id=VmId(f"{group}/providers/microsoft.compute/virtualmachines/vm-{number:05d}"),
        name=f"vm-{number:05d}",
        subscription_id=SUBSCRIPTION,
        resource_group="rg",
        region="westeurope",
        os="Linux",
    )
    op = Operation(run_id=RunId("r"), wave=1, target=target, state=state)
    return Installation(op, state, begins, begins + lasts, min(random.expovariate(1 / 4.4), 60.0))


class Night:
    """One fleet, followed in one way."""

    def __init__(
        self, installations: list[Installation], outlook: Outlook, *, sweeps: bool
    ) -> None:
        self.outlook = outlook
        self.figures = Figures()
        self._sweeps = sweeps
        self._all = {each.vm: each for each in installations}
        self._watches: dict[VmId, Watch] = {}
        self._running: dict[VmId, Installation] = {}
        self._agenda: list[tuple[float, str, VmId]] = []
        for each in installations:
            heappush(self._agenda, (each.begins, "begin", each.vm))
        if sweeps:
            heappush(self._agenda, (SWEEP_EVERY, "sweep", VmId("")))

    def follow(self, paced: Paced) -> Figures:
        """Follow all to their ends."""
        while self._agenda:
            at, what, vm = heappop(self._agenda)
            if what == "begin":
                self._running[vm] = self._all[vm]
                self.outlook.learn(None, self._all[vm].op)
                op = self._all[vm].op
                pacing = paced(self.outlook, op, len(self._running))
                self._plan(vm, watch_for(op, None, pacing, _at(at)))
            elif what == "sweep":
                self._sweep(at)
            elif vm in self._running and self._watches[vm].next_at == _at(at):
                self._read(vm, at, paced)
        return self.figures

    def _read(self, vm: VmId, at: float, paced: Paced) -> None:
        self.figures.reads += 1
        one, now = self._all[vm], _at(at)
        if one.ends <= at:
            del self._running[vm]
            self.figures.delays.append(at - one.ends)
            ended = transition(one.op, Reported(now, now, None, None))
            self.outlook.learn(one.op, ended)
            return
        pacing = paced(self.outlook, one.op, len(self._running))
        self._plan(vm, next_watch(one.op.state, self._watches[vm], pacing, now, None))

    def _sweep(self, at: float) -> None:
        before = set(self.outlook.swept)
        if len(self._running) >= (SWEPT_UNTIL if before else SWEPT_FROM):
            self.figures.queries += 1
            self.outlook.swept.add(SUBSCRIPTION)
            for number, each in enumerate(self._told(at)):
                due = _at(at + number / 15)
                self._plan(each.vm, replace(self._watches[each.vm], next_at=due))
        else:
            self.outlook.swept.discard(SUBSCRIPTION)
        if self.outlook.swept != before:
            for vm, each in self._running.items():
                pacing = self.outlook.pacing(each.op, len(self._running))
                self._plan(vm, planned_anew(each.state, self._watches[vm], pacing, _at(at)))
        if self._running or self._agenda:
            heappush(self._agenda, (at + SWEEP_EVERY, "sweep", VmId("")))

    def _told(self, at: float) -> Iterator[Installation]:
        for each in self._running.values():
            activity = ActivityId(each.vm)
            if each.ends + each.lag <= at and self.outlook.hint(each.vm, activity, _at(at)):
                yield each

    def _plan(self, vm: VmId, watch: Watch | None) -> None:
        if watch is not None:
            at = (watch.next_at - BEGIN).total_seconds()
            self._watches[vm] = replace(watch, next_at=_at(at))
            heappush(self._agenda, (at, "read", vm))


def _at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def _periodic(_outlook: Outlook, _op: Operation, crowd: int) -> Pacing:
    return Pacing(interval=pace(TRACKING, crowd), poll=TRACKING.poll)


def _planned(outlook: Outlook, op: Operation, crowd: int) -> Pacing:
    return outlook.pacing(op, crowd)


def _fresh() -> Outlook:
    return Outlook(TRACKING, {1: Reboot.IF_REQUIRED})


def _taught(vms: int) -> Outlook:
    """Return what is known after an earlier night of the same fleet."""
    outlook, known = _fresh(), fleet(vms, seed=1)
    past = [
        Lasted(
            vm_id=each.vm,
            os="Linux",
            reboot=Reboot.IF_REQUIRED,
            lasted=timedelta(seconds=each.ends - each.begins),
        )
        for each in known
    ]
    outlook.remember(past, ())
    return outlook


def measure(vms: int) -> Mapping[str, Figures]:
    """Follow one fleet in each way."""
    night = fleet(vms, seed=2)
    return {
        "every 30 s, while reads last": Night(night, _fresh(), sweeps=False).follow(_periodic),
        "planned, nothing known": Night(night, _fresh(), sweeps=False).follow(_planned),
        "planned, with history": Night(night, _taught(vms), sweeps=False).follow(_planned),
        "planned, with sweeps": Night(night, _fresh(), sweeps=True).follow(_planned),
    }


def main() -> None:
    """Print the table."""
    print(HEAD)
    for vms in (100, 400, 2_000, 10_000):
        for way, figures in measure(vms).items():
            print(f"{vms:7,}  {way:30}{figures.row(vms)}")


if __name__ == "__main__":
    main()
