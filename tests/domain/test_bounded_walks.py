"""Laws of budgets and limits, at every step of walks through whole runs."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.limits import by_kind, ceilings, groups_of
from orchestrator.domain.model import (
    GroupLimit,
    Limits,
    Rate,
    RunStatus,
    Share,
    Tolerance,
    WaveStatus,
)
from orchestrator.domain.rollout import Start
from orchestrator.domain.tally import is_bad
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.domain.walks import walked
from tests.kit.rows import a_snapshot, a_wave, minutes

KINDS = ("subscription", "subscription_region", "zone", "availability_set", "tag:Cluster")


def a_tolerance(rng: Random) -> Tolerance:
    return Tolerance(
        count=rng.choice([0, 1, 2, 3]),
        strict=rng.random() < 0.7,
        in_a_row=rng.choice([None, None, 2]),
        rate=rng.choice([None, None, Rate(percent=30, last=5, min_sample=3)]),
    )


def some_limits(rng: Random) -> Limits:
    shares = [Share(count=1), Share(count=2), Share(percent=50), Share(percent=10)]
    per = [GroupLimit(kind=kind, most=rng.choice(shares)) for kind in KINDS if rng.random() < 0.6]
    return Limits(in_flight=rng.choice([None, 1, 3]), per=tuple(per))


def placed(op, rng: Random):
    """Put a VM somewhere; some are nowhere in particular."""
    target = replace(
        op.target,
        region=rng.choice(["westeurope", "northeurope"]),
        zone=rng.choice(["", "1", "2"]),
        availability_set=rng.choice(["", "", "/set-a", "/set-b"]),
        tags=rng.choice([(), (("cluster", "SQL1"),), (("Cluster", "sql2"), ("app", "web"))]),
    )
    return replace(op, target=target, rank=rng.randrange(9))


def a_bounded_walk(seed: int, length: int = 60, *, calm: bool = False, **given) -> Walk:
    """Walk a run with limits and strict budgets, of its waves and of its own."""
    rng = Random(seed)
    waves = [
        (
            a_wave(
                f"wave{n}",
                parallel=rng.randint(2, 5),
                allow_failures=a_tolerance(rng),
                bake=minutes(0),
                allow_empty=True,
            ),
            rng.randint(2, 7),
        )
        for n in range(2)
    ]
    own = rng.choice([None, a_tolerance(rng)])
    rows = a_snapshot(*waves, limits=some_limits(rng), allow_failures=own)
    rows = replace(rows, operations=tuple(placed(op, rng) for op in rows.operations))
    return walked(Walk(rng, RunView(rows), calm=calm), length, acts=not calm, **given)


@pytest.mark.parametrize("seeds", range(0, 240, 60))
def test_no_start_breaks_a_strict_budget_or_a_limit(seeds):
    held_back = 0
    for walk in (a_bounded_walk(seed) for seed in range(seeds, seeds + 60)):
        for step in walk.steps:
            strict_budgets_hold(step)
            no_start_exceeds_a_limit(step)
            held_back += sum(isinstance(op.state, s.Queued) for op in step.snapshot.operations)
    assert held_back > 1_000  # else there was nothing to hold back


def strict_budgets_hold(step):
    ops, waves = step.snapshot.operations, {w.position: w for w in step.snapshot.waves}
    risk = Counter[int]()
    for op in ops:
        bad = is_bad(op, waves[op.wave].spec)
        risk[op.wave] += bad or isinstance(op.state, s.InFlight)
    for wave in waves.values():
        own = wave.spec.allow_failures
        if own is not None and own.strict and wave.allowed is not None:
            assert risk[wave.position] <= wave.allowed + 1
    whole = step.snapshot.run.plan.allow_failures
    if whole is not None and whole.strict:
        assert risk.total() <= (whole.count or 0) + 1


def no_start_exceeds_a_limit(step):
    limits, now = step.snapshot.run.plan.limits, step.now
    kinds = [limit.kind for limit in by_kind(limits)]
    new = [c.op for c in step.plan.commands if isinstance(c, Start)]
    new = [op for op in new if isinstance(op.state, s.Queued)]
    taken = Counter[str]()
    for op in step.snapshot.operations:
        locked = isinstance(op.state, s.NeedsHuman) and op.state.locked_until > now
        if locked or isinstance(op.state, s.InFlight):
            taken.update(groups_of(kinds, op.target))
    wanted = Counter(group for op in new for group in groups_of(kinds, op.target))
    most = ceilings(limits, [op.target for op in step.snapshot.operations])
    for group, number in wanted.items():
        assert taken[group] + number <= most[group].most, group


@pytest.mark.parametrize("length", range(1, 100, 3))
def test_a_lived_view_with_limits_equals_the_view_of_its_rows(length):
    walk = a_bounded_walk(length, length)
    lived, fresh = walk.view, RunView(walk.rows())
    for view in (lived, fresh):
        view.advance(walk.now + minutes(10_000))
    assert lived.indexes() == fresh.indexes()


@pytest.mark.parametrize("seed", range(60))
def test_where_nothing_fails_every_vm_is_patched_and_nothing_goes_backwards(seed):
    """Neither limits nor strict budgets nor the order of starts forget a VM or stand still."""
    walk = a_bounded_walk(
        seed, 2_000, calm=True, until=lambda walk: walk.view.run.closed_at is not None
    )
    assert walk.view.run.status is RunStatus.PASSED
    assert all(isinstance(op.state, s.Succeeded) for op in walk.view.ops.values())
    ended = [
        sum(isinstance(op.state, s.Succeeded) for op in step.snapshot.operations)
        for step in walk.steps
    ]
    assert ended == sorted(ended)
    for step in walk.steps:
        waits_only_while_something_runs(step)


def waits_only_while_something_runs(step):
    ops = step.snapshot.operations
    for wave in step.snapshot.waves:
        queued = [op for op in ops if op.wave == wave.position and isinstance(op.state, s.Queued)]
        if wave.status is WaveStatus.OPEN and queued:
            moving = any(isinstance(op.state, s.InFlight) for op in ops)
            assert moving or step.plan.commands or step.plan.decisions


@pytest.mark.parametrize("seed", range(40))
def test_vms_that_need_the_same_slots_start_by_their_rank(seed):
    walk = a_bounded_walk(seed, 400, calm=True)
    last: dict[object, int] = {}
    for step in walk.steps:
        for command in step.plan.commands:
            if isinstance(command, Start) and isinstance(command.op.state, s.Queued):
                op = command.op
                alike = (op.wave, *groups_of(KINDS, op.target))
                assert last.get(alike, 0) <= op.rank
                last[alike] = op.rank
    assert last
