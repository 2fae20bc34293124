"""Whole runs walked at random: their waves, what people ask of them, and how long they go on."""

from random import Random

from orchestrator.domain.gate import Approval
from orchestrator.domain.model import Share, StagedReboot
from orchestrator.domain.record import ActKind, Resolution
from orchestrator.domain.view import RunView
from tests.domain.walking import Walk
from tests.kit.rows import a_gate, a_snapshot, a_wave, minutes

ACTS = (
    [None] * 40
    + [(kind, None) for kind in ActKind if kind not in {ActKind.RESOLVE, ActKind.HAND_OVER}]
    + [
        *[(ActKind.RESUME, None)] * 2,
        *[(ActKind.APPROVE, None)] * 3,
        *[(ActKind.RESOLVE, resolution) for resolution in Resolution],
    ]
)


STAGED = (
    StagedReboot(max_parallel=Share(count=1), allow_failures=Share(count=0)),
    StagedReboot(max_parallel=Share(percent=50)),
    StagedReboot(),
)


def a_walk(seed: int, length: int = 80, *, acts: bool = True, until=None) -> Walk:
    """Walk a random run from its beginning, until `until` says so or for that many steps."""
    rng = Random(seed)
    waves = [
        (
            a_wave(
                f"wave{n}",
                parallel=rng.randint(1, 3),
                failures=rng.choice([0, 1, 1, 2, 4]),
                bake=minutes(rng.choice([0, 90])),
                allow_empty=rng.random() < 0.5,
                ramp=rng.choice([(), (), (Share(count=1), Share(count=2))]),
                approve=rng.choice([None, Approval(group="on-call")]) if acts else None,
                before=rng.choice([(), (), (a_gate("before"),)]),
                check=rng.choice([(), (), (a_gate("check", held_for=minutes(2)),)]),
                staged=rng.choice([None, None, *STAGED]),
            ),
            rng.randint(1, 4),
        )
        for n in range(2)
    ]
    return walked(Walk(rng, RunView(a_snapshot(*waves))), length, acts=acts, until=until)


def walked(walk: Walk, length: int, *, acts: bool = True, until=None) -> Walk:
    """Walk a run, until `until` says so or for that many steps."""
    rng = walk.rng
    for _ in range(length):
        if acts and (act := rng.choice(ACTS)) is not None:
            walk.act(*act)
        walk.step()
        if until is not None and until(walk):
            break
    return walk
