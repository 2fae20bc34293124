"""`in_a_row` and `rate`: by hand for the documented rows, and against a brute-force look at every
prefix."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import states as s
from orchestrator.domain.course import Course, endings_of
from orchestrator.domain.decisions import HaltRun
from orchestrator.domain.model import Rate, RunStatus, Tolerance
from orchestrator.domain.record import ActKind
from orchestrator.domain.rollout import hindrance, plan
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, an_operation, minutes, opened

WHY = s.Why("Code", "it broke")


def bad(n: int) -> s.Failed:
    return s.Failed(EPOCH + minutes(n), s.FailureClass.GUEST, WHY)


def good(n: int) -> s.Succeeded:
    return s.Succeeded(EPOCH + minutes(n), s.Outcome.SUCCEEDED, WHY)


def a_course(tolerance: Tolerance, results: str) -> Course:
    """Return a course of these results, one a minute: `x` is bad, `.` is good."""
    course = Course(tolerance)
    for n, result in enumerate(results):
        course.put((EPOCH + minutes(n), a_vm(n), result == "x"))
    return course


@pytest.mark.parametrize(
    ("in_a_row", "results", "halts"),
    [
        (5, "xxxx", False),
        (5, "xxxxx", True),
        (5, "xxxx.x", False),
        (5, "xxxx.xxxx", False),
        (5, ".xxxxx", True),
        (5, "xxxxx.", True),  # the success came too late
        (1, "...x", True),
        (1, "....", False),
    ],
)
def test_the_nth_failure_with_no_success_between_halts(in_a_row, results, halts):
    course = a_course(Tolerance(in_a_row=in_a_row), results)
    assert (course.tripped(None) is not None) is halts


RATE = Rate(percent=30, last=10, min_sample=5)


@pytest.mark.parametrize(
    ("results", "halts"),
    [
        ("xxxx", False),  # too few to say anything
        ("xxxx.", True),
        ("x..x.", True),  # 40 % of 5
        (".......", False),
        (".......xxx", False),  # 30 % of the last 10 are allowed
        (".......xxxx", True),  # 4 of the last 10
        ("xx........xx", False),  # the first two are no longer among the last 10
    ],
)
def test_the_rate_looks_at_the_last_results_once_there_are_enough(results, halts):
    tolerance = Tolerance(rate=replace(RATE, min_sample=10 if results.startswith("xx..") else 5))
    assert (a_course(tolerance, results).tripped(None) is not None) is halts


@given(st.text("x.", max_size=30), st.integers(1, 6), st.integers(1, 8), st.integers(0, 100))
def test_every_moment_counts_not_only_the_last(results, in_a_row, last, percent):
    rate = Rate(percent=percent, last=last, min_sample=min(3, last))
    tripped = a_course(Tolerance(in_a_row=in_a_row, rate=rate), results).tripped(None)
    prefixes = [results[: n + 1] for n in range(len(results))]
    row = any(prefix.endswith("x" * in_a_row) for prefix in prefixes)
    windows = [prefix[-last:] for prefix in prefixes if len(prefix) >= rate.min_sample]
    share = any(window.count("x") * 100 > percent * len(window) for window in windows)
    assert (tripped is not None) is (row or share)


@given(st.permutations(range(8)), st.text("x.", min_size=8, max_size=8), st.sets(st.integers(0, 7)))
def test_the_order_in_which_they_are_heard_of_and_what_is_taken_back_do_not_matter(
    order, results, gone
):
    """A retry takes a failure back; a clock may let one daemon's result come before another's."""
    tolerance = Tolerance(in_a_row=3, rate=Rate(percent=50, last=4, min_sample=2))
    endings = [(EPOCH + minutes(n), a_vm(n), result == "x") for n, result in enumerate(results)]
    course, fresh = Course(tolerance), Course(tolerance)
    for n in order:
        course.put(endings[n])
        course.tripped(None)
    for n in sorted(gone):
        course.remove(endings[n])
    for n, ending in enumerate(endings):
        if n not in gone:
            fresh.put(ending)
    assert course.standing() == fresh.standing()
    assert course.tripped(None) == fresh.tripped(None)


def test_a_vm_that_waits_for_its_restart_has_ended_well_and_its_restart_counts_by_itself():
    spec, patched = a_wave(), EPOCH + minutes(5)
    waits = an_operation(1, s.RebootQueued(EPOCH + minutes(9), None, None))  # put off since
    waits = replace(waits, patched_at=patched)
    assert list(endings_of(waits, spec)) == [(patched, a_vm(1), False)]
    lost = replace(waits, state=bad(20), reboot_at=EPOCH + minutes(10))
    assert [bad for _, _, bad in endings_of(lost, spec)] == [False, True]
    assert [bad for _, _, bad in endings_of(replace(lost, forgiven=True), spec)] == [False]
    left = s.Succeeded(EPOCH + minutes(20), s.Outcome.REBOOT_PENDING, WHY)
    assert list(endings_of(replace(waits, state=left), spec)) == [(patched, a_vm(1), False)]


def test_what_was_accepted_or_never_started_is_no_result():
    spec = a_wave()
    unended = [
        replace(an_operation(1, bad(1)), forgiven=True),
        an_operation(1, s.Skipped(EPOCH, WHY)),
        an_operation(1),
    ]
    assert not [list(endings_of(op, spec)) for op in unended if list(endings_of(op, spec))]
    assert list(endings_of(an_operation(1, bad(1)), spec)) == [(EPOCH + minutes(1), a_vm(1), True)]


def a_view(tolerance: Tolerance, *states: s.State, whole: bool = False) -> RunView:
    wave = a_wave(allow_failures=None if whole else tolerance)
    rows = a_snapshot((wave, len(states) + 3), allow_failures=tolerance if whole else None)
    ops = [replace(op, state=state) for op, state in zip(rows.operations, states, strict=False)]
    return opened(
        RunView(replace(rows, operations=(*ops, *rows.operations[len(ops) :]))), allowed=99
    )


@pytest.mark.parametrize("whole", [False, True])
def test_a_row_of_failures_halts_the_wave_or_the_run_although_the_budget_holds(whole):
    view = a_view(Tolerance(in_a_row=2), bad(1), good(2), bad(3), bad(4), whole=whole)
    (halt,) = plan(view, EPOCH + minutes(5)).decisions
    assert isinstance(halt, HaltRun)
    assert (halt.why.code, halt.wave) == ("in_a_row", None if whole else 1)
    assert "2 bad VMs in a row" in halt.why.text


def test_a_rate_halts_with_its_figures():
    view = a_view(Tolerance(rate=Rate(percent=30, last=4, min_sample=3)), good(1), bad(2), bad(3))
    (halt,) = plan(view, EPOCH + minutes(5)).decisions
    assert isinstance(halt, HaltRun)
    assert halt.why.code == "rate"
    assert "2 of the last 3 VMs are bad, 30 % allowed" in halt.why.text


def test_a_resume_after_a_halt_lets_rows_and_rates_begin_anew():
    tolerance = Tolerance(in_a_row=2, rate=Rate(percent=50, last=9, min_sample=2))
    walk = Walk(Random(0), a_view(tolerance, good(1), bad(2), bad(3)), now=EPOCH + minutes(5))
    walk.act(ActKind.HALT)
    walk.act(ActKind.RESUME)
    assert walk.view.run.results_from == EPOCH + minutes(5)
    assert not [d for d in plan(walk.view, walk.now).decisions if isinstance(d, HaltRun)]
    walk.view.put(replace(walk.view.ops[a_vm(3)], state=bad(6)))
    assert walk.view.run.status is RunStatus.OPEN
    assert not [d for d in plan(walk.view, walk.now).decisions if isinstance(d, HaltRun)]
    walk.view.put(replace(walk.view.ops[a_vm(4)], state=bad(7)))
    (halt,) = plan(walk.view, walk.now).decisions
    assert halt.why.code == "in_a_row"


def test_a_resume_after_a_pause_lets_nothing_begin_anew():
    walk = Walk(Random(0), a_view(Tolerance(in_a_row=3), bad(1), bad(2)), now=EPOCH + minutes(5))
    walk.act(ActKind.PAUSE)
    walk.act(ActKind.RESUME)
    assert walk.view.run.results_from is None
    walk.view.put(replace(walk.view.ops[a_vm(2)], state=bad(6)))
    (halt,) = plan(walk.view, walk.now).decisions
    assert halt.why.code == "in_a_row"


def test_a_failure_on_its_way_to_the_rows_holds_the_next_start_back():
    view = a_view(Tolerance(in_a_row=2), bad(1), s.Preparing(EPOCH))
    starting = view.ops[a_vm(1)]
    assert hindrance(view, starting) is None
    view.coming._bad[1] += 1
    assert "in a row" in str(hindrance(view, starting))
