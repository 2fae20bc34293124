"""What no type says: keys without a value, names used twice, and what is seldom meant. Pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from orchestrator.config.durations import show_duration
from orchestrator.config.explaining import MOST_EXPLAINED, Place, find
from orchestrator.config.nodes import ListNode, MapNode, Node, Scalar
from orchestrator.config.problems import Problem, quoted
from orchestrator.config.settings import ConfiguredPlan
from orchestrator.domain.inventory import covers
from orchestrator.domain.model import Reboot, Selection, WaveSpec
from orchestrator.domain.schedule import Cron, either_day, every_minute
from orchestrator.domain.words import counted

Path = tuple[str | int, ...]

_SHORT = timedelta(minutes=30)
"""Below about 25 minutes Windows attempts nothing (azure-facts 1.1)."""


def check(root: Node) -> list[Problem]:
    """Return what is wrong with the file before any type is looked at."""
    return [*_empty_keys(root), *_same_names(root)]


def _empty_keys(root: Node) -> Iterator[Problem]:
    found = 0
    for path, node in _walk(root, ()):
        if isinstance(node, Scalar) and node.value is None:
            found += 1
            if found > MOST_EXPLAINED:
                return
            yield problem_at(
                find(root, path), "this key has no value", "give it one, or delete the line"
            )


def _walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    yield path, node
    inner: Sequence[tuple[str | int, Node]] = ()
    if isinstance(node, MapNode):
        inner = tuple(node.entries.items())
    elif isinstance(node, ListNode):
        inner = tuple(enumerate(node.items))
    for step, child in inner:
        yield from _walk(child, (*path, step))


def _same_names(root: Node) -> Iterator[Problem]:
    plans = _items(root, "plans")
    yield from _doubles(root, plans, ("plans",))
    for position, plan in enumerate(plans):
        path = ("plans", position, "waves")
        yield from _doubles(root, _items(plan, "waves"), path, by_position=True)


def _items(node: Node, key: str) -> Sequence[Node]:
    value = node.entries.get(key) if isinstance(node, MapNode) else None
    return value.items if isinstance(value, ListNode) else ()


def _doubles(
    root: Node, items: Sequence[Node], path: Path, *, by_position: bool = False
) -> Iterator[Problem]:
    first: dict[str, Node] = {}
    for index, item in enumerate(items):
        name = item.entries.get("name") if isinstance(item, MapNode) else None
        text = name.text if isinstance(name, Scalar) else str(index + 1) if by_position else ""
        if not text:
            continue
        if text in first:
            place = find(root, (*path, index, "name"))
            there = first[text].mark
            message = f"this name is taken; the other stands at {there.file}:{there.line}"
            fix = "give each a name of its own"
            yield problem_at(place, message, fix, quoted(text))
        first.setdefault(text, item)


def problem_at(place: Place, message: str, fix: str, found: str = "") -> Problem:
    """Return a problem with its place."""
    where = place.mark._asdict()
    return Problem(**where, key=place.key, message=message, found=found, fix=fix)


# -------------------------------------------------------------------------- seldom meant


def cautions(root: Node, plans: Sequence[ConfiguredPlan]) -> list[Problem]:
    """Return what is allowed and seldom meant, with its places."""
    found = []
    for position, plan in enumerate(plans):
        path = ("plans", position)
        told = (*_about_waves(plan), *_about_selections(plan), *_about_quarantines(plan))
        told += (*_about_durations(plan), *_about_patches(plan))
        for key, message, fix in (*told, *_about_schedule(plan)):
            found.append(problem_at(find(root, (*path, *key)), message, fix))
    return found


Caution = tuple[Path, str, str]


def _about_waves(plan: ConfiguredPlan) -> Iterator[Caution]:
    waves = plan.spec.waves
    bakes = sum((wave.bake for wave in waves), timedelta(0))
    if len(waves) > 1 and not any(wave.bake for wave in waves[:-1]):
        message = "no wave bakes: a bad patch may reach the last wave before it shows in the first"
        yield (), message, "give the first waves `bake: 24h` or so"
    if bakes >= plan.spec.deadline:
        deadline = show_duration(plan.spec.deadline)
        message = f"the bakes take {show_duration(bakes)}, and the deadline comes after {deadline}"
        yield (), message, "raise `deadline` or shorten a `bake`"


def _about_selections(plan: ConfiguredPlan) -> Iterator[Caution]:
    """A VM belongs to the first wave that selects it. What the file alone shows of that is told
    here; `plan` tells of each VM."""
    waves = plan.spec.waves
    for position, wave in enumerate(waves):
        told = (_taken(earlier, wave) for earlier in waves[:position])
        for message, fix in islice(filter(None, told), 1):
            yield ("waves", position, "select"), message, fix


def _taken(earlier: WaveSpec, wave: WaveSpec) -> tuple[str, str] | None:
    first, nothing = f"wave {earlier.name}", Selection()
    if covers(earlier.select, wave.select) and earlier.exclude in {nothing, wave.exclude}:
        message = f"this wave can have no VM: {first} selects all of them first"
        return message, f"delete this wave, or give {first} an `exclude`"
    ids = set(earlier.select.ids)
    certain = earlier.select == Selection(ids=earlier.select.ids) and earlier.exclude == nothing
    both = len(ids.intersection(wave.select.ids))
    if certain and both:
        message = f"{counted(both, 'VM')} listed here belong to {first}, which lists them first"
        return message, "list each VM once"
    return None


def _about_quarantines(plan: ConfiguredPlan) -> Iterator[Caution]:
    """What halts at the first bad VM never sees what two of them share."""
    spec = plan.spec
    waves = [(("waves", n), wave.allow_failures) for n, wave in enumerate(spec.waves)]
    for path, tolerance in (((), spec.allow_failures), *waves):
        if tolerance is None or not tolerance.quarantine:
            continue
        if tolerance.count == 0 or tolerance.in_a_row == 1:
            message = "the first bad VM breaks this budget: two are needed to see a group"
            fix = "tolerate one at least, or delete this key"
            yield (*path, "allow_failures", "quarantine"), message, fix


def _about_durations(plan: ConfiguredPlan) -> Iterator[Caution]:
    for position, wave in enumerate(plan.spec.waves):
        if wave.max_duration < _SHORT:
            length = show_duration(wave.max_duration)
            message = f"max_duration is {length}: Windows attempts nothing below about 25 minutes"
            yield ("waves", position, "max_duration"), message, "write at least 30m"


def _about_patches(plan: ConfiguredPlan) -> Iterator[Caution]:
    windows = plan.spec.patches.windows
    reboots = [wave for wave in plan.spec.waves if wave.reboot is not Reboot.NEVER]
    if windows and windows.exclude_kbs_requiring_reboot and reboots:
        message = "patches that need a reboot are left out, and yet a reboot is allowed"
        key = ("patches", "windows", "exclude_kbs_requiring_reboot")
        yield key, message, "write `reboot: never`, or delete this key"


def _about_schedule(plan: ConfiguredPlan) -> Iterator[Caution]:
    rule = plan.schedule.rule if plan.schedule else None
    if not isinstance(rule, Cron):
        return
    if either_day(rule):
        message = "cron fires when either the day of the month or the weekday matches"
        yield ("schedule", "cron"), message, "give one of them; TUE#2 is the second Tuesday"
    if every_minute(rule):
        message = "cron fires every minute of the hours it names"
        yield ("schedule", "cron"), message, "write 0 as the minute"
