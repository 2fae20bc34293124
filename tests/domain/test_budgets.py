"""Strict budgets, and which number bounds a wave: the rows of `docs/waves.md`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import states as s
from orchestrator.domain.budgets import spent
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import CloseWave, HaltRun, OpenWave
from orchestrator.domain.model import AttemptId, Rate, Tolerance, Warnings, WaveStatus
from orchestrator.domain.rollout import Start, hindrance, plan
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import waits
from tests.kit.rows import EPOCH, a_snapshot, a_vm, a_wave, minutes, opened, show, with_states

WHY = s.Why("code", "a sentence")
FAILED = s.Failed(EPOCH, s.FailureClass.GUEST, WHY)
GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, WHY)
WARNED = s.Succeeded(EPOCH, s.Outcome.WARNED, WHY)
SKIPPED = s.Skipped(EPOCH, WHY)
DOUBTED = s.Unknown(AttemptId("a"), EPOCH, None, EPOCH, EPOCH + minutes(15), WHY)
LOST = s.NeedsHuman(AttemptId("a"), None, EPOCH, EPOCH, WHY)
RUNNING = s.InProgress(AttemptId("a"), EPOCH, None, EPOCH, EPOCH + minutes(90), tracked=True)
STRICT = Tolerance(count=3, strict=True)


def the_allowance(vms: int, tolerance: Tolerance | None) -> int:
    """Open a wave of so many VMs and return how many failures it tolerates."""
    rows = a_snapshot((a_wave(allow_failures=tolerance), vms))
    (decision,) = plan(RunView(rows), EPOCH).decisions
    assert isinstance(decision, OpenWave)
    return decision.allowed


@pytest.mark.parametrize(
    ("vms", "tolerance", "allowed"),
    [
        (50, Tolerance(percent=10), 5),
        (7, Tolerance(percent=10), 0),
        (4_000, Tolerance(percent=1), 40),
        (9, Tolerance(percent=10), 0),
        (50, Tolerance(count=3), 3),
        (50, Tolerance(count=3, percent=2), 1),
        (50, Tolerance(count=0), 0),
        (10, Tolerance(percent=100), 10),
        # With neither number the default of the size holds besides.
        (24, None, 0),
        (24, Tolerance(in_a_row=5), 0),
        (100, Tolerance(in_a_row=5), 1),
        (1_000, Tolerance(rate=Rate(percent=30)), 10),
        (2_000, Tolerance(strict=True), 20),
    ],
)
def test_a_wave_tolerates_what_the_table_says(vms, tolerance, allowed):
    assert the_allowance(vms, tolerance) == allowed


ENDS = st.sampled_from([FAILED, LOST, GOOD, WARNED, SKIPPED, s.Queued()])


@given(st.lists(ENDS, max_size=30), st.none() | st.integers(0, 31), st.none() | st.integers(0, 100))
def test_a_wave_of_any_size_halts_exactly_when_more_are_bad_than_allowed(states, count, percent):
    """Nobody in it, one VM, all of them skipped, 0 and 100 %: one comparison, and no wave that
    proves nothing passes in silence."""
    given_ = None if count is percent is None else Tolerance(count=count, percent=percent)
    view = RunView(a_snapshot((a_wave(allow_failures=given_), len(states))))
    (opening,) = plan(view, EPOCH).decisions
    show(view, write(view, opening, EPOCH))
    for op, state in zip(list(view.ops.values()), states, strict=True):
        view.put(replace(op, state=state))
    found = [each for each in plan(view, EPOCH).decisions if isinstance(each, HaltRun | CloseWave)]
    assert [each.why.code for each in found] == expected(states, count, percent)


def expected(states, count, percent) -> list[str]:
    shares = [] if percent is None else [percent * len(states) // 100]
    shares += [] if count is None else [count]
    tolerated = min(shares or [0 if len(states) < 25 else 1])
    if states.count(FAILED) + states.count(LOST) > tolerated:
        return ["budget"]
    if s.Queued() in states:
        return []
    if states.count(SKIPPED) == len(states):
        return ["empty_wave"]
    return ["passed" if GOOD in states or WARNED in states else "none_good"]


def test_a_vm_in_doubt_is_in_flight_until_it_is_settled_and_bad_when_nobody_can_tell():
    rows = a_snapshot((a_wave(failures=0), 2), (a_wave("broad"), 2))
    view = opened(RunView(with_states(rows, [DOUBTED, GOOD])))
    for after in (0, 14, 60):
        todo = plan(view, EPOCH + minutes(after))
        assert todo.decisions == ()  # neither closed nor halted, and the next one stays shut
        assert not [each for each in todo.commands if isinstance(each, Start)]
    view.put(replace(view.ops[a_vm(0)], state=LOST))
    (halt,) = plan(view, EPOCH + minutes(60)).decisions
    assert isinstance(halt, HaltRun)
    assert halt.why.code == "budget"


def test_what_a_wave_tolerates_is_fixed_when_it_opens():
    """Whoever is skipped later makes no wave halt sooner, and nobody who comes later helps it."""
    view = RunView(a_snapshot((a_wave(allow_failures=Tolerance(percent=20)), 10)))
    (opening,) = plan(view, EPOCH).decisions
    show(view, write(view, opening, EPOCH))
    for n, state in enumerate([SKIPPED] * 7 + [FAILED] * 2):
        view.put(replace(view.ops[a_vm(n)], state=state))
    assert not [each for each in plan(view, EPOCH).decisions if isinstance(each, HaltRun)]
    view.put(replace(view.ops[a_vm(9)], state=FAILED))
    (halt,) = plan(view, EPOCH).decisions
    assert halt.why.text.startswith("wave canary has 3 bad VMs, 2 allowed")


def test_a_warning_is_a_failure_only_where_the_plan_says_so():
    for warnings, halts in ((Warnings.PASS, False), (Warnings.FAIL, True)):
        wave = a_wave(warnings=warnings)
        view = opened(RunView(with_states(a_snapshot((wave, 2)), [WARNED, GOOD])), allowed=0)
        assert isinstance(plan(view, EPOCH).decisions[0], HaltRun) is halts


def started(view: RunView) -> int:
    view.run = replace(view.run, reminded_at=EPOCH)  # a reminder comes before starts
    return sum(isinstance(command, Start) for command in plan(view, EPOCH).commands)


@pytest.mark.parametrize(
    ("states", "starts"),
    [
        ([], 4),
        ([RUNNING], 3),
        ([FAILED], 3),
        ([LOST], 3),
        ([GOOD, GOOD], 4),
        ([RUNNING, FAILED, LOST], 1),
        ([RUNNING, RUNNING, FAILED, LOST], 0),
        ([FAILED, FAILED, FAILED], 1),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_strict_starts_only_as_many_as_may_still_fail(states, starts, whole):
    wave = a_wave(allow_failures=None if whole else STRICT)
    rows = a_snapshot((wave, 20), allow_failures=STRICT if whole else None)
    view = opened(RunView(with_states(rows, states)), allowed=3 if not whole else 20)
    assert started(view) == starts


def test_strict_with_nothing_allowed_patches_one_by_one():
    rows = a_snapshot((a_wave(allow_failures=Tolerance(count=0, strict=True)), 9))
    view = opened(RunView(rows), allowed=0)
    assert started(view) == 1
    view.put(replace(view.ops[a_vm(0)], state=s.Preparing(EPOCH)))
    assert started(view) == 0
    assert any("strict" in reason for reason in waits(view, EPOCH))


def test_a_warning_takes_from_a_strict_budget_only_where_it_is_a_failure():
    for warnings, starts in ((Warnings.PASS, 4), (Warnings.FAIL, 3)):
        wave = a_wave(allow_failures=STRICT, warnings=warnings)
        view = opened(RunView(with_states(a_snapshot((wave, 9)), [WARNED])), allowed=3)
        assert started(view) == starts


def test_what_a_resume_accepted_takes_nothing_from_a_strict_budget():
    view = opened(RunView(a_snapshot((a_wave(allow_failures=STRICT), 9))), allowed=3)
    view.put(replace(view.ops[a_vm(0)], state=FAILED, forgiven=True))
    assert started(view) == 4


def test_a_strict_run_counts_what_earlier_waves_broke():
    rows = a_snapshot((a_wave(), 3), (a_wave("broad"), 9), allow_failures=STRICT)
    rows = with_states(rows, [FAILED, FAILED, GOOD])
    view = opened(opened(RunView(rows), allowed=9), wave=2, allowed=9)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    assert started(view) == 2


def test_a_vm_that_has_its_slot_is_held_back_when_a_success_turned_out_to_be_none():
    tolerance = Tolerance(count=1, strict=True)
    rows = a_snapshot((a_wave(allow_failures=tolerance), 5))
    rows = with_states(rows, [GOOD, s.Preparing(EPOCH), RUNNING])
    view = opened(RunView(rows), allowed=1)
    assert hindrance(view, view.ops[a_vm(1)]) is None
    view.put(replace(view.ops[a_vm(0)], state=FAILED))
    assert "strict" in str(hindrance(view, view.ops[a_vm(1)]))


def test_a_run_without_a_number_has_no_number_that_bounds_it():
    rows = a_snapshot((a_wave(), 9), allow_failures=Tolerance(in_a_row=9))
    view = opened(RunView(with_states(rows, [FAILED] * 8)), allowed=9)
    assert not plan(view, EPOCH).decisions


def test_both_shares_of_a_run_are_of_all_its_waves():
    own = Tolerance(count=9, percent=20)
    rows = a_snapshot((a_wave(), 5), (a_wave("broad"), 5), allow_failures=own)
    view = opened(RunView(with_states(rows, [FAILED, FAILED])), allowed=5)
    assert not plan(view, EPOCH).decisions
    view.put(replace(view.ops[a_vm(2)], state=FAILED))
    (halt,) = plan(view, EPOCH).decisions
    assert halt.why.text.startswith("the run has 3 bad VMs, 2 allowed")


def test_what_is_spent_of_the_run_s_budget_is_told_without_what_was_accepted():
    tolerance = Tolerance(count=2)
    view = RunView(
        with_states(a_snapshot((a_wave(), 3), allow_failures=tolerance), (FAILED, LOST, GOOD))
    )
    assert [*spent(view)] == ["the run has 2 bad VMs, 2 allowed"]
    view.put(replace(view.ops[a_vm(0)], forgiven=True))
    assert [*spent(view)] == ["the run has 1 bad VM, 2 allowed"]
    assert [*spent(RunView(a_snapshot((a_wave(), 3))))] == []


def test_what_is_spent_of_a_phase_of_reboots_is_told_until_its_wave_is_closed():
    view = opened(RunView(with_states(a_snapshot((a_wave(), 2)), (FAILED, GOOD))))
    view.waves[1] = replace(view.waves[1], reboots_allowed=1)
    view.put(replace(view.ops[a_vm(0)], reboot_at=EPOCH))
    assert [*spent(view)] == ["the phase of reboots of wave canary has 1 bad VM, 1 allowed"]
    view.waves[1] = replace(view.waves[1], closed_at=EPOCH)
    assert [*spent(view)] == []
