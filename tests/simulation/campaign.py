"""Many schedules on all cores, and what became of them together."""

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

from tests.simulation.schedule import Report, play

CHUNK = 20
"""So many schedules go to a process at once."""


@dataclass(slots=True)
class Tally:
    """What a campaign has seen so far."""

    schedules: int = 0
    points: int = 0
    faults: int = 0
    virtual_hours: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[Report] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, report: Report) -> None:
        """Count one schedule."""
        self.schedules += 1
        self.points += report.points
        self.faults += len(report.faults)
        self.virtual_hours += report.seconds / 3600
        self.kinds.update(kind for kind, _ in report.faults)
        self.counts.update(report.counts)
        if report.breaches:
            self.broken.append(report)

    def lines(self) -> Iterator[str]:
        """Say it for people."""
        pace = self.schedules / self.seconds * 60 if self.seconds else 0.0
        yield (
            f"{self.schedules} schedules in {self.seconds:.0f} s ({pace:.0f} a minute),"
            f" {self.virtual_hours:.0f} virtual hours, {self.points} points,"
            f" {self.faults} faults, {len(self.broken)} with a breach"
        )
        yield "faults: " + _listed(self.kinds)
        yield "seen: " + _listed(self.counts)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def hunt(
    seeds: Sequence[int],
    *,
    processes: int | None = None,
    seconds: float = 1e9,
    most_broken: int = 1,
    tell: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Play schedules until the seeds, the time or our patience with breaches is at its end; `tell`
    hears of every thousandth, and of each breach."""
    tally, begun = Tally(), time.monotonic()
    chunks = iter([seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)])
    workers = processes or os.cpu_count() or 1
    with ProcessPoolExecutor(workers, initializer=calm_collector) as pool:
        running: set[Future[list[Report]]] = set()
        while True:
            open_ended = time.monotonic() - begun < seconds and len(tally.broken) < most_broken
            while open_ended and len(running) < 2 * workers and (chunk := next(chunks, None)):
                running.add(pool.submit(_played, chunk))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for reports in done:
                before, broken = tally.schedules, len(tally.broken)
                _count(tally, reports.result())
                tally.seconds = time.monotonic() - begun
                if before // 1_000 != tally.schedules // 1_000 or len(tally.broken) > broken:
                    tell(tally)
    tally.seconds = time.monotonic() - begun
    return tally


def alone(seeds: Iterable[int], *, seconds: float = 1e9) -> Tally:
    """Play schedules in this process, up to the first breach."""
    tally, begun = Tally(), time.monotonic()
    for seed in seeds:
        tally.add(play(seed))
        tally.seconds = time.monotonic() - begun
        if tally.broken or tally.seconds > seconds:
            break
    return tally


def calm_collector() -> None:
    """Let the garbage collector leave alone what lasts: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _played(seeds: Sequence[int]) -> list[Report]:
    return [play(seed) for seed in seeds]


def _count(tally: Tally, reports: list[Report]) -> None:
    for report in reports:
        tally.add(report)
