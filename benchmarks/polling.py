"""Part a: the CPU for a poll, and how late everything ends, with thousands of operations in flight
that are polled every second and take a few: the product beside the floor and beside the SDK."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks import fake_arm
from benchmarks.figures import Finding, Part, Sizes, middle
from benchmarks.fleet import fleet, plan
from benchmarks.measure import MB, Figures, Job, child
from benchmarks.prepared import Takes, prepare_running

RIVALS: Final = ("product", "bare", "sdk")
POLL_S: Final = 1.0
MOST_OVER_FLOOR: Final = 1.25
MOST_OF_SDK: Final = 1 / 6
MOST_OVER_IDEAL: Final = 1.4


def measure(sizes: Sizes) -> Part:
    """Measure all three in turn, round by round."""
    rounds = [
        {rival: polled(rival, sizes.in_flight, takes_s=sizes.takes_s) for rival in RIVALS}
        for _ in range(sizes.rounds)
    ]
    ratios = [
        {
            "floor": each["product"]["us_per_request"] / each["bare"]["us_per_request"],
            "sdk": each["product"]["us_per_request"] / each["sdk"]["us_per_request"],
        }
        for each in rounds
    ]
    of = {rival: [each[rival] for each in rounds] for rival in RIVALS}
    size = f"{sizes.in_flight:,} in flight"
    findings = [
        _a(f"CPU per poll over the bare loop, {size}", middle(ratios, "floor"), MOST_OVER_FLOOR),
        _a(f"CPU per poll over the SDK, {size}", middle(ratios, "sdk"), MOST_OF_SDK),
    ]
    for rival in RIVALS:
        bar = MOST_OVER_IDEAL if rival == "product" else None
        findings.append(
            _a(f"makespan over ideal: {rival}", middle(of[rival], "makespan_over_ideal"), bar)
        )
    for rival, rows in of.items():
        findings += [
            _a(f"CPU per request: {rival}", middle(rows, "us_per_request"), unit="µs"),
            _a(f"requests per core: {rival}", middle(rows, "requests_per_core_s"), unit="/s"),
            _a(f"poll late by, p99: {rival}", middle(rows, "late_p99_ms"), unit="ms"),
            _a(f"peak memory: {rival}", middle(rows, "peak_rss") / MB, unit="MB"),
        ]
    return Part(findings, {"rounds": rounds})


def _a(figure: str, seen: float, bar: float | None = None, unit: str = "") -> Finding:
    return Finding(part="a", figure=figure, seen=seen, bar=bar, unit=unit)


def polled(rival: str, vms: int, *, poll_s: float = POLL_S, takes_s: float = 4.0) -> Figures:
    """Let one rival follow so many operations to their end, and return what it cost.

    The ideal makespan is an operation's length, and one interval more where the first polls are
    spread over one; the SDK's are not.
    """
    with fake_arm.serving() as arm, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        job = Job(origin=arm.url, vms=vms, poll_s=poll_s, takes_s=takes_s)
        if rival == "product":
            job = prepared(job, f"sqlite:///{folder}/bench.db")
        found = child(f"rivals.{rival}", job)
        stats = arm.stats()
    requests = stats["polls"]
    ideal = takes_s + (0.0 if rival == "sdk" else poll_s)
    return {
        **found,
        "requests": requests,
        "ends": stats["ends"],
        "us_per_request": found["cpu_s"] / requests * 1e6,
        "requests_per_core_s": requests / found["cpu_s"],
        "makespan_over_ideal": found["wall_s"] / ideal,
        "late_p99_ms": stats["late_p99_ms"],
    }


def prepared(job: Job, url: str) -> Job:
    """Write the database in which the job's operations are in progress."""
    spec = plan(timedelta(seconds=job.poll_s))
    members = fleet(job.vms, job.subscriptions)
    takes = Takes(job.origin, job.takes_s)
    asyncio.run(prepare_running(url, members, spec, datetime.now(UTC), takes))
    return replace(job, database=url)
