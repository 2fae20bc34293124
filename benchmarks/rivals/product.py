"""The product: the shipped engine, client and database, driving the run of a prepared database.
`python -m benchmarks.rivals.product JOB`."""

import asyncio
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.composition import TOKEN, Product, product
from benchmarks.fake_arm import FakeArm
from benchmarks.fleet import fleet, plan
from benchmarks.measure import Figures, Job, Stopwatch, job, peak_rss_bytes, rss_bytes, run
from benchmarks.prepared import respread
from benchmarks.watching import LagMeter, Watcher, quantile
from orchestrator.cli.garbage import look_seldom


async def _main(given: Job) -> Figures:
    os.environ[TOKEN] = "token"
    watcher = Watcher(given.vms, given.until)
    start = datetime.now(UTC) + timedelta(seconds=1 + given.vms / 10_000)
    if given.respread:
        members, spec = fleet(given.vms, given.subscriptions), plan(timedelta(seconds=given.poll_s))
        await respread(given.database, members, spec, start)
    with tempfile.TemporaryDirectory() as folder:
        opened = product(given.database, given.origin, Path(folder), watcher, limited=given.limited)
        async with opened as made:
            if given.respread:
                await asyncio.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()))
                FakeArm(given.origin).epoch(takes_s=given.takes_s, retry_s=round(given.poll_s))
            return await _measured(made, watcher, given)


async def _measured(made: Product, watcher: Watcher, given: Job) -> Figures:
    lag = LagMeter()
    watch = Stopwatch.started()
    async with asyncio.TaskGroup() as group:
        driving = group.create_task(made.drive_until(watcher.over), name="drive")
        measuring = group.create_task(lag.measure(), name="lag") if given.seconds else None
        if given.warm_s:
            await asyncio.sleep(given.warm_s)
            lag.lags.clear()
            watcher.lateness.clear()
            watch = Stopwatch.started()
        if given.seconds:
            await asyncio.sleep(given.seconds)
        else:
            await watcher.over.wait()
        figures = {**watch.read(), "rss": rss_bytes(), "peak_rss": peak_rss_bytes()}
        if measuring is not None:
            measuring.cancel()
        watcher.over.set()
        await driving
    if watcher.troubles:
        raise RuntimeError(watcher.troubles[0])
    return {
        **figures,
        "reached": dict(watcher.reached),
        "polls_handed_out": len(watcher.lateness),
        "handed_out_late_p99_ms": quantile(watcher.lateness, 0.99) * 1000,
        "lag_p99_ms": quantile(lag.lags, 0.99) * 1000,
    }


if __name__ == "__main__":
    look_seldom()  # as every command does
    run(_main(job()))
