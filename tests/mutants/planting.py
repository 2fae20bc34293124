"""Planting a bug in a copy of the tree, and letting the simulation hunt for it there.

A breach counts only if the same seed is clean without the bug. What fails to run is no catch.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.mutants.mutant import Mutant

ROOT: Final = Path(__file__).parents[2]
_NEEDED: Final = ("orchestrator", "migrations", "tests")
_FOUND: Final = re.compile(r"^after \d+ schedules: (INV-\d+): (.*)$", re.MULTILINE)
_SEED: Final = re.compile(r"^seed (\d+): ", re.MULTILINE)
_SECONDS: Final = re.compile(r"^\d+ schedules in (\d+) s ", re.MULTILINE)
_PATIENCE: Final = 3.0
"""Seconds of real time for one schedule, on average: a hunt that takes longer hangs."""


class BadMutantError(Exception):
    """The bug could not be planted, or the simulation did not run with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one mutant: caught after so many schedules, or not (`after` is None)."""

    mutant: Mutant
    after: int | None
    seconds: int
    invariant: str = ""
    breach: str = ""
    error: str = ""
    unclean: tuple[int, ...] = ()
    """Seeds on the way that break without the bug, too."""


@contextmanager
def copied(mutant: Mutant | None = None) -> Iterator[Path]:
    """Copy what a simulation needs, with a bug or without, and return where it is."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for name in _NEEDED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            plant(mutant, root)
        yield root


def plant(mutant: Mutant, root: Path) -> None:
    """Make a mutant's edits below a folder. Raises `BadMutantError`."""
    for edit in mutant.edits:
        path = root / edit.file
        text = path.read_text("utf-8")
        if text.count(edit.before) != 1:
            found = text.count(edit.before)
            raise BadMutantError(f"{found} places in {edit.file} say: {edit.before}")
        path.write_text(text.replace(edit.before, edit.after), "utf-8")


def judge(mutant: Mutant, clean: Path, schedules: int) -> Outcome:
    """Hunt for a mutant through so many schedules; `clean` is a copy without any bug."""
    first, seconds = 0, 0
    unclean: tuple[int, ...] = ()
    try:
        with copied(mutant) as root:
            while first < schedules:
                said = _hunt(root, first, schedules - first)
                seconds += _spent(said)
                found, seed = _FOUND.search(said), _SEED.search(said)
                if found is None or seed is None:
                    break
                first = int(seed[1]) + 1
                if _is_clean(clean, int(seed[1])):
                    return Outcome(
                        mutant=mutant,
                        after=first,
                        seconds=seconds,
                        invariant=found[1],
                        breach=found[2],
                        unclean=unclean,
                    )
                unclean += (int(seed[1]),)
    except BadMutantError as error:
        return Outcome(mutant=mutant, after=None, seconds=seconds, error=str(error))
    return Outcome(mutant=mutant, after=None, seconds=seconds, unclean=unclean)


def _hunt(root: Path, first: int, schedules: int) -> str:
    """Return what the hunt printed; a breach ends it."""
    asked = ("--first", str(first), "--schedules", str(schedules), "--processes", "1", "--plain")
    try:
        done = _simulate(root, "hunt", *asked, seconds=300 + schedules * _PATIENCE)
    except subprocess.TimeoutExpired:
        raise BadMutantError("the simulation did not come to an end") from None
    if done.returncode not in {0, 1} or (done.returncode == 1 and not _FOUND.search(done.stdout)):
        raise BadMutantError(f"the simulation did not run: {done.stderr.strip()[-400:]}")
    return done.stdout


def _is_clean(root: Path, seed: int) -> bool:
    return _simulate(root, "play", str(seed), seconds=300).returncode == 0


def _simulate(root: Path, *asked: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *asked],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _spent(said: str) -> int:
    found = _SECONDS.search(said)
    return int(found[1]) if found else 0
