"""The three locks: whole, hashed, and of one mind with pyproject.toml and with each other."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.house import tree

EVERYTHING = tree.ROOT / "requirements.txt"
RUNTIME = tree.ROOT / "requirements-runtime.txt"
BENCH = tree.ROOT / "requirements-bench.txt"
PROJECT = tomllib.loads(tree.text(tree.ROOT / "pyproject.toml"))


def test_what_runs_is_a_part_of_what_is_tested():
    assert pins(RUNTIME).items() <= pins(EVERYTHING).items()
    assert len(pins(RUNTIME)) < len(pins(EVERYTHING))


@pytest.mark.parametrize("lock", [EVERYTHING, RUNTIME, BENCH], ids=tree.name)
def test_every_pin_has_its_hashes_and_nothing_else_is_in_a_lock(lock):
    unhashed = re.sub(
        r"^(\S+==\S+)( ; [^\\]+)?( \\\n +--hash=sha256:[0-9a-f]{64})+\n",
        "",
        tree.text(lock),
        flags=re.MULTILINE,
    )
    assert unhashed == ""


@pytest.mark.parametrize("lock", [EVERYTHING, RUNTIME, BENCH], ids=tree.name)
def test_a_lock_holds_all_that_the_project_needs_to_run_and_to_be_installed(lock):
    needed = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
    needed += PROJECT["project"]["optional-dependencies"]["postgres"]
    assert {bare(requirement) for requirement in needed} <= set(pins(lock))


def test_the_lock_holds_all_that_the_tests_need():
    dev = [item for item in PROJECT["dependency-groups"]["dev"] if isinstance(item, str)]
    assert {bare(requirement) for requirement in dev} <= set(pins(EVERYTHING))


def test_what_is_measured_has_the_versions_that_are_tested():
    tested, measured = pins(EVERYTHING), pins(BENCH)
    assert {name: version for name, version in measured.items() if name in tested} | {
        "uvloop": measured["uvloop"]
    } == measured


def test_the_build_back_end_is_the_locked_one():
    assert PROJECT["build-system"]["requires"] == [f"hatchling=={pins(RUNTIME)['hatchling']}"]


def pins(lock: Path) -> dict[str, str]:
    """Return what a lock pins, by its normal name."""
    return dict(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", tree.text(lock), re.MULTILINE))


def bare(requirement: str) -> str:
    """Return the normal name of what a requirement asks for."""
    return re.split(r"[\[<>=~! ]", requirement)[0].lower().replace("_", "-")
