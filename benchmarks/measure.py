"""What a process costs, as the kernel counts it; and a child that is measured by itself and says
so in one line of JSON."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from orchestrator.cli.loop import drive, fast_loop

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE_S: Final = 300.0
"""More than any part takes on a busy machine."""
MB: Final = 1_000_000


def cpu_seconds() -> float:
    """Return the user and system time of this process, all its threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_seconds_of(pid: int) -> float:
    """Return the same of another process, as far as the kernel has counted it: to the 10 ms."""
    _, _, counted = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    user, system = counted.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int | str = "self") -> int:
    """Return what a process has in memory now."""
    return _status(pid)["VmRSS"]


def peak_rss_bytes(pid: int | str = "self") -> int:
    """Return the most that a process ever had in memory.

    `ru_maxrss` would count what its parent had: the kernel hands that on over fork and exec.
    """
    return _status(pid)["VmHWM"]


def _status(pid: int | str) -> dict[str, int]:
    """Return the bytes that the kernel tells of a process, by their names."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if "kB" in line}


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Seconds and CPU seconds since it was started."""

    wall_at: float
    cpu_at: float

    @classmethod
    def started(cls) -> Self:
        """Start one now."""
        return cls(monotonic(), cpu_seconds())

    def read(self) -> dict[str, float]:
        """Return both, under the names that the figures have."""
        return {"wall_s": monotonic() - self.wall_at, "cpu_s": cpu_seconds() - self.cpu_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a measured child has to do."""

    origin: str
    vms: int
    subscriptions: int = 1
    poll_s: float = 1.0
    takes_s: float = 4.0
    workers: int = 100
    # Of the product only:
    database: str = ""
    until: str = "succeeded"
    """The state that every VM must reach; with `seconds` it is not waited for."""
    seconds: float = 0.0
    """How long to look on, where nothing ends by itself."""
    warm_s: float = 0.0
    """How long to work before what is measured begins."""
    respread: bool = True
    """Whether the first polls are planned anew, within one interval from the begin; else they are
    as the database has them."""
    limited: bool = False
    """Whether Azure's buckets are believed to be Azure's."""


Figures = dict[str, Any]


def child(module: str, job: Job) -> Figures:
    """Run a module of `benchmarks` in a process of its own and return the figures it prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(asdict(job))]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} ended with code {done.returncode}; what it said is above")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def job() -> Job:
    """Return the job that this child was given."""
    return Job(**json.loads(sys.argv[1]))


def tell(figures: Mapping[str, Any]) -> None:
    """Say what was measured: the last line of this child."""
    print(json.dumps({"loop": loop_name(), **figures}))


def run(main: Coroutine[Any, Any, Figures]) -> None:
    """Run a child's main on the loop that the daemon takes, and tell its figures."""
    tell(drive(main))


def loop_name() -> str:
    """Return which event loop the daemon takes here."""
    return "asyncio" if fast_loop() is None else "uvloop"
