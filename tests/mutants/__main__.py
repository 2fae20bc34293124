"""`python -m tests.mutants`: plant each bug, hunt for it, and print what caught it."""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.planting import Outcome, copied, judge

QUICK_SHARE: Final = 0.8
"""The share of the mutants that must be caught within `--quick` schedules."""
_AT_ONCE: Final = 2


def main() -> int:
    """Judge the mutants; 1 means that one went unseen (or an equivalent was seen)."""
    given = _arguments()
    chosen = _chosen(given)
    if given.list:
        for mutant in chosen:
            _say(f"{mutant.name}: {mutant.why}" + _note(mutant))
        return 0
    outcomes = []
    with copied() as clean, ThreadPoolExecutor(_AT_ONCE) as pool:
        judged = [
            pool.submit(judge, m, clean, given.equivalents if m.masked_by else given.schedules)
            for m in chosen
        ]
        _say(f"{'mutant':<58}{'after':>7}  {'by':<8}{'seconds':>7}")
        for waiting in judged:
            outcomes.append(waiting.result())
            _say(_line(outcomes[-1]))
    if given.json:
        given.json.write_text(json.dumps([_plain(one) for one in outcomes], indent=1) + "\n")
    return _summed_up(outcomes, given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--name", action="append", help="only mutants whose name has this in it")
    parser.add_argument("--schedules", type=int, default=10_000, help="hunt for each so long")
    parser.add_argument("--quick", type=int, default=500, help="most must be caught so soon")
    parser.add_argument("--equivalents", type=int, default=1_000, help="hunt for these so long")
    parser.add_argument("--part", default="1/1", help="i/n: the i-th of n parts")
    parser.add_argument("--list", action="store_true", help="name the mutants, plant none")
    parser.add_argument("--json", type=Path, help="write what became of each to this file, too")
    return parser.parse_args()


def _chosen(given: argparse.Namespace) -> Sequence[Mutant]:
    part, parts = (int(number) for number in given.part.split("/"))
    named = [m for m in MUTANTS if not given.name or any(word in m.name for word in given.name)]
    return named[part - 1 :: parts]


def _note(mutant: Mutant) -> str:
    return f" [equivalent: {mutant.masked_by}]" if mutant.masked_by else ""


def _line(outcome: Outcome) -> str:
    after = "-" if outcome.after is None else str(outcome.after)
    by = outcome.invariant or ("ERROR" if outcome.error else "")
    note = outcome.error or ("equivalent" if outcome.mutant.masked_by else "")
    name = outcome.mutant.name
    return f"{name:<58}{after:>7}  {by:<8}{outcome.seconds:>7}  {note}".rstrip()


def _summed_up(outcomes: Sequence[Outcome], given: argparse.Namespace) -> int:
    real = [one for one in outcomes if not one.mutant.masked_by]
    caught = [one.after for one in real if one.after is not None]
    quick = sum(after <= given.quick for after in caught)
    _say(
        f"{len(caught)} of {len(real)} caught within {given.schedules} schedules,"
        f" {quick} within {given.quick};"
        f" {len(outcomes) - len(real)} equivalents"
    )
    wrong = {
        "not seen": [one for one in real if one.after is None and not one.error],
        "seen, so no equivalent": [
            one for one in outcomes if one.mutant.masked_by and one.after is not None
        ],
        "not to be judged": [one for one in outcomes if one.error],
    }
    for what, those in wrong.items():
        for one in those:
            _say(f"{what}: {one.mutant.name} {one.invariant} {one.breach[:160]}".rstrip())
    unclean = sorted({seed for one in outcomes for seed in one.unclean})
    if unclean:
        _say(f"seeds that break without any planted bug: {unclean}")
    return 1 if any(wrong.values()) or quick < QUICK_SHARE * len(real) else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.mutant.name,
        "why": outcome.mutant.why,
        "masked_by": outcome.mutant.masked_by,
        "after": outcome.after,
        "invariant": outcome.invariant,
        "breach": outcome.breach,
        "seconds": outcome.seconds,
        "error": outcome.error,
    }


if __name__ == "__main__":
    sys.exit(main())
