"""The tables of `docs/waves.md`, row by row: each is written as a configuration, loaded, and played
through the plan."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.loading import load
from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import HaltRun, OpenWave
from orchestrator.domain.model import AttemptId, Tolerance
from orchestrator.domain.rollout import Start, plan
from orchestrator.domain.view import RunView
from tests.house import tree
from tests.kit.rows import EPOCH, a_snapshot, a_wave, minutes, opened, show, with_states

PAGE = tree.text(tree.ROOT / "docs" / "waves.md")
WHY = s.Why("code", "a sentence")
FAILED = s.Failed(EPOCH, s.FailureClass.GUEST, WHY)
RUNNING = s.InProgress(AttemptId("a"), EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)


def table(*heads: str) -> list[list[str]]:
    """Return the rows of the page's table with these heads, as cells of plain text."""
    start = PAGE.index(f"| {' | '.join(heads)} |\n")
    lines = PAGE[start:].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip().replace("`", "") for cell in line.split(" | ")] for line in lines]
    return [[row[0].removeprefix("| "), *row[1:-1], row[-1].removesuffix(" |")] for row in rows]


ALLOWANCES = table("VMs", "`allow_failures`", "allowed", "halts at")
COURSES = table("setting", "results, `x` bad and `.` good", "halts")
STRICT = table("allowed", "in flight", "bad", "may start")


def number(text: str) -> int:
    """Return the number with which a cell begins."""
    found = re.match(r"\D*([\d,]+)", text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


def tolerance(folder: Path, written: str | None) -> Tolerance | None:
    """Read what is tolerated as a configuration's reader would."""
    path = folder / "fleet.yaml"
    keys = "" if written is None else f", allow_failures: {written}"
    path.write_text(f"plans: [{{name: p, waves: [{{select: {{tags: {{a: b}}}}{keys}}}]}}]\n")
    return load(path, {}).plans[0].spec.waves[0].allow_failures


def just_open(vms: int, tolerated: Tolerance | None) -> tuple[RunView, OpenWave]:
    """Return a run whose wave the plan has opened."""
    view = RunView(a_snapshot((a_wave(allow_failures=tolerated), vms)))
    (opening,) = plan(view, EPOCH).decisions
    assert isinstance(opening, OpenWave)
    show(view, write(view, opening, EPOCH))
    return view, opening


def halts_at(view: RunView) -> int | None:
    """Let one VM after the other break; return at the how-manieth the budget halts the run."""
    for bad, op in enumerate(list(view.ops.values()), start=1):
        view.put(replace(op, state=FAILED))
        halts = [each for each in plan(view, EPOCH).decisions if isinstance(each, HaltRun)]
        if halts and halts[0].why.code == "budget":
            return bad
    return None


@pytest.mark.parametrize(("vms", "written", "allowed", "at"), ALLOWANCES)
def test_a_wave_halts_at_the_bad_vm_that_the_page_names(tmp_path, vms, written, allowed, at):
    by_size = written.startswith(("nothing", "the same"))
    forms = [None, "{in_a_row: 9999}", "{rate: {percent: 100}}"] if by_size else [written]
    for form in forms:
        view, opening = just_open(number(vms), tolerance(tmp_path, form))
        assert opening.allowed == number(allowed)
        assert halts_at(view) == (None if at.startswith("never") else number(at))


@pytest.mark.parametrize("row", range(len(COURSES)))
def test_a_row_or_a_rate_halts_where_the_page_says(tmp_path, row):
    written, results, halts = COURSES[row]
    while written == "the same":
        row -= 1
        written = COURSES[row][0]
    kind = written.partition(":")[0]
    wave = a_wave(allow_failures=tolerance(tmp_path, f"{{{written}}}"))
    states = [ended(n, bad=each == "x") for n, each in enumerate(results)]
    view = opened(RunView(with_states(a_snapshot((wave, 30)), states)), allowed=30)
    found = plan(view, EPOCH + minutes(60)).decisions
    codes = [each.why.code for each in found if isinstance(each, HaltRun)]
    assert codes == ([] if halts.startswith("no") else [kind])


def ended(minute: int, *, bad: bool) -> s.State:
    at = EPOCH + minutes(minute)
    if bad:
        return s.Failed(at, s.FailureClass.GUEST, WHY)
    return s.Succeeded(at, s.Outcome.SUCCEEDED, WHY)


@pytest.mark.parametrize(("allowed", "running", "bad", "may_start"), STRICT)
def test_a_strict_budget_starts_as_many_as_the_page_says(allowed, running, bad, may_start):
    spec = a_wave(allow_failures=Tolerance(count=number(allowed), strict=True))
    states = [RUNNING] * number(running) + [FAILED] * number(bad)
    view = opened(RunView(with_states(a_snapshot((spec, 20)), states)), allowed=number(allowed))
    starts = [each for each in plan(view, EPOCH).commands if isinstance(each, Start)]
    assert len(starts) == number(may_start)


def test_no_table_of_the_page_was_overlooked():
    assert (len(ALLOWANCES), len(COURSES), len(STRICT)) == (12, 8, 6)
