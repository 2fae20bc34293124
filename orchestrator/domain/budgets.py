"""Whether a run has had too many failures, and how many more starts its budgets bear (design 7).
Pure: it reads the view, and the plan decides."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.domain import halting
from orchestrator.domain.bounds import Bounds, StrictBudget
from orchestrator.domain.course import Course
from orchestrator.domain.model import Warnings, Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import InFlight, Why
from orchestrator.domain.tally import is_bad_reboot
from orchestrator.domain.view import RunView
from orchestrator.domain.words import counted

Broken = tuple[int | None, Why]
"""The wave whose budget is broken, or None for the run's, and how."""


def broken(view: RunView, *, foreseen: bool = False) -> Broken | None:
    """Return the budget of an opened wave or of the run that is broken; a closed wave counts too.

    `foreseen`: with the failures that are on their way to the rows.
    """
    for position, wave in view.waves.items():
        why = _wave_s(view, wave, foreseen=foreseen)
        if why is not None:
            return position, why
    why = _run_s(view, sum(map(view.coming.bad, view.waves)) if foreseen else 0)
    return None if why is None else (None, why)


def all_broken(view: RunView, accepted: Sequence[Operation] = ()) -> Iterator[Broken]:
    """Yield every budget that is broken; these bad VMs do not count."""
    waves: dict[int, list[Operation]] = {}
    for op in accepted:
        waves.setdefault(op.wave, []).append(op)
    for position, wave in view.waves.items():
        why = _wave_s(view, wave, waves.get(position, ()))
        if why is not None:
            yield position, why
    why = _run_s(view, 0, accepted)
    if why is not None:
        yield None, why


def _wave_s(
    view: RunView, wave: Wave, accepted: Sequence[Operation] = (), *, foreseen: bool = False
) -> Why | None:
    if wave.allowed is None:
        return None
    what, tally = f"wave {wave.spec.name}", view.tally(wave.position)
    coming = view.coming.bad(wave.position) if foreseen else 0
    bad = tally.bad + coming - len(accepted)
    if halting.exceeded(bad, wave.allowed):
        return _counted_on(what, bad, wave.allowed)
    lost = tally.bad_reboots - sum(is_bad_reboot(op, wave.spec) for op in accepted)
    lost += view.coming.bad_reboots(wave.position) if foreseen else 0
    bearable = wave.reboots_allowed
    if bearable is not None and halting.exceeded(lost, bearable):
        return _counted_on(f"the phase of reboots of {what}", lost, bearable)
    return _named(what, _tripped(view, view.courses[wave.position], coming, accepted))


def _run_s(view: RunView, coming: int, accepted: Sequence[Operation] = ()) -> Why | None:
    bad = sum(tally.bad for tally in view.tallies()) + coming - len(accepted)
    allowed = allowed_in(view)
    if allowed is not None and halting.exceeded(bad, allowed):
        return _counted_on("the run", bad, allowed)
    return _named("the run", _tripped(view, view.course, coming, accepted))


def _tripped(
    view: RunView, course: Course, coming: int, accepted: Sequence[Operation]
) -> Why | None:
    """Say which order of results is broken: with failures that come, or without some there are."""
    since = view.run.results_from
    if accepted:
        return course.tripped_without(since, {op.target.vm_id for op in accepted})
    return course.tripped(since, coming)


def _counted_on(what: str, bad: int, allowed: int) -> Why:
    return Why("budget", f"{what} has {counted(bad, 'bad VM')}, {allowed} allowed")


def _named(what: str, tripped: Why | None) -> Why | None:
    return None if tripped is None else Why(tripped.code, f"{what}: {tripped.text}")


def allowed_in(view: RunView) -> int | None:
    """Return how many failures the run tolerates over all its waves; None: no number bounds it."""
    tolerance = view.run.plan.allow_failures
    if tolerance is None or not halting.numbered(tolerance):
        return None
    return halting.allowed(tolerance, sum(wave.vms for wave in view.waves.values()))


def spent(view: RunView) -> Iterator[str]:
    """Say how much is spent of each budget that is not a wave's own: of the run, and of the phases
    of reboots that have begun."""
    allowed = allowed_in(view)
    if allowed is not None:
        yield _counted_on("the run", sum(tally.bad for tally in view.tallies()), allowed).text
    for position, wave in view.waves.items():
        if wave.reboots_allowed is not None and wave.closed_at is None:
            what = f"the phase of reboots of wave {wave.spec.name}"
            lost = view.tally(position).bad_reboots
            yield _counted_on(what, lost, wave.reboots_allowed).text


# ----------------------------------------------------------------------------------------- strict


def strict(view: RunView, wave: Wave) -> Iterator[StrictBudget]:
    """Yield the strict budgets that bound the starts of a wave."""
    own, whole = wave.spec.allow_failures, view.run.plan.allow_failures
    if own is not None and own.strict and wave.allowed is not None:
        yield StrictBudget(wave.position, wave.allowed)
    allowed = allowed_in(view)
    if whole is not None and whole.strict and allowed is not None:
        yield StrictBudget(None, allowed)


def room(view: RunView, wave: Wave) -> int | None:
    """Return how many more VMs of a wave its strict budgets bear now; None: no budget is strict."""
    rooms = [_left(view, budget) for budget in strict(view, wave)]
    return max(0, min(rooms)) if rooms else None


def _left(view: RunView, budget: StrictBudget) -> int:
    waves = view.waves if budget.wave is None else (budget.wave,)
    return budget.allowed + 1 - sum(view.busy(wave) + view.tally(wave).bad for wave in waves)


def overdrawn(view: RunView, op: Operation) -> str | None:
    """Say which strict budget does not bear a VM that has taken its slot; None: all bear it."""
    for budget in strict(view, view.waves[op.wave]):
        waves = view.waves if budget.wave is None else (budget.wave,)
        bad = sum(view.tally(wave).bad for wave in waves)
        others = sum(view.tally(wave).in_flight for wave in waves) - isinstance(op.state, InFlight)
        text = over_strict(budget, _names(view), others, bad)
        if text is not None:
            return text
    return None


def over_strict(
    budget: StrictBudget, names: Mapping[int, str], others: int, bad: int
) -> str | None:
    """Say why a strict budget bears no start beside so many others in flight and so many bad VMs;
    None: it does."""
    if others + bad < budget.allowed + 1:
        return None
    what = "the run" if budget.wave is None else f"wave {names[budget.wave]}"
    return (
        f"{what} has a strict budget: {others} in flight and {bad} bad, "
        f"{counted(budget.allowed, 'failure')} allowed"
    )


def bounds(view: RunView, op: Operation) -> Bounds:
    """Return what the start of a VM may not exceed, for its intent to re-check."""
    warned = [
        position for position, wave in view.waves.items() if wave.spec.warnings is Warnings.FAIL
    ]
    return Bounds(
        ceilings=view.slots.ceilings(op.target.vm_id),
        strict=tuple(strict(view, view.waves[op.wave])),
        warned=tuple(warned),
    )


def _names(view: RunView) -> Mapping[int, str]:
    return {position: wave.spec.name for position, wave in view.waves.items()}
