"""Whether one group of VMs is held back in the place of a halt, and which (design 7). Pure.

The group shares what is known of a VM before it is started, so that nobody of it need be started to
find out. One group a run: where a second cause shows, the run halts.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from orchestrator.domain import budgets, causes
from orchestrator.domain.budgets import Broken
from orchestrator.domain.causes import Shared
from orchestrator.domain.decisions import QuarantineGroup
from orchestrator.domain.model import Quarantine
from orchestrator.domain.record import Detail
from orchestrator.domain.states import Why
from orchestrator.domain.tally import is_bad
from orchestrator.domain.traits import is_held
from orchestrator.domain.view import RunView

_LEAST: Final = 2
"""One bad VM shares its image with itself: that is no evidence."""
_Group = tuple[Quarantine, Why, Detail]


def instead_of_halt(view: RunView, broken: Broken) -> QuarantineGroup | None:
    """Return the group to be held back because of a broken budget; None: the run halts.

    Every budget that is broken must want it, and all must hold without the group's bad VMs.
    """
    if not all(_wants(view, wave) for wave, _ in budgets.all_broken(view)):
        return None
    for group, why, counts in _groups(view, broken):
        accepted = tuple(
            op
            for op in view.ops.values()
            if is_held(group, op) and is_bad(op, view.waves[op.wave].spec)
        )
        if next(budgets.all_broken(view, accepted), None) is None:
            told = {**counts, "accepted": len(accepted)}
            return QuarantineGroup(broken[0], group, accepted, why, told)
    return None


def unskipped(view: RunView) -> bool:
    """Tell whether VMs of the group wait that are not skipped yet."""
    group = view.run.quarantine
    return group is not None and any(
        tally.waiting[group.kind, group.value] for tally in view.tallies()
    )


def _wants(view: RunView, wave: int | None) -> bool:
    tolerance = (view.run.plan if wave is None else view.waves[wave].spec).allow_failures
    return tolerance is not None and tolerance.quarantine


def _groups(view: RunView, broken: Broken) -> Iterator[_Group]:
    """Yield what may be held back: the group that is, since more of it broke that had begun; else
    each that the bad VMs share, the narrowest first."""
    wave, broke = broken
    if (group := view.run.quarantine) is not None:
        text = f"more VMs of {group.kind} {group.value} broke, begun before; {broke.text}"
        yield group, Why("quarantined", text), {"kind": group.kind, "value": group.value}
        return
    bad, ended = causes.evidence(view, wave)
    for each in causes.shared(bad, ended):
        if each.bad >= _LEAST:
            yield _found(each, len(bad), broke)


def _found(each: Shared, bad: int, broke: Why) -> _Group:
    text = f"held back: {causes.told_of(each, bad)}; {broke.text}"
    group = Quarantine(kind=each.kind, value=each.value, reason=text)
    return group, Why("quarantined", text), asdict(each)
