"""Parts b and f: the shipped commands as processes of their own: what the daemon has in memory with
N operations in flight, how soon after a restart it polls again, and what the command line costs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import fake_arm
from benchmarks.fake_arm import FakeArm
from benchmarks.figures import Finding, Part, Sizes
from benchmarks.fleet import fleet, plan
from benchmarks.measure import (
    MB,
    PATIENCE_S,
    ROOT,
    Figures,
    cpu_seconds_of,
    peak_rss_bytes,
    rss_bytes,
)
from benchmarks.prepared import Takes, prepare_running

BYTES_PER_OPERATION: Final = 2_000.0
MOST_MB: Final = {0: 110.0, 100_000: 300.0}
"""By operations in flight; none: an idle daemon."""
FIRST_POLL_S: Final = 4.0
READS_AFTER_S: Final = 10.0
READS: Final = 0.8 * (250 + 25 * READS_AFTER_S)
"""What may be read in that time: ARM's bucket and its refill, without the customer's fifth."""
HELP_MS, STATUS_MS = 150.0, 700.0
_TELLS_MEMORY: Final = """\
import atexit, runpy, sys
def tell():
    lines = open("/proc/self/status").read().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(tell)
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""
_CONFIG: Final = """\
azure:
  cloud: {{endpoint: "{origin}"}}
  credential: {{fixed_token: BENCHMARK_TOKEN}}
database: "{database}"
http: {{listen: "127.0.0.1:{port}"}}
plans:
  - {{name: bench, waves: [{{select: {{tags: {{ring: none}}}}}}]}}
"""


def memory(sizes: Sizes) -> Part:
    """Part b: memory by operations in flight; at the largest size also part e's restart."""
    rows = {vms: restarted(vms) for vms in (0, *sizes.memory)}
    least, most = min(sizes.memory), max(sizes.memory)
    each = (rows[most]["rss"] - rows[least]["rss"]) / max(1, most - least)
    size = f"{least:,} to {most:,} in flight"
    findings = [_finding("b", f"bytes per operation, {size}", each, BYTES_PER_OPERATION)]
    for vms, row in rows.items():
        what = f"{vms:,} in flight" if vms else "idle daemon"
        findings.append(_finding("b", f"memory, {what}", row["rss"] / MB, MOST_MB.get(vms), "MB"))
        findings.append(_finding("b", f"share of a core, {what}", row["share"], None))
    last, open_ones = rows[most], f"{most:,} open operations"
    findings += [
        _finding(
            "e", f"restart to first poll, {open_ones}", last["first_poll_s"], FIRST_POLL_S, "s"
        ),
        _finding("e", f"reads in the first 10 s after it, {open_ones}", last["reads"], READS),
    ]
    return Part(findings, {str(vms): row for vms, row in rows.items()})


def command_line(sizes: Sizes) -> Part:
    """Part f: what a person waits for."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, fake_arm.serving() as arm:
        stage = _stage(Path(folder), arm, 100)
        shown = [timed(stage, "--help") for _ in range(sizes.commands)]
        asked = [timed(stage, "status", "-c", str(stage.config)) for _ in range(sizes.commands)]
    findings = [
        _finding("f", "orchestrator --help", _median(shown, "wall_ms"), HELP_MS, "ms"),
        _finding("f", "orchestrator status", _median(asked, "wall_ms"), STATUS_MS, "ms"),
        _finding("f", "memory of --help", _median(shown, "rss") / MB, None, "MB"),
        _finding("f", "memory of status", _median(asked, "rss") / MB, None, "MB"),
    ]
    return Part(findings, {"help": shown, "status": asked})


def _finding(part: str, figure: str, seen: float, bar: float | None, unit: str = "") -> Finding:
    return Finding(part=part, figure=figure, seen=seen, bar=bar, unit=unit)


def _median(rows: Sequence[Figures], figure: str) -> float:
    return float(median(row[figure] for row in rows))


# ---------------------------------------------------------------------------------- processes


@dataclass(frozen=True, slots=True)
class _Stage:
    config: Path
    environ: dict[str, str]

    @property
    def log(self) -> Path:
        """Where the daemon writes."""
        return self.config.with_suffix(".log")


def _stage(folder: Path, arm: FakeArm, vms: int) -> _Stage:
    """Write a configuration, and a database with so many operations in progress, all due."""
    database = f"sqlite:///{folder}/bench.db"
    config = folder / "bench.yaml"
    config.write_text(_CONFIG.format(origin=arm.url, database=database, port=_free_port()))
    if vms:
        start = datetime.now(UTC) - timedelta(minutes=10)
        spec = plan(timedelta(seconds=30))
        takes = Takes(arm.url, 3600.0)
        asyncio.run(prepare_running(database, fleet(vms), spec, start, takes))
    return _Stage(config, {**os.environ, "BENCHMARK_TOKEN": "token"})


def restarted(vms: int) -> Figures:
    """Start the daemon on a database with so many open operations; return its memory and its first
    reads ten seconds after the first of them (without any: after the door is open).

    The epoch is the daemon's start.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, fake_arm.serving() as arm:
        stage = _stage(Path(folder), arm, vms)
        arm.epoch(takes_s=3600, retry_s=30)
        with _daemon(stage) as process:
            _until(lambda: "serves" in stage.log.read_text(), process)
            if vms:
                _until(lambda: arm.stats()["polls"] > 0, process)
            before = cpu_seconds_of(process.pid)
            time.sleep(READS_AFTER_S)
            stats = arm.stats()
            return {
                "share": (cpu_seconds_of(process.pid) - before) / READS_AFTER_S,
                "first_poll_s": stats["first_poll_ms"] / 1000,
                "reads": stats["polls"] + stats["looks"],
                "queries": stats["queries"],
                "rss": rss_bytes(process.pid),
                "peak_rss": peak_rss_bytes(process.pid),
            }


@contextmanager
def _daemon(stage: _Stage) -> Iterator[subprocess.Popen[str]]:
    """Run `orchestrator serve` until it is told to stop."""
    command = [sys.executable, "-m", "orchestrator", "serve", "-c", str(stage.config)]
    with stage.log.open("w") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=stage.environ, stderr=said, text=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if process.returncode:
        raise RuntimeError(
            f"the daemon ended with {process.returncode}: {stage.log.read_text()[-2000:]}"
        )


def _until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds of a daemon that lives."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the daemon does not get to work")
        time.sleep(0.05)


def timed(stage: _Stage, *words: str) -> Figures:
    """Run a command twice: once for the time it takes, once for the memory it has at most."""
    command = [sys.executable, "-m", "orchestrator", *words]
    began = time.monotonic()
    _said(stage, command)
    wall = time.monotonic() - began
    said = _said(stage, [sys.executable, "-c", _TELLS_MEMORY, *words])
    return {"wall_ms": wall * 1000, "rss": int(said.split()[-1]) * 1024}


def _said(stage: _Stage, command: Sequence[str]) -> str:
    """Run a command to its end and return what it wrote to stderr."""
    done = subprocess.run(
        command, cwd=ROOT, env=stage.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
