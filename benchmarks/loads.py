"""Parts d, e and g: how the cost of an operation grows with the fleet, how many durable submits a
second come through, and how punctual paced polls are."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks import fake_arm
from benchmarks.figures import Finding, Part, Sizes, middle
from benchmarks.fleet import fleet, plan
from benchmarks.measure import Figures, Job, child
from benchmarks.polling import polled, prepared
from benchmarks.prepared import prepare_queued
from tests.postgres import PostgresServer, find_binaries

MOST_GROWTH: Final = 1.2
SUBMITS_SQLITE, SUBMITS_POSTGRES = 3_000.0, 2_000.0
LATE_MS, LAG_MS, SHARE_OF_A_CORE = 25.0, 50.0, 0.6
PACE_S: Final = 5.0
"""Between two polls of an operation in part g: below what the planner would plan."""
SUBSCRIPTIONS: Final = 50
_DRAIN_PER_S: Final = 2_500


def growth(sizes: Sizes) -> Part:
    """Part d: CPU for one operation, from its load over one poll to its durable end, in a small and
    in a large fleet of 50 subscriptions."""
    small, large = sizes.growth
    rows = [{n: drained(n) for n in (small, large)} for _ in range(max(1, sizes.rounds // 2))]
    ratios = [{"growth": row[large]["us_per_op"] / row[small]["us_per_op"]} for row in rows]
    findings = [
        Finding(
            part="d",
            figure=f"CPU per operation at {large:,} over {small:,}",
            seen=middle(ratios, "growth"),
            bar=MOST_GROWTH,
        ),
        *(
            Finding(
                part="d",
                figure=f"CPU per operation at {n:,}",
                seen=middle([row[n] for row in rows], "us_per_op"),
                unit="µs",
            )
            for n in sizes.growth
        ),
    ]
    return Part(findings, {"rounds": [{str(n): row[n] for n in row} for row in rows]})


def drained(vms: int) -> Figures:
    """Let the product poll operations that have all ended: each once, at the same pace whatever
    their number."""
    with fake_arm.serving() as arm, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        poll_s = max(1.0, vms / _DRAIN_PER_S)
        job = Job(origin=arm.url, vms=vms, subscriptions=SUBSCRIPTIONS, poll_s=poll_s, takes_s=0.0)
        found = child("rivals.product", prepared(job, f"sqlite:///{folder}/bench.db"))
    return {**found, "us_per_op": found["cpu_s"] / vms * 1e6}


def submits(sizes: Sizes) -> Part:
    """Part e: look, intent, POST and receipt, end to end, on both databases."""
    rows: dict[str, list[Figures]] = {"sqlite": [], "postgresql": []}
    with durable_postgres() as server:
        for _ in range(sizes.rounds):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                rows["sqlite"].append(submitted(f"sqlite:///{folder}/bench.db", sizes.submits))
            url = server.create_database()
            rows["postgresql"].append(submitted(url, sizes.submits))
            server.drop_database(url)
    bars = {"sqlite": SUBMITS_SQLITE, "postgresql": SUBMITS_POSTGRES}
    findings = [
        Finding(
            part="e",
            figure=f"durable submits a second, {database}",
            seen=middle(rows[database], "per_s"),
            unit="/s",
            bar=bar,
            at_least=True,
        )
        for database, bar in bars.items()
    ]
    return Part(findings, rows)


def submitted(url: str, vms: int) -> Figures:
    """Let the product start so many VMs, and return how many a second were accepted."""
    with fake_arm.serving() as arm:
        arm.epoch(takes_s=600, retry_s=600)
        spec = plan(timedelta(seconds=600), max_unknown=vms)
        asyncio.run(prepare_queued(url, fleet(vms), spec, datetime.now(UTC)))
        job = Job(origin=arm.url, vms=vms, database=url, until="in_progress", respread=False)
        found = child("rivals.product", job)
        stats = arm.stats()
    if stats["posts"] != vms or stats["posted_twice"]:
        raise RuntimeError(f"{stats['posts']} POSTs for {vms} VMs, {stats['posted_twice']} twice")
    return {**found, "per_s": vms / found["wall_s"], "us_per_op": found["cpu_s"] / vms * 1e6}


@contextmanager
def durable_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that waits for the disk; that of the tests does not."""
    with closing(PostgresServer(find_binaries())) as server:
        for setting in ("fsync", "full_page_writes"):
            server._sql(f"ALTER SYSTEM SET {setting} = on")  # noqa: SLF001 - nobody else needs this
        server.stop()
        server.start()
        yield server


def paced(sizes: Sizes) -> Part:
    """Part g: polls at an even pace, by the planned instant and by the wire; none tells of an end,
    so what one costs is set beside the bare loop at the same pace."""
    vms = sizes.paced
    with fake_arm.serving() as arm, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        job = Job(origin=arm.url, vms=vms, poll_s=PACE_S, takes_s=3600.0)
        job = prepared(job, f"sqlite:///{folder}/bench.db")
        job = replace(job, seconds=sizes.paced_s, warm_s=PACE_S)
        found = child("rivals.product", job)
        stats = arm.stats()
    polls = found["polls_handed_out"] / sizes.paced_s
    bare = polled("bare", vms, poll_s=PACE_S, takes_s=sizes.paced_s)
    each = found["cpu_s"] / max(1, found["polls_handed_out"]) * 1e6
    return Part(
        [
            _g("poll later than planned, p99", found["handed_out_late_p99_ms"], LATE_MS, "ms"),
            _g("poll later than planned on the wire, p99", stats["late_p99_ms"], None, "ms"),
            _g("share of a core", found["cpu_s"] / found["wall_s"], SHARE_OF_A_CORE),
            _g("lag of the loop, p99", found["lag_p99_ms"], LAG_MS, "ms"),
            _g("polls a second", polls, None, "/s"),
            _g("CPU of a poll that tells nothing", each, None, "µs"),
            _g("the same over the bare loop at this pace", each / bare["us_per_request"]),
        ],
        {**found, "stats": dict(stats), "bare": bare},
    )


def _g(figure: str, seen: float, bar: float | None = None, unit: str = "") -> Finding:
    return Finding(part="g", figure=f"paced: {figure}", seen=seen, bar=bar, unit=unit)
