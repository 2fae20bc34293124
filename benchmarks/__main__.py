"""`make bench`: every part, one table, and the figures as JSON. `python -m benchmarks only a`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from benchmarks import daemon, loads, planning, polling, races
from benchmarks.figures import Finding, Part, Sizes, table
from benchmarks.measure import ROOT, loop_name

RESULTS: Final = ROOT / "benchmarks" / "results" / "latest.json"
PARTS: Final[Mapping[str, Sequence[Callable[[Sizes], Part]]]] = {
    "a": (polling.measure,),
    "b": (daemon.memory,),
    "c": (races.measure,),
    "d": (loads.growth,),
    "e": (loads.submits, planning.measure),
    "f": (daemon.command_line,),
    "g": (loads.paced,),
}
"""Part b's largest daemon also tells of part e's restart."""


def main() -> None:
    """Measure what was asked for, print the table, and write the JSON."""
    given = _given()
    findings: list[Finding] = []
    raw: dict[str, Any] = {}
    for name in given.parts or PARTS:
        for measure in PARTS[name]:
            what = f"{name}: {measure.__module__.partition('.')[2]}.{measure.__name__}"
            began = monotonic()
            part = measure(Sizes(rounds=given.rounds))
            findings += part.findings
            raw[what] = part.raw
            print(f"{what}: {monotonic() - began:.0f} s", file=sys.stderr)
    print(table(findings))
    write(given.json, findings, raw)


def write(file: Path, findings: Sequence[Finding], raw: Mapping[str, Any]) -> None:
    """Write the figures and what they were made of. No path and no name of a machine is in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "part": each.part,
            "figure": each.figure,
            "seen": each.seen,
            "unit": each.unit,
            "bar": each.bar,
            "at_least": each.at_least,
            "met": each.met,
        }
        for each in findings
    ]
    machine = {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "loop": loop_name(),
    }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"at": at, "machine": machine, "findings": rows, "raw": raw}
    file.write_text(json.dumps(whole, indent=1) + "\n")


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure the product beside its rivals and its bars."
    )
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    words = parser.add_subparsers()
    only = words.add_parser("only", help="measure these parts only")
    only.add_argument("parts", nargs="+", choices=tuple(PARTS))
    parser.set_defaults(parts=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
