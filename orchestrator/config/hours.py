"""Windows, freezes and deadlines that leave nothing to start, or less than was meant. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from orchestrator.config.checks import Path, problem_at
from orchestrator.config.durations import show_duration
from orchestrator.config.explaining import find
from orchestrator.config.freezing import Freezes
from orchestrator.config.nodes import MapNode, Node
from orchestrator.config.problems import Problem, Wrong
from orchestrator.config.settings import ConfiguredPlan
from orchestrator.domain.model import Freeze, Hours, WaveSpec
from orchestrator.domain.schedule import fires
from orchestrator.domain.window import needed, next_start, of_restarts, openings

_ANY: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Windows recur: what is wrong with them shows in any year."""
_YEARS: Final = timedelta(days=3 * 366)
_FIRES: Final = 5
Remark = tuple[Path, str, str, bool]
"""The key, what is wrong, the fix, and whether it must not be."""


def about_hours(
    root: Node, plans: Sequence[ConfiguredPlan], freezes: Freezes, now: datetime | None
) -> list[tuple[Problem, bool]]:
    """Return what is wrong (True) or seldom meant (False) about the hours of plans, with its
    place. What depends on today is left out where `now` is not given."""
    found: list[tuple[Problem, bool]] = []
    frozen: Sequence[Freeze] = ()
    try:
        frozen = freezes.from_(now) if now else ()
    except Wrong as wrong:
        found.append((problem_at(find(root, ("freezes",)), wrong.message, wrong.fix), True))
    for position, plan in enumerate(plans):
        for key, message, fix, fatal in (*_about_plan(plan), *_about_waves(plan, frozen, now)):
            place = find(root, _written(root, ("plans", position), key))
            found.append((problem_at(place, message, fix), fatal))
    return list(dict.fromkeys(found))


def _written(root: Node, plan: Path, key: Path) -> Path:
    """Return where a key of a wave really stands: there, in its plan, or under `defaults`."""
    wave, name = key[:-1], key[-1:]
    homes = ((*plan, *wave), plan, ("defaults",)) if key else ((plan),)
    for home in homes:
        node = find(root, home)
        if (
            isinstance(node.node, MapNode)
            and not node.rest
            and name
            and name[0] in node.node.entries
        ):
            return (*home, *name)
    return (*plan, *wave)


def _about_plan(plan: ConfiguredPlan) -> Iterator[Remark]:
    if plan.emergency and plan.schedule is not None:
        message = "an emergency needs an approver each time, and a schedule has none"
        yield ("emergency",), message, "delete `emergency` or `schedule`", True


def _about_waves(
    plan: ConfiguredPlan, freezes: Sequence[Freeze], now: datetime | None
) -> Iterator[Remark]:
    for position, wave in enumerate(plan.spec.waves):
        for message, fix, fatal in _about_restarts(wave):
            yield ("waves", position, "reboot"), message, fix, fatal
        if not wave.hours.windows and not freezes:
            continue
        too_long = list(_about_cut_off(wave))
        told = [*too_long, *_about_overlap(wave.hours)]
        if now is not None and not too_long:
            told += _about_room(plan, wave, freezes, now)
        for message, fix, fatal in told:
            yield ("waves", position, "window"), message, fix, fatal


def _about_cut_off(wave: WaveSpec) -> Iterator[tuple[str, str, bool]]:
    """A cut-off longer than the longest window leaves no instant to start at."""
    if not wave.hours.windows or next_start(wave, (), _ANY, _ANY + _YEARS) is not None:
        return
    needs, reserve = show_duration(needed(wave)), show_duration(wave.hours.reserve)
    length = show_duration(wave.max_duration)
    message = (
        f"nothing could ever start: a VM may need {needs} (max_duration {length} and {reserve} for"
        " a reboot), and no window is open that long"
    )
    yield message, "lengthen the window, or shorten max_duration", True


def _about_restarts(wave: WaveSpec) -> Iterator[tuple[str, str, bool]]:
    """The same of the windows for restarts."""
    if wave.staged is None or not wave.staged.hours.windows:
        return
    if next_start(of_restarts(wave), (), _ANY, _ANY + _YEARS) is None:
        reserve = show_duration(wave.staged.hours.reserve)
        message = f"nothing could ever be restarted: no window is open for {reserve}"
        yield message, "lengthen the window, or shorten reboot_reserve", True
    yield from _about_overlap(wave.staged.hours)


def _about_overlap(hours: Hours) -> Iterator[tuple[str, str, bool]]:
    if len(hours.windows) < 2 and all(each.length <= timedelta(days=1) for each in hours.windows):  # noqa: PLR2004 - one cannot overlap another
        return
    spans = list(islice(openings(hours, _ANY), 60))
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        message = "windows overlap: together they count as one"
        yield message, "join them, if that is not what you mean", False


def _about_room(
    plan: ConfiguredPlan, wave: WaveSpec, freezes: Sequence[Freeze], now: datetime
) -> Iterator[tuple[str, str, bool]]:
    """Tell of runs to come in which a wave has no instant to start at before the deadline."""
    schedule, deadline = plan.schedule, plan.spec.deadline
    begins = [each.at for each in islice(fires(schedule, now), _FIRES)] if schedule else [now]
    barred = [at for at in begins if next_start(wave, freezes, at, at + deadline) is None]
    if not barred:
        return
    when = f"{barred[0]:%Y-%m-%d %H:%M}Z"
    free = next_start(wave, (), barred[0], barred[0] + deadline)
    length = show_duration(deadline)
    if free is None:
        message = f"no window opens within the deadline of {length} after {when}"
        yield message, "raise `deadline`, or open the window more often", len(barred) == _FIRES
    else:
        message = f"freezes leave no window to a run that begins at {when}, until its deadline"
        fix = "shorten the freeze, raise `deadline`, or expect that run to expire"
        yield message, fix, False
