"""The exhaustive single-crash sweep: each scenario is played once to count its points, and then
again for every point, with one death there."""

import argparse
import asyncio
import os
import pickle
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import repeat
from typing import Any, Final

from orchestrator.domain.model import Tracking
from orchestrator.engine.doors import Rhythm
from orchestrator.simulator.tempers import Busy
from tests.simulation.campaign import calm_collector
from tests.simulation.schedule import Report, play
from tests.simulation.weather import Weather

_CALM: Final = Weather(
    takes=(4.0, 9.0),
    view_lag=2.0,
    graph_lag=4.0,
    heal_at=40.0,
    waves=(2, 3, 4),
    parallel=2,
    tracking=Tracking(
        poll=timedelta(seconds=5),
        settle=timedelta(seconds=30),
        overdue=timedelta(seconds=30),
        request_timeout=timedelta(seconds=5),
    ),
    rhythm=Rhythm(acts=timedelta(seconds=5), scan=timedelta(seconds=5)),
)


_SICK: Final = (
    "fails", "fails_once", "operation_fails", "canceled", "warns", "no_result", "nothing_to_do",
    "needs_reboot", "reboot_fails", "swallowed_reply", "accepted_then_503", "forbidden_polls",
)  # fmt: skip


def _with(**given: Any) -> Weather:
    return replace(_CALM, **given)


SCENARIOS: Final[Mapping[str, Weather]] = {
    "calm": _CALM,
    "one at a time": _with(parallel=1),
    "four waves": _with(waves=(1, 1, 2, 5)),
    "a bake": _with(bake=15.0),
    "slow views": _with(view_lag=20.0),
    "views slower than the settle instant": _with(view_lag=60.0, graph_lag=60.0),
    "every reply lost": _with(rates={"post.reply_lost": 1.0}),
    "half of the replies lost": _with(rates={"post.reply_lost": 0.5}),
    "requests lost": _with(rates={"post.lost": 0.5}),
    "taken, then 503": _with(rates={"post.taken_503": 0.6}),
    "500 before and after": _with(rates={"post.500": 0.3, "post.taken_500": 0.3}),
    "throttled": _with(rates={"post.429": 0.5}),
    "no connection": _with(rates={"post.connect": 0.4}),
    "slow requests": _with(rates={"post.slow": 0.5}),
    "reads that fail": _with(rates={"read.503": 0.3, "read.lost": 0.1}),
    "failing machines": _with(temper=0.7, failures=3, tempers=_SICK),
    "a budget of none": _with(temper=0.5, tempers=_SICK),
    "a second run": _with(second_run=True, heal_at=60.0),
    "people at work": _with(acts=8.0, heal_at=60.0),
    "Azure takes a second one": _with(busy=Busy.SUPERSEDES, rates={"post.reply_lost": 0.4}),
    "skewed clocks": _with(skews=(45.0, -45.0), rates={"post.reply_lost": 0.3}),
    "a database that goes": _with(rates={"database.outage": 0.01, "database.commit_lost": 0.02}),
    "daemons that freeze": _with(freeze=0.003, rates={"post.reply_lost": 0.2}),
    "daemons that are stopped": _with(stop=0.005),
    "a second death": _with(crash=0.002),
    "patched lately": _with(min_interval=43_200.0, rates={"post.reply_lost": 0.3}),
    "an early breaker": _with(
        waves=(3, 6), parallel=None, rates={"post.lost": 0.5}, tracking=replace(
            _CALM.tracking, max_unknown=1
        ),
    ),
    "windows that close": _with(windows=((-60, 3), (4, 7), (8, 300)), failures=1),
    "a freeze": _with(freeze_from=(10.0, 50.0), heal_at=60.0),
    "a strict budget": _with(
        strict=True, failures=2, parallel=None, temper=0.5, tempers=_SICK
    ),
    "limits over two runs": _with(
        in_flight=2, one_of_each=True, parallel=None, second_run=True, heal_at=60.0
    ),
    "a group held back": _with(
        quarantine=True, failures=1, waves=(5, 3)
    ),
    "approvals": _with(approve=True, heal_at=60.0),
    "a phase of reboots": _with(staged=2),
    "reboots with lost replies": _with(
        staged=1, staged_failures=3, failures=3, rates={"post.reply_lost": 0.3}
    ),
    "limits and lost replies": _with(
        in_flight=1, parallel=None, rates={"post.reply_lost": 0.5}
    ),
}  # fmt: skip
"""Each is one fixed schedule (its seed comes from its place in this table)."""


VARIANTS: Final = 2
"""Each scenario is played with so many seeds: other fleets, other orders, other faults."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of one variant of a scenario."""

    name: str
    variant: int
    points: int
    deaths: int
    broken: tuple[tuple[int, Report], ...]


def swept(name: str, variant: int, every: int) -> Swept:
    """Die at every `every`-th point of a scenario.

    It is played once. At each of these points the process is copied, and the copy dies there and
    plays on to its end: what was before is not played again.
    """
    copies = Copies(every)
    whole = played(name, variant, copies.dies_here)
    copies.tell(whole)
    found = [(0, whole), *copies.reports]
    broken = tuple((at, report) for at, report in found if report.breaches)
    return Swept(name, variant, whole.points, len(copies.reports), broken)


class Copies:
    """The copies of a process that plays a schedule, one at each point, one after the other."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._pipe: int | None = None
        self.reports: list[tuple[int, Report]] = []

    def dies_here(self, point: int) -> bool:
        """Copy the process: True in the copy, and False in the one that goes on."""
        if self._pipe is not None or point % self._every:
            return False
        loop = asyncio.get_running_loop()
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            self._pipe = theirs
            asyncio._set_running_loop(loop)  # it is known by the process's number, too
            return True
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            self.reports.append((point, pickle.loads(pipe.read())))  # noqa: S301 - our own copy's
        os.waitpid(child, 0)
        return False

    def tell(self, report: Report) -> None:
        """Hand a copy's report over and end it; the first process goes on."""
        if self._pipe is not None:
            with os.fdopen(self._pipe, "wb") as pipe:
                pickle.dump(report, pipe)
            os._exit(0)


def played(name: str, variant: int, dies_at: Callable[[int], bool] | None = None) -> Report:
    """Play a scenario, with a death or without one."""
    seed = list(SCENARIOS).index(name) + 1_000 * variant
    return play(seed, weather=SCENARIOS[name], dies_at=dies_at)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--every", type=int, default=1, help="die at every n-th point only")
    parser.add_argument("--part", default="1/1", help="one part of several, as in 2/5")


def command(given: argparse.Namespace) -> int:
    """Sweep, print a line for each scenario, and tell whether anything broke."""
    begun, deaths, broken = time.monotonic(), 0, 0
    part, parts = (int(number) for number in given.part.split("/"))
    variants = [(name, variant) for name in SCENARIOS for variant in range(VARIANTS)]
    names, numbers = zip(*variants[part - 1 :: parts], strict=True)
    with ProcessPoolExecutor(os.cpu_count(), initializer=calm_collector) as pool:
        for found in pool.map(swept, names, numbers, repeat(given.every)):
            deaths += found.deaths
            broken += len(found.broken)
            what = f"{found.deaths} deaths at {found.points} points"
            print(f"{found.name} {found.variant}: {what}", flush=True)
            for at, report in found.broken[:3]:
                print(f"  at point {at}: {report.breaches[0]}", flush=True)
    print(f"{deaths} deaths in {time.monotonic() - begun:.0f} s, {broken} with a breach")
    return 1 if broken else 0
