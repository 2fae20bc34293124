"""When one group of VMs is held back in the place of a halt, and what follows from it."""

from dataclasses import replace

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import HaltRun, OpenWave, QuarantineGroup
from orchestrator.domain.model import Quarantine, Rate, RunStatus, Tolerance, Trait, WaveStatus
from orchestrator.domain.operation import Forgiven
from orchestrator.domain.record import Act, ActKind, Resolution
from orchestrator.domain.rollout import Drop, Start, hindrance, plan
from orchestrator.domain.steering import apply
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, RUN, a_snapshot, a_vm, a_wave, minutes, opened, show

OLD, NEW = "microsoft:windows:2016", "microsoft:windows:2022"
NOW = EPOCH + minutes(60)
WHY = s.Why("guest", "1 of 3 patches failed")
GOOD, BAD, QUEUED, READY = "good", "bad", "queued", "ready"
HOLDS = Quarantine(kind=Trait.IMAGE, value=OLD, reason="held back")


def a_state(word: str, at: int) -> s.State:
    """Return a state of a VM that got there so many minutes after the first."""
    then = EPOCH + minutes(at)
    stands: dict[str, s.State] = {
        GOOD: s.Succeeded(then, s.Outcome.SUCCEEDED, WHY),
        BAD: s.Failed(then, s.FailureClass.GUEST, WHY),
        QUEUED: s.Queued(),
        READY: s.Preparing(then),
    }
    return stands[word]


def a_view(*waves, tolerance=None, allowed=1, whole=None, group=None) -> RunView:
    """Return a run whose VMs stand as `(image, word)` says, wave by wave, in the order in which
    they ended; its first wave is open."""
    tolerance = tolerance or Tolerance(count=allowed, quarantine=True)
    spec = a_wave(allow_failures=tolerance)
    rows = a_snapshot(
        *((replace(spec, name=f"wave{n}"), len(vms)) for n, vms in enumerate(waves)),
        allow_failures=whole,
    )
    stand = [each for vms in waves for each in vms]
    ops = [
        replace(op, state=a_state(word, n), target=replace(op.target, image=image))
        for n, (op, (image, word)) in enumerate(zip(rows.operations, stand, strict=True))
    ]
    run = replace(rows.run, quarantine=group, reminded_at=EPOCH)
    view = RunView(replace(rows, operations=tuple(ops), run=run))
    return opened(view, allowed=allowed)


def some(image: str, bad: int = 0, good: int = 0, queued: int = 0) -> list[tuple[str, str]]:
    return [(image, BAD)] * bad + [(image, GOOD)] * good + [(image, QUEUED)] * queued


def decided(view: RunView):
    (decision,) = plan(view, NOW).decisions
    return decision


def accepted(view: RunView) -> int:
    return sum(op.forgiven for op in view.ops.values())


# ------------------------------------------------------------------------------ the arithmetic


@pytest.mark.parametrize(
    ("vms", "allowed", "held"),
    [
        ([*some(OLD, bad=2), *some(NEW, good=3)], 1, OLD),
        ([*some(OLD, bad=2, good=3), *some(NEW, good=3)], 1, OLD),
        ([*some(OLD, bad=2, good=9), *some(NEW, bad=1, good=9)], 2, OLD),
        ([*some(OLD, bad=3), *some(NEW, bad=1, good=9)], 1, OLD),
        # What is left is more than is allowed.
        ([*some(OLD, bad=3), *some(NEW, bad=2, good=9)], 1, None),
        ([*some(OLD, bad=2), *some(NEW, bad=1, good=9)], 0, None),
        # One VM is no evidence, however good the others.
        ([*some(OLD, bad=1), *some(NEW, good=9)], 0, None),
        # Nobody else has ended, or they fared no better.
        ([*some(OLD, bad=2), *some(NEW, queued=9)], 1, None),
        ([*some(OLD, bad=2, queued=9)], 1, None),
        ([*some(OLD, bad=2, good=2), *some(NEW, bad=2, good=2)], 3, None),
        # Nothing is known that they share: their region is everybody's.
        ([*some("", bad=2), *some(NEW, good=9)], 1, None),
        # Too few of the bad ones share it.
        ([*some(OLD, bad=2), *some(NEW, bad=2, good=9), *some("c", bad=1, good=1)], 3, None),
    ],
)  # fmt: skip
def test_a_group_is_held_back_only_where_it_explains_the_broken_budget(vms, allowed, held):
    decision = decided(a_view(vms, allowed=allowed))
    if held is None:
        assert isinstance(decision, HaltRun)
    else:
        assert isinstance(decision, QuarantineGroup)
        assert (decision.group.kind, decision.group.value) == ("image", held)


def test_without_the_word_the_run_halts():
    vms = [*some(OLD, bad=2), *some(NEW, good=3)]
    assert isinstance(decided(a_view(vms, tolerance=Tolerance(count=1))), HaltRun)


def test_the_decision_says_what_was_seen():
    decision = decided(a_view([*some(OLD, bad=2, good=1), *some(NEW, good=3)]))
    assert (
        decision.why.text
        == decision.group.reason
        == (
            f"held back: image {OLD} (2 of 2; bad are 2 of 3 there, 0 of 3 elsewhere); "
            "wave wave0 has 2 bad VMs, 1 allowed"
        )
    )
    assert dict(decision.counts) == {
        "kind": "image", "value": OLD, "bad": 2, "ended": 3,
        "bad_others": 0, "ended_others": 3, "accepted": 2,
    }  # fmt: skip


def test_the_narrowest_trait_that_explains_it_is_held_back():
    view = a_view([*some(OLD, bad=2), *some(NEW, bad=1, good=3)], allowed=2)
    for op in list(view.ops.values()):
        bad = isinstance(op.state, s.Failed)
        view.put(replace(op, target=replace(op.target, os="Windows" if bad else "Linux")))
    assert decided(view).group.kind is Trait.IMAGE
    view.waves[1] = replace(view.waves[1], allowed=0)  # without the image one bad VM is left
    assert (decided(view).group.kind, decided(view).group.value) == (Trait.SYSTEM, "Windows")


@pytest.mark.parametrize("whole_wants", [False, True])
def test_each_budget_that_is_broken_must_want_it(whole_wants):
    vms = [*some(OLD, bad=2), *some(NEW, good=3)]
    view = a_view(vms, whole=Tolerance(count=1, quarantine=whole_wants))
    assert isinstance(decided(view), QuarantineGroup if whole_wants else HaltRun)


def test_a_budget_that_would_stay_broken_halts_though_another_would_hold():
    """The wave bears two without the group, the run bears one."""
    vms = [*some(OLD, bad=3), *some(NEW, bad=2, good=9)]
    whole = Tolerance(count=1, quarantine=True)
    assert isinstance(decided(a_view(vms, allowed=2)), QuarantineGroup)
    assert isinstance(decided(a_view(vms, allowed=2, whole=whole)), HaltRun)


def test_a_run_s_own_budget_holds_a_group_back_that_is_bad_over_its_waves():
    whole = Tolerance(count=1, quarantine=True)
    first, second = [*some(OLD, bad=1), *some(NEW, good=3)], [*some(OLD, bad=1), *some(NEW, good=3)]
    view = a_view(first, second, tolerance=Tolerance(count=1), whole=whole)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    decision = decided(opened(view, wave=2, allowed=1))
    assert isinstance(decision, QuarantineGroup)
    assert (decision.wave, len(decision.accepted)) == (None, 2)


ROW = Tolerance(count=9, in_a_row=3, quarantine=True)
RATE = Tolerance(count=9, rate=Rate(percent=30, last=10, min_sample=4), quarantine=True)


@pytest.mark.parametrize(
    ("tolerance", "results", "held"),
    [
        (ROW, "n x x x", True),
        (ROW, "n x x X", True),
        (ROW, "n X x X", False),  # not of most of them
        (ROW, "n x X X x X x x", False),  # the others alone are three in a row
        (RATE, "n n x x", True),
        (RATE, "n n x x X x n n", True),  # of the others one of five
        (RATE, "n n x X x X x", False),  # of the others two of four
    ],
)
def test_results_are_counted_as_if_the_group_had_not_been_there(tolerance, results, held):
    """`x` is a bad VM of the old image, `X` one of the new, `n` a good one of the new."""
    stands = {"x": (OLD, BAD), "X": (NEW, BAD), "n": (NEW, GOOD)}
    view = a_view([stands[each] for each in results.split()], tolerance=tolerance, allowed=9)
    assert isinstance(decided(view), QuarantineGroup) is held


def test_the_results_of_the_others_go_on_counting():
    """Unlike a resume, a quarantine does not begin a row anew: no person has looked."""
    stands = [(NEW, GOOD), (OLD, BAD), (OLD, BAD), (NEW, BAD), (NEW, QUEUED), (NEW, QUEUED)]
    view = a_view(stands, tolerance=ROW, allowed=9)
    show(view, write(view, decided(view), NOW))
    for number in (4, 5):
        assert not [d for d in plan(view, NOW).decisions if isinstance(d, HaltRun)]
        view.put(replace(view.ops[a_vm(number)], state=a_state(BAD, 70 + number)))
    assert decided(view).why.code == "in_a_row"
    assert view.run.results_from is None


# ------------------------------------------------------------------------------- one group a run


def test_a_second_group_halts():
    vms = [*some(OLD, queued=2), *some("b", bad=2), *some(NEW, good=9)]
    assert isinstance(decided(a_view(vms)), QuarantineGroup)
    assert isinstance(decided(a_view(vms, group=HOLDS)), HaltRun)


def test_more_bad_vms_of_the_same_group_are_accepted_under_it():
    vms = [*some(OLD, bad=2), *some(NEW, bad=1, good=9)]
    view = a_view(vms, group=HOLDS)
    decision = decided(view)
    assert isinstance(decision, QuarantineGroup)
    assert (decision.group, len(decision.accepted)) == (HOLDS, 2)
    assert "more VMs of image" in decision.why.text
    show(view, write(view, decision, NOW))
    assert view.run.quarantine == HOLDS
    assert not [d for d in plan(view, NOW).decisions if isinstance(d, HaltRun | QuarantineGroup)]


def test_what_a_resume_accepted_is_no_evidence_of_a_group():
    view = a_view([*some(OLD, bad=4), *some("b", bad=1), *some("c", bad=1), *some(NEW, good=9)])
    for number in range(4):
        view.put(replace(view.ops[a_vm(number)], forgiven=True))
    assert isinstance(decided(view), HaltRun)


# ---------------------------------------------------------------------------- what follows from it


def held(waves=None) -> RunView:
    """Return a run just after its decision: two VMs of the group wait, one has its slot."""
    first = [*some(OLD, bad=2, queued=1), (OLD, READY), *some(NEW, good=3, queued=2)]
    view = a_view(first, *(waves or [[*some(OLD, queued=1), *some(NEW, queued=1)]]))
    change = write(view, decided(view), NOW)
    assert [type(move.event) for move in change.moves] == [Forgiven, Forgiven]
    assert [fact.event for fact in change.facts] == ["run.quarantined"]
    show(view, change)
    return view


def test_the_run_stays_open_its_bad_vms_count_no_more_and_people_hear_of_it():
    view = held()
    assert (view.run.status, view.run.reminded_at) == (RunStatus.OPEN, NOW)
    assert (view.tally(1).bad, accepted(view)) == (0, 2)
    assert view.waves[1].status is WaveStatus.OPEN


def test_what_waits_of_the_group_is_skipped_in_every_wave_and_only_the_others_start():
    view = held()
    commands = plan(view, NOW).commands
    drops = [each for each in commands if isinstance(each, Drop)]
    assert {each.op.wave for each in drops} == {1, 2}
    assert {each.op.target.image for each in drops} == {OLD}
    assert {(each.why.code, each.cancelled) for each in drops} == {("quarantined", False)}
    assert all("2 of 2" in each.why.text for each in drops)
    new = [each.op for each in commands if isinstance(each, Start)]
    assert [op.target.image for op in new if isinstance(op.state, s.Queued)] == [NEW, NEW]


def test_a_vm_of_the_group_that_has_its_slot_is_not_sent():
    view = held()
    ready = next(op for op in view.ops.values() if isinstance(op.state, s.Preparing))
    assert "held back" in str(hindrance(view, ready))
    other = replace(ready, target=replace(ready.target, image=NEW))
    assert hindrance(view, other) is None


def test_no_wave_opens_before_the_group_s_vms_in_it_are_skipped():
    """They are no part of its N."""
    first, second = some(NEW, good=1), [*some(OLD, queued=1), *some(NEW, queued=1)]
    view = a_view(first, second, group=HOLDS)
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    assert not plan(view, NOW).decisions
    view.put(replace(view.ops[a_vm(1)], state=s.Skipped(NOW, s.Why("quarantined", "held back"))))
    assert isinstance(decided(view), OpenWave)


def test_a_wave_of_nobody_else_halts_as_an_empty_one():
    view = held(waves=[some(OLD, queued=2)])
    view.waves[1] = replace(view.waves[1], status=WaveStatus.PASSED)
    skipped = s.Skipped(NOW, s.Why("quarantined", "held back"))
    for op in list(view.ops.values()):
        if isinstance(op.state, s.Queued | s.Preparing):
            view.put(replace(op, state=skipped))
    show(view, write(view, decided(view), NOW))
    assert decided(view).why.code == "empty_wave"


def an_act(kind: ActKind, **given) -> Act:
    return Act(id="1", run_id=RUN, kind=kind, actor="ann", because="a reason", at=NOW, **given)


def test_a_retry_in_the_run_starts_nobody_of_the_group():
    view = held()
    assert not apply(view, an_act(ActKind.RETRY), NOW).moves


def test_a_vm_of_the_group_that_was_not_started_after_all_is_left_out():
    lost = s.NeedsHuman("a", None, EPOCH, EPOCH, WHY)
    view = a_view([*some(OLD, queued=1), *some(NEW, good=1)], group=HOLDS)
    view.put(replace(view.ops[a_vm(0)], state=lost))
    act = an_act(ActKind.RESOLVE, resolution=Resolution.NOT_STARTED)
    (move,) = apply(view, act, NOW).moves
    assert isinstance(move.after.state, s.Skipped)
