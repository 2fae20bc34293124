"""Prometheus metrics, in a registry of their own; `docs/metrics.md` describes every one.

What happens is counted as it is observed; what stands is read from the engine at each scrape. The
values of labels are bounded: a code nobody knows is grouped with its like. Nothing here decides
anything.
"""

import re
import unicodedata
from collections import Counter as Tallied
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from platform import python_version
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from orchestrator import __version__
from orchestrator.domain.model import Run, RunId
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import STATE_NAMES, Failed, NeedsHuman, Outcome, Succeeded
from orchestrator.domain.tally import Tally

_KINDS: Final = {"submit", "restart", "poll", "look", "trace", "list"}
_CODES: Final = {
    *("200", "201", "202", "204", "301", "302", "307", "308", "400", "401", "403", "404", "405"),
    *("407", "408", "409", "410", "412", "413", "415", "422", "429", "431"),
    *("500", "501", "502", "503", "504"),
    *("no_token", "not_connected", "abandoned", "lost"),
}
_STATUS: Final = re.compile(r"[1-5][0-9][0-9]")
_PLACES: Final = ("arm", "database", "http", "inventory", "run", "schedule")
_NEEDS: Final = ("halted", "paused", "awaiting_approval", "needs_human")
_GOOD: Final = {outcome.value for outcome in Outcome} - {"failed", "skipped", "cancelled"}
_MOST_BUCKETS: Final = 200
_LONGEST_LABEL: Final = 200
_MOST_ASKED: Final = 500

_REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATE_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1200)
_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_COMMIT_UNITS = (1, 2, 5, 10, 20, 50, 100, 200)
_LAG_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)


class Driven(Protocol):
    """A run that is driven here; `domain.view.RunView` is one."""

    run: Run

    def tallies(self) -> Iterable[Tally]:
        """Return the counts of all waves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the gauges look at each scrape."""

    runs: Callable[[], Iterable[Driven]]
    next_fires: Callable[[], Mapping[str, datetime]]
    """The next fire of each plan, in UTC."""
    tokens: Callable[[], Iterable[tuple[str, float]]]
    """(bucket, tokens left) of the shared buckets: `Throttle.tokens` at this moment."""
    safe_mode: Callable[[], bool] = lambda: False
    """Whether the database waits for a person's confirmation (`Conductor.safe_mode`)."""
    halted: Callable[[], bool] = lambda: False
    """Whether the whole fleet is halted (`Conductor.brake`)."""


class Metrics:
    """All metrics of a daemon. It is the engine's observer (`ports.Observer`)."""

    def __init__(self, version: str = __version__) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        _count, _measure = _makers(self.registry)
        self._requests = _count("arm_requests", "Answered requests to Azure.", "class", "code")
        self._seconds = _measure(
            "arm_request_seconds", "Time of a request to Azure.", _REQUEST_SECONDS, "class"
        )
        self._late = _measure(
            "poll_lateness_seconds", "How long after its instant a poll began.", _LATE_SECONDS
        )
        self._commit_seconds = _measure("commit_seconds", "Time of a commit.", _COMMIT_SECONDS)
        self._commit_units = _measure("commit_units", "Writes that share a commit.", _COMMIT_UNITS)
        self._lag = _measure("loop_lag_seconds", "How late the loop wakes us.", _LAG_SECONDS)
        self._settled = _count("operations_settled", "Operations that settled.", "outcome")
        self._troubles = _count("troubles", "Things outside that did not work.", "where")
        self._reminders = _count("reminders", "Runs that needed a person, each half hour.", "why")
        self._quarantines = _count("quarantines", "Times that a group of VMs was held back.")
        self._crashes = _count("crashes", "Bugs that were caught.")
        self._answers: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        """The series of each (kind, code), found once and not at each of thousands of polls."""
        info = "Which orchestrator this is; always 1."
        labels = ("version", "python")
        build = Gauge("orchestrator_build_info", info, labels, registry=self.registry)
        build.labels(version, python_version()).set(1)
        for outcome in (*Outcome, "needs_human"):
            self._settled.labels(str(outcome))
        for place in (*_PLACES, "other"):
            self._troubles.labels(place)
        for why in _NEEDS:
            self._reminders.labels(why)
        ProcessCollector(registry=self.registry)
        self._gauges = _Gauges()
        self.registry.register(self._gauges)

    def watch(self, standing: Standing) -> None:
        """Read the gauges from here, from now on."""
        self._gauges.standing = standing

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4."""
        return generate_latest(_Slim(self.registry))

    # ------------------------------------------------------------------ fed by others

    def committed(self, units: int, seconds: float) -> None:
        """Take in one commit of the store's writer (its `on_commit`)."""
        self._commit_units.observe(units)
        self._commit_seconds.observe(seconds)

    def lagged(self, seconds: float) -> None:
        """Take in how much later than asked for the loop woke a task."""
        self._lag.observe(max(0.0, seconds))

    # ------------------------------------------------------------------ ports.Observer

    def moved(self, move: Move) -> None:
        """Count an operation that settled."""
        after = _settled(move.after)
        if after is not None and move.after.state is not move.before.state:
            self._settled.labels(after).inc()

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """Count that a person was asked for, or a group of VMs held back; how runs stand is read at
        each scrape."""
        if fact.event == "run.reminded":
            self._reminders.labels(fact.why.code).inc()
        elif fact.event == "run.quarantined":
            self._quarantines.inc()

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """Count a request to Azure."""
        request = self._answers.get((kind, code))
        if request is None:
            known = kind if kind in _KINDS else "other"
            request = self._requests.labels(known, _code(code)), self._seconds.labels(known)
            if len(self._answers) < _MOST_ASKED:
                self._answers[kind, code] = request
        counter, histogram = request
        counter.inc()
        histogram.observe(seconds)

    def late(self, seconds: float) -> None:
        """Measure a poll's lateness."""
        self._late.observe(max(0.0, seconds))

    def troubled(self, where: str, reason: str) -> None:
        """Count a trouble by the first word of its place: the name of a run or plan is no label."""
        place = where.split(" ", 1)[0]
        self._troubles.labels(place if place in _PLACES else "other").inc()

    def crashed(self, where: str, error: Exception) -> None:
        """Count a bug."""
        self._crashes.inc()


class _Slim:
    """A registry without the `_created` twin of every series, which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        for metric in self._registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


class _Gauges:
    """What stands at the moment of a scrape."""

    def __init__(self) -> None:
        self.standing: Standing | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge; those of an engine that is not there yet are empty."""
        runs = list(self.standing.runs()) if self.standing else []
        yield _operations(runs)
        yield _statuses(runs)
        yield _gauge("runs_driven", "Runs that this daemon drives.", [((), len(runs))])
        fires = self.standing.next_fires() if self.standing else {}
        yield _gauge(
            "next_fire_timestamp_seconds",
            "When a plan fires next.",
            [((plan,), at.timestamp()) for plan, at in fires.items()],
            "plan",
        )
        yield from _stops(self.standing)
        tokens = sorted(self.standing.tokens() if self.standing else (), key=lambda each: each[1])
        yield _gauge(
            "arm_tokens",
            "Requests that Azure would take at once, as we believe.",
            [((bucket,), left) for bucket, left in tokens[:_MOST_BUCKETS]],
            "bucket",
        )


_Sample = tuple[tuple[str, ...], float]


def _stops(standing: Standing | None) -> Iterator[Metric]:
    """Yield what keeps every run of every daemon from starting anything."""
    distrusted = standing is not None and standing.safe_mode()
    about = "1 while the database waits for a person's confirmation."
    yield _gauge("safe_mode", about, [((), int(distrusted))])
    halted = standing is not None and standing.halted()
    yield _gauge("fleet_halted", "1 while the whole fleet is halted.", [((), int(halted))])


def _operations(runs: Sequence[Driven]) -> Metric:
    states = Tallied(dict.fromkeys(STATE_NAMES.values(), 0))
    for run in runs:
        for tally in run.tallies():
            for label, count in tally.labels.items():
                states["succeeded" if label in _GOOD else label] += count
    samples: list[_Sample] = [((state,), count) for state, count in states.items()]
    return _gauge("operations", "Operations of the runs driven here.", samples, "state")


def _statuses(runs: Sequence[Driven]) -> Metric:
    samples: list[_Sample] = [
        ((each.run.id, each.run.plan.name, each.run.status.value), 1) for each in runs
    ]
    return _gauge(
        "run_status", "How each run driven here stands.", samples, "run", "plan", "status"
    )


def _gauge(name: str, about: str, samples: Iterable[_Sample], *labels: str) -> Metric:
    gauge = GaugeMetricFamily(f"orchestrator_{name}", about, labels=labels)
    shown: dict[tuple[str, ...], float] = {}
    for values, value in samples:  # of two foreign names that look alike, the first is shown
        shown.setdefault(tuple(_plain(each) for each in values), value)
    for names, value in shown.items():
        gauge.add_metric(names, value)
    return gauge


def _makers(
    registry: CollectorRegistry,
) -> tuple[Callable[..., Counter], Callable[..., Histogram]]:
    def count(name: str, about: str, *labels: str) -> Counter:
        return Counter(f"orchestrator_{name}", about, labels, registry=registry)

    def measure(name: str, about: str, buckets: Sequence[float], *labels: str) -> Histogram:
        name = f"orchestrator_{name}"
        return Histogram(name, about, labels, registry=registry, buckets=buckets)

    return count, measure


def _settled(op: Operation) -> str | None:
    match op.state:
        case Succeeded(outcome=outcome):
            return outcome.value
        case Failed() | NeedsHuman():
            return STATE_NAMES[type(op.state)]
        case state if (name := STATE_NAMES[type(state)]) in {"skipped", "cancelled"}:
            return name
        case _:
            return None


def _code(code: str) -> str:
    if code in _CODES:
        return code
    return f"{code[0]}xx" if _STATUS.fullmatch(code) else "other"


def _plain(value: str) -> str:
    """Return a label's value that any reader can take: short, and nothing that steers."""
    shown = "".join(
        "?" if unicodedata.category(each).startswith(("C", "Z")) and each != " " else each
        for each in value[:_LONGEST_LABEL]
    )
    return shown if len(value) <= _LONGEST_LABEL else f"{shown}…"
