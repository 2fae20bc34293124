"""What a part brings home, how pieces of one part add up, and the table of all of them.

A piece is a line of JSON in a file, so that a long campaign may be played in short commands.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One piece of one part. `counts` add up over pieces; of `samples` (seconds, say) the table
    shows the median and the highest; `violations` are sentences, and one is too many."""

    part: str
    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of harm. `play(options)` may take about `options.seconds`; `options.seed` is set.

    `usual` are the words that `all` plays it with: each entry is one piece; `share` is what each
    piece gets of the whole time.
    """

    name: str
    help: str
    options: Callable[[ArgumentParser], None]
    play: Callable[[Namespace], Report]
    usual: Sequence[Sequence[str]] = ((),)
    share: float = 1.0


def say(line: str) -> None:
    """Print a line of progress at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def keep(report: Report, path: Path) -> None:
    """Add a piece to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(report)) + "\n")


def kept(path: Path) -> list[Report]:
    """Return every piece in the file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return [Report(**json.loads(line)) for line in lines]


def added(reports: Iterable[Report]) -> list[Report]:
    """Add the pieces of each part up; the seed of the first stands for all."""
    whole: dict[str, Report] = {}
    for piece in reports:
        sum_ = whole.setdefault(piece.part, Report(part=piece.part, seed=piece.seed))
        for name, count in piece.counts.items():
            sum_.counts[name] = sum_.counts.get(name, 0) + count
        for name, values in piece.samples.items():
            sum_.samples.setdefault(name, []).extend(values)
        sum_.violations.extend(piece.violations)
    return list(whole.values())


def table(reports: Iterable[Report]) -> str:
    """Write the figures of every part, and every violation in full."""
    lines = []
    for report in added(reports):
        wrong = len(report.violations)
        lines.append(f"{report.part} (seed {report.seed}): {wrong} violations")
        width = max((len(name) for name in (*report.counts, *report.samples)), default=0)
        lines += [f"  {name:{width}}  {count}" for name, count in report.counts.items()]
        lines += [
            f"  {name:{width}}  p50 {median(values):.1f}, max {max(values):.1f} of {len(values)}"
            for name, values in report.samples.items()
            if values
        ]
        lines += [f"  VIOLATION {sentence}" for sentence in report.violations]
    return "\n".join(lines)
