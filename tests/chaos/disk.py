"""The disk under a SQLite database is full, or may not be written.

The bars: nothing is sent without an intent on disk, nothing is lost, and work goes on by itself
once there is room. A full disk is a tiny tmpfs where mounting is permitted, else (or besides) a
limit on the size of the daemon's files: both make a write fail in the middle of everything.
"""

import asyncio
import os
import resource
import shutil
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from orchestrator.clock import WallClock
from orchestrator.http.token import NAME
from orchestrator.store import schema
from orchestrator.store.opening import open_reading
from tests.acceptance.processes import end
from tests.chaos.judging import verdict
from tests.chaos.reporting import Part, Report, say
from tests.chaos.stage import TRACKING, Play, Setting, Stopwatch, playing, rest

RESUMED_WITHIN_S = 15.0
_GIVEN_UP_S = 60.0
_LOOK_EVERY_S = 0.02
_DISK = "16m"
_BLOCK = bytes(4096)
_FULL = "disk is full"
"""How SQLite tells it of a full file system."""


@dataclass(frozen=True, slots=True)
class Disk:
    """How to fill what a daemon writes to, and how to make room."""

    fill: Callable[[], None]
    free: Callable[[], None]


def may_mount() -> str | None:
    """Say why no file system can be mounted here; None: it can."""
    if os.geteuid():
        return "mounting needs root"
    with suppress(subprocess.CalledProcessError, OSError):
        _sh("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
        return None
    return "mounting is not permitted here"


@contextmanager
def tiny_disk(play: Play) -> Iterator[Disk]:
    """Move the database of a stage to a tiny file system of its own, while the block runs."""
    folder = play.stage.folder / "disk"
    folder.mkdir()
    ballast = folder / "ballast"
    _sh("mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=700", "tmpfs", str(folder))
    try:
        play.stage.database = f"sqlite:///{folder}/status.db"
        play.stage.configure(play.plans_text, tracking=TRACKING)
        yield Disk(lambda: _fill(ballast), lambda: ballast.unlink(missing_ok=True))
    finally:
        for process in play.stage.started[1:]:  # all but the simulator write to it
            end(process)
        _sh("umount", str(folder))


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(_BLOCK)


def small_files(pid: int) -> Disk:
    """Return a disk that is full as soon as a file of this process has a page or two.

    Python ignores SIGXFSZ, so that a write beyond the limit fails instead of killing.
    """

    def limit(soft: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    return Disk(lambda: limit(len(_BLOCK)), lambda: limit(resource.RLIM_INFINITY))


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nobody write to a file, or into a folder, while the block runs: not even root."""
    if os.geteuid():
        mode = path.stat().st_mode
        path.chmod(mode & ~0o222)
        try:
            yield
        finally:
            path.chmod(mode)
        return
    _sh("mount", "--bind", str(path), str(path))
    try:
        _sh("mount", "-o", "remount,bind,ro", str(path))
        yield
    finally:
        _sh("umount", str(path))


def _sh(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


# ------------------------------------------------------------------------------------------- full


def full(options: Namespace) -> Report:
    """Fill the disk again and again while runs are driven, and make room again."""
    report = Report(part="disk", seed=options.seed)
    setting = Setting(vms=options.operations, plans=2, parallel=20, takes=3.0, seed=options.seed)
    reason = may_mount() if options.how == "tmpfs" else None
    if reason is not None:
        say(f"  left out: {reason}")
        report.counts[f"left out: {reason}"] = 1
        return report
    with ExitStack() as stack:
        play = stack.enter_context(playing("sqlite", setting))
        disk = stack.enter_context(tiny_disk(play)) if options.how == "tmpfs" else None
        daemon = play.stage.serve()
        if disk is not None:  # the operator of the stage looks for the token beside its own files
            shutil.copy2(play.stage.folder / "disk" / NAME, play.stage.folder / NAME)
        _fill_and_free(report, play, disk or small_files(daemon.pid), options)
        play.wind_up(serve=False)
        found = verdict(play)
        report.counts.update(found.counts)
        report.violations.extend(found.violations)
        if daemon.poll() is not None:
            report.violations.append(f"the daemon ended by itself with code {daemon.poll()}")
        report.violations.extend(_untold(play, told=options.how == "tmpfs"))
    return report


def _fill_and_free(report: Report, play: Play, disk: Disk, options: Namespace) -> None:
    watch, times, stood_still = Stopwatch(), 0, 0
    while times < options.least or watch.seconds < options.seconds - 30:
        play.open_runs()
        rest(play.random.uniform(0.3, 3))
        disk.fill()
        before = _count(play)
        rest(play.random.uniform(1, 4))
        more = _count(play) - before
        busy = bool(sum(play.states().values()))
        disk.free()
        times += 1
        stood_still += not more
        if not busy:
            continue  # what was open ended just before: nothing is to go on
        seconds = _resumed_after(play)
        say(f"  full {times}: {more} events meanwhile, work went on after {seconds}")
        report.samples.setdefault("seconds until work resumes", []).append(seconds or 0.0)
        if seconds is None or seconds > RESUMED_WITHIN_S:
            report.violations.append(f"after full disk {times} work went on after {seconds} s")
    report.counts.update({"times full": times, "times nothing was written": stood_still})
    if not stood_still:
        report.violations.append("the disk was never so full that nothing could be written")


def _untold(play: Play, *, told: bool) -> Iterator[str]:
    """What the log lacks, or has too much. Under a limit its own file cannot grow either."""
    said = play.stage.errors()
    if told and _FULL not in said:
        yield "the log says nothing of a full disk"
    if "Traceback" in said or '"traceback"' in said:
        yield "a daemon wrote a traceback"


def _events(connection: Connection) -> int:
    total = select(func.coalesce(func.sum(schema.event_head.c.seq), 0))
    return int(connection.execute(total).scalar_one())


def _count(play: Play) -> int:
    return play.stage.read(lambda store: store._read(_events))


def _resumed_after(play: Play) -> float | None:
    return asyncio.run(_next_event(play.stage.database))


async def _next_event(url: str) -> float | None:
    watch, clock = Stopwatch(), WallClock()
    async with open_reading(url, clock=clock, attempts=1) as store:
        before = await store._read(_events)
        while watch.seconds < _GIVEN_UP_S:
            if await store._read(_events) != before:
                return watch.seconds
            await clock.sleep(_LOOK_EVERY_S)
    return None


# -------------------------------------------------------------------------------------- read-only


def unwritable(options: Namespace) -> Report:
    """Start a daemon where it may not write: the folder, then the file of an open run."""
    report = Report(part="unwritable", seed=options.seed)
    reason = None if os.geteuid() else may_mount()
    if reason is not None:
        say(f"  left out: {reason}")
        report.counts[f"left out: {reason}"] = 1
        return report
    with playing("sqlite", Setting(vms=20, parallel=5, takes=2.0, seed=options.seed)) as play:
        folder = play.stage.folder / "disk"
        folder.mkdir()
        play.stage.database = f"sqlite:///{folder}/status.db"
        play.stage.configure(play.plans_text, tracking=TRACKING)
        with read_only(folder):
            _refused(report, play, "unwritable folder")
        daemon = play.stage.serve()
        shutil.copy2(folder / NAME, play.stage.folder / NAME)
        play.open_runs()
        rest(1)
        end(daemon)
        with read_only(folder / "status.db"):
            _refused(report, play, "read-only file")
        play.wind_up()
        found = verdict(play)
    report.counts.update(found.counts)
    report.violations.extend(found.violations)
    return report


def _refused(report: Report, play: Play, what: str) -> None:
    """Start a daemon in vain: one clear message, its exit code, and nothing sent."""
    before = play.stage.ledger()["posts"]
    done = play.stage.run("serve")
    report.counts[f"{what}: exit code"] = done.returncode
    say(f"  {what}: {done.returncode} {done.stderr.strip()[-300:]}")
    if done.returncode != 6 or "Traceback" in done.stderr or "status.db" not in done.stderr:
        report.violations.append(f"{what}: code {done.returncode}, {done.stderr[-300:]!r}")
    if play.stage.ledger()["posts"] != before:
        report.violations.append(f"{what}: something was sent")


def _full_options(parser: ArgumentParser) -> None:
    parser.add_argument("--how", choices=("tmpfs", "limit"), default="tmpfs")
    parser.add_argument("--operations", type=int, default=200, help="VMs of one run")
    parser.add_argument("--least", type=int, default=1, help="at least so often is it full")


PARTS = (
    Part(
        name="disk",
        help="the disk full again and again: a tiny tmpfs, or a limit on the size of files",
        options=_full_options,
        play=full,
        usual=(("--how", "tmpfs"), ("--how", "limit")),
        share=0.2,
    ),
    Part(
        name="unwritable",
        help="a folder and a file that may not be written",
        options=lambda _parser: None,
        play=unwritable,
        share=0.05,
    ),
)
