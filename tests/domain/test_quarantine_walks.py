"""Laws of quarantine, at every step of walks through whole runs."""

from dataclasses import dataclass, replace
from random import Random

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import budgets
from orchestrator.domain import states as s
from orchestrator.domain.deciding import write
from orchestrator.domain.decisions import QuarantineGroup
from orchestrator.domain.model import Rate, RunStatus, Tolerance
from orchestrator.domain.operation import Operation
from orchestrator.domain.result import Report, Result
from orchestrator.domain.rollout import Start
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.domain.walks import walked
from tests.kit.rows import a_snapshot, a_wave, minutes, show

SICK = frozenset({"old", "odd"})
"""The images whose VMs break."""
FAILED = a.Finished(report=Report(result=Result(status="Failed", failed=1), activity="new"))


@dataclass
class Sick(Walk):
    """A walk in which the VMs of sick images break, and no others where it is calm."""

    of_the_sick: bool = False
    """Whether the VM that is polled at this moment is one of them."""

    def poll(self, op: Operation, state: s.InProgress) -> None:
        self.of_the_sick = op.target.image in SICK
        super().poll(op, state)

    @property
    def poll_answers(self) -> list[a.PollAnswer]:
        return [FAILED] if self.of_the_sick else super().poll_answers


def a_sick_walk(
    seed: int,
    length: int = 400,
    *,
    images=("old", "new", "new"),
    quarantine=True,
    calm=True,
    acts=False,
) -> Sick:
    """Walk a run of two waves whose VMs have these images, in any order of starts."""
    rng = Random(seed)
    tolerance = Tolerance(
        count=rng.choice([1, 2, 3]),
        in_a_row=rng.choice([None, None, 4]),
        rate=rng.choice([None, None, Rate(percent=60, last=9, min_sample=6)]),
        strict=rng.random() < 0.3,
        quarantine=quarantine,
    )
    waves = [
        (
            a_wave(
                f"wave{n}",
                parallel=rng.randint(3, 6),
                allow_failures=tolerance,
                bake=minutes(0),
                allow_empty=True,
            ),
            rng.randint(9, 16),
        )
        for n in range(2)
    ]
    rows = a_snapshot(*waves)
    ops = [_imaged(op, rng, images) for op in rows.operations]
    walk = Sick(rng, RunView(replace(rows, operations=tuple(ops))), calm=calm)
    walked(walk, length, acts=acts, until=_is_closed if acts else _is_over)
    return walk


def _imaged(op: Operation, rng: Random, images) -> Operation:
    target = replace(op.target, image=rng.choice(images), region=rng.choice(["north", "south"]))
    return replace(op, target=target, rank=rng.randrange(99))


def _is_closed(walk: Walk) -> bool:
    return walk.view.run.closed_at is not None


def _is_over(walk: Walk) -> bool:
    return _is_closed(walk) or walk.view.run.status is RunStatus.HALTED


def decisions(walk: Walk, kind: type) -> list:
    return [each for step in walk.steps for each in step.plan.decisions if isinstance(each, kind)]


def test_a_sick_image_is_held_back_and_every_other_vm_is_patched():
    groups = 0
    for seed in range(60):
        walk = a_sick_walk(seed)
        if walk.view.run.quarantine is None:
            continue  # it halted before anybody else had ended, or nothing broke
        groups += 1
        assert walk.view.run.quarantine.value == "old"
        assert walk.view.run.status is RunStatus.PASSED
        for op in walk.view.ops.values():
            well = isinstance(op.state, s.Succeeded)
            assert well is (op.target.image == "new")
            if op.target.image == "old":
                assert isinstance(op.state, s.Failed | s.Skipped)
    assert groups > 30


def test_without_the_word_the_same_runs_halt():
    walks = [a_sick_walk(seed, quarantine=False) for seed in range(20)]
    assert not [walk for walk in walks if decisions(walk, QuarantineGroup)]
    assert sum(walk.view.run.status is RunStatus.HALTED for walk in walks) > 15


def test_a_second_sick_image_halts():
    both = 0
    for seed in range(60):
        walk = a_sick_walk(seed, images=("old", "odd", "new", "new", "new"))
        groups = {each.group for each in decisions(walk, QuarantineGroup)}
        assert len(groups) <= 1
        both += bool(groups) and walk.view.run.status is RunStatus.HALTED
    assert both > 10


def test_where_every_vm_is_alike_nothing_is_held_back():
    for seed in range(20):
        walk = a_sick_walk(seed, images=("old",))
        assert not decisions(walk, QuarantineGroup)
        assert walk.view.run.status is RunStatus.HALTED


@pytest.mark.parametrize("seeds", range(0, 180, 60))
def test_after_the_decision_nobody_of_the_group_starts_whatever_people_and_azure_do(seeds):
    held = 0
    for seed in range(seeds, seeds + 60):
        walk = a_sick_walk(seed, 250, calm=seed % 2 == 0, acts=True)
        for before, after in zip(walk.steps, walk.steps[1:], strict=False):
            group = before.snapshot.run.quarantine
            if group is None:
                continue
            held += 1
            assert after.snapshot.run.quarantine == group
            assert not [
                each
                for each in before.plan.commands
                if isinstance(each, Start)
                and isinstance(each.op.state, s.Queued)
                and is_held(group, each.op)
            ]
            sent = {
                op.target.vm_id: op.attempt for op in before.snapshot.operations if _is_sent(op)
            }
            for op in after.snapshot.operations:
                if is_held(group, op) and _is_sent(op):
                    assert sent.get(op.target.vm_id) == op.attempt
    assert held > 500


def _is_sent(op: Operation) -> bool:
    return isinstance(op.state, s.Submitting | s.Unknown | s.InProgress)


def test_a_quarantine_mends_the_budget_that_was_broken():
    """It is decided at the rows as they are: the next plan finds every budget whole."""
    mended = 0
    for seed in range(60):
        for step in a_sick_walk(seed, 250, calm=False).steps:
            for decision in step.plan.decisions:
                if isinstance(decision, QuarantineGroup):
                    view = RunView(step.snapshot)
                    show(view, write(view, decision, step.now))
                    assert budgets.broken(view) is None
                    mended += 1
    assert mended > 20


@pytest.mark.parametrize("length", range(1, 120, 7))
def test_a_lived_view_with_a_quarantine_equals_the_view_of_its_rows(length):
    walk = a_sick_walk(length, length, calm=False, acts=True)
    lived, fresh = walk.view, RunView(walk.rows())
    for view in (lived, fresh):
        view.advance(walk.now + minutes(10_000))
    assert lived.indexes() == fresh.indexes()
