"""`python -m tests.simulation`: play a seed, hunt through many, sweep, show that seeds replay."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable

from tests.simulation import campaign, sweep
from tests.simulation.schedule import Report, play
from tests.simulation.shrink import read, replay, shrunk


def main() -> int:
    """Run one command; 1 means that an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("play", help="play one schedule")
    one.add_argument("seed", type=int)
    one.add_argument("--only", type=read, help="leave out all faults but these (kind:number,…)")
    hunt = commands.add_parser("hunt", help="play many schedules, up to the first breach")
    hunt.add_argument("--schedules", type=int, default=1_000)
    hunt.add_argument("--first", type=int, default=0, help="the first seed")
    hunt.add_argument("--seconds", type=float, default=1e9, help="begin none after so long")
    hunt.add_argument("--processes", type=int, default=os.cpu_count())
    hunt.add_argument("--plain", action="store_true", help="do not shrink what breaks")
    hunt.add_argument("--breaches", type=int, default=1, help="go on until so many have broken")
    same = commands.add_parser("same", help="play seeds twice under two hash seeds")
    same.add_argument("--seeds", type=int, default=100)
    same.add_argument("--first", type=int, default=0)
    traces = commands.add_parser("traces", help="print the trace of each seed")
    traces.add_argument("--seeds", type=int, default=100)
    traces.add_argument("--first", type=int, default=0)
    sweep.add_arguments(commands.add_parser("sweep", help="one death at each point"))
    given = parser.parse_args()
    return _COMMANDS[given.command](given)


def _play(given: argparse.Namespace) -> int:
    report = play(given.seed, only=given.only)
    _tell(report)
    return 1 if report.breaches else 0


def _hunt(given: argparse.Namespace) -> int:
    seeds = range(given.first, given.first + given.schedules)
    if given.processes == 1:
        tally = campaign.alone(seeds, seconds=given.seconds)
    else:
        tally = campaign.hunt(
            seeds,
            processes=given.processes,
            seconds=given.seconds,
            most_broken=given.breaches,
            tell=_tell_progress,
        )
    print("\n".join(tally.lines()))
    for broken in tally.broken[:1]:
        print(f"after {tally.schedules} schedules: {broken.breaches[0]}")
        _tell(broken if given.plain else shrunk(broken))
    return 1 if tally.broken else 0


def _tell_progress(tally: campaign.Tally) -> None:
    print(next(tally.lines()), flush=True)
    for broken in tally.broken:
        print(f"  seed {broken.seed}: {broken.breaches[0]}", flush=True)


def _same(given: argparse.Namespace) -> int:
    command = [
        sys.executable, "-m", "tests.simulation", "traces",
        "--seeds", str(given.seeds), "--first", str(given.first),
    ]  # fmt: skip
    prints = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True, check=True
        ).stdout.splitlines()
        for salt in ("1", "2")
    ]
    unlike = [one.decode() for one, other in zip(*prints, strict=True) if one != other]
    print(f"{given.seeds} seeds played twice: {len(unlike)} left another trace {unlike[:5]}")
    return 1 if unlike else 0


def _traces(given: argparse.Namespace) -> int:
    for seed in range(given.first, given.first + given.seeds):
        print(seed, play(seed).trace)
    return 0


def _tell(report: Report) -> None:
    for breach in report.breaches:
        print(breach)
    print(
        f"seed {report.seed}: {len(report.breaches)} breaches, {len(report.faults)} faults,"
        f" {report.points} points, {report.seconds:.0f} virtual seconds, trace {report.trace[:16]}"
    )
    if report.breaches:
        print(f"again: {replay(report)}")


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "play": _play,
    "hunt": _hunt,
    "same": _same,
    "traces": _traces,
    "sweep": sweep.command,
}


if __name__ == "__main__":
    sys.exit(main())
