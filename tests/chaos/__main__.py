"""`python -m tests.chaos PART` plays one piece, `all` every part within a time, `table` adds up.

Each piece prints its seed and its progress, and is kept in a file: a campaign that is longer than a
command may run is played in pieces. The exit code is 1 when anything was violated.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from secrets import randbelow

from tests.chaos import disk, figures, killing, network, outages, pausing
from tests.chaos.reporting import Part, Report, keep, kept, say, table

PARTS: tuple[Part, ...] = (
    *killing.PARTS,
    *pausing.PARTS,
    *network.PARTS,
    *outages.PARTS,
    *disk.PARTS,
    *figures.PARTS,
)
_KEPT = Path("build/chaos.jsonl")


def main(words: list[str]) -> int:
    """Play what the words ask for."""
    options = _parser().parse_args(words)
    match options.part:
        case "table":
            return _tell(options.keep)
        case "all":
            return _play_all(options)
        case _:
            _play(next(part for part in PARTS if part.name == options.part), options)
            return _tell(options.keep)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for part in PARTS:
        part.options(_common(parts.add_parser(part.name, help=part.help)))
    everything = _common(parts.add_parser("all", help="every part, sharing the time"))
    names = [part.name for part in PARTS]
    everything.add_argument("--only", action="append", choices=names, help="only this part")
    parts.add_parser("table", help="add the kept pieces up").add_argument(
        "--keep", type=Path, default=_KEPT
    )
    return parser


def _common(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("--seconds", type=float, default=540.0, help="about how long to play")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--keep", type=Path, default=_KEPT, help="the file of the kept pieces")
    return parser


def _play(part: Part, options: Namespace) -> None:
    if options.seed is None:
        options.seed = randbelow(1_000_000)
    given = {key: value for key, value in vars(options).items() if key not in {"part", "keep"}}
    given = {key: value for key, value in given.items() if value not in (None, False)}
    words = " ".join(f"--{key} {value}" for key, value in given.items())
    say(f"python -m tests.chaos {part.name} {words}")
    try:
        report = part.play(options)
    except AssertionError as error:  # a daemon that will not start, a run that never ends
        sentence = f"it could not be played to its end: {error}"
        report = Report(part=part.name, seed=options.seed, violations=[sentence])
    keep(report, options.keep)


def _play_all(options: Namespace) -> int:
    """Play every usual piece with its share of the time; a fresh file of pieces is begun."""
    options.keep.unlink(missing_ok=True)
    chosen = [part for part in PARTS if not options.only or part.name in options.only]
    whole = sum(part.share * len(part.usual) for part in chosen)
    for part in chosen:
        for words in part.usual:
            seconds = options.seconds * part.share / whole
            common = ["--seconds", f"{seconds:.0f}", "--keep", str(options.keep)]
            seed = [] if options.seed is None else ["--seed", str(options.seed)]
            _play(part, _parser().parse_args([part.name, *words, *common, *seed]))
    return _tell(options.keep)


def _tell(path: Path) -> int:
    reports = kept(path)
    say(table(reports))
    return 1 if any(report.violations for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
