"""A valid configuration as lines for people and as JSON for programs. Reads nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.cli.bounding import limited, limits_mapping, shared, tolerated, whole
from orchestrator.config.durations import show_duration
from orchestrator.config.problems import Problem
from orchestrator.config.settings import AzureSettings, ConfiguredPlan, Settings
from orchestrator.config.time_values import DAYS
from orchestrator.domain.almanac import Entry
from orchestrator.domain.gating import told
from orchestrator.domain.model import Selection, WaveSpec, Window
from orchestrator.domain.schedule import Cron, Nominal, PatchTuesday, Schedule, fires
from orchestrator.domain.window import needed

FIRES_SHOWN = 5
FREEZES_SHOWN = 10
_IDS_SHOWN = 3


def next_fires(schedule: Schedule | None, now: datetime) -> list[Nominal]:
    """Return the next five fires; none without a schedule."""
    return list(islice(fires(schedule, now), FIRES_SHOWN)) if schedule else []


# -------------------------------------------------------------------------- for people


def as_text(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield the lines that `validate` prints."""
    plans = _counted(len(settings.plans), "plan")
    waves = _counted(sum(len(plan.spec.waves) for plan in settings.plans), "wave")
    yield f"{settings.path} is valid: {plans}, {waves}."
    yield f"Azure: {_azure(settings.azure)}"
    for freeze in settings.freezes.from_(now)[:FREEZES_SHOWN]:
        span = f"{freeze.begins:%Y-%m-%d %H:%M} to {freeze.ends:%Y-%m-%d %H:%M} UTC"
        yield f"freeze {span}: {freeze.name}"
    for plan in settings.plans:
        yield ""
        yield from _plan(plan, now)


def _plan(plan: ConfiguredPlan, now: datetime) -> Iterator[str]:
    spec = plan.spec
    yield f"plan {spec.name}"
    yield f"  schedule    {describe(plan.schedule)}"
    if plan.schedule:
        zone = ZoneInfo(plan.schedule.timezone)
        for number, fire in enumerate(next_fires(plan.schedule, now)):
            local = fire.at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")
            title = "next fires" if number == 0 else ""
            yield f"  {title:<10}  {local:<26} = {fire.at:%Y-%m-%d %H:%M} UTC"
        yield f"  missed      {_missed(plan.schedule)}"
    budget = f"; allowed failures {whole(spec.allow_failures)}" if spec.allow_failures else ""
    yield f"  run         ends after {show_duration(spec.deadline)} at the latest{budget}"
    if limits := limited(spec.limits):
        yield f"  limits      {limits}"
    for position, wave in enumerate(spec.waves, 1):
        yield f"  wave {position:<6} {wave.name}: {_selection(wave.select)}"
        if wave.exclude != Selection():
            yield f"              but not {_selection(wave.exclude)}"
        yield f"              {_rules(wave)}"
        if wave.hours.windows:
            yield f"              {_hours(wave)}"
        for line in _gates(wave):
            yield f"              {line}"


def describe(schedule: Schedule | None) -> str:
    """Say in one line when a plan fires."""
    if schedule is None:
        return "none: opened by hand"
    offset = schedule.offset
    sign = "+" if offset > timedelta(0) else ""
    moved = f", moved by {sign}{show_duration(offset)}" if offset else ""
    return f"{_rule(schedule.rule)}{moved}, {schedule.timezone}"


def _rule(rule: Cron | PatchTuesday) -> str:
    match rule:
        case Cron(expression=expression):
            return f'cron "{expression}"'
        case PatchTuesday(days=days, at=at):
            return f"patch Tuesday {days:+}d at {at:%H:%M}"


def _missed(schedule: Schedule) -> str:
    grace = show_duration(schedule.missed.grace)
    later = "a late one is skipped" if schedule.missed.policy == "skip" else "then run late"
    return f"on time within {grace}; {later}"


def _rules(wave: WaveSpec) -> str:
    steps = wave.ramp or ((wave.max_parallel,) if wave.max_parallel else ())
    parallel = ", then ".join(map(shared, steps)) or "by size"
    allowed = tolerated(wave.allow_failures)
    bake = f", bake {show_duration(wave.bake)}" if wave.bake else ""
    empty = ", may be empty" if wave.allow_empty else ""
    duration, warned = show_duration(wave.max_duration), wave.warnings.value
    return (
        f"max parallel {parallel}, {wave.order.value}, allowed failures {allowed}{bake}{empty}, "
        f"max duration {duration}, reboot {wave.reboot.value}, warnings {warned}"
    )


def _hours(wave: WaveSpec) -> str:
    """Say when VMs may be started, and the latest before a window's end."""
    each = " or ".join(_window(window) for window in wave.hours.windows)
    cut_off = show_duration(needed(wave))
    return f"window {each}, {wave.hours.timezone}; last start {cut_off} before its end"


def _window(window: Window) -> str:
    days = f" on {', '.join(DAYS[day] for day in window.days)}" if window.days else ""
    return f"{window.start:%H:%M} for {show_duration(window.length)}{days}"


def _gates(wave: WaveSpec) -> Iterator[str]:
    """Say what must hold before the wave opens, and before it closes."""
    if wave.approve:
        timeout = wave.approve.timeout
        until = f"; after {show_duration(timeout)} the run is paused" if timeout else ""
        yield f"approved by {wave.approve.group} before it opens{until}"
    for when, gates in (("opens", wave.before), ("closes", wave.check)):
        for gate in gates:
            held = f" for {show_duration(gate.held_for)}" if gate.held_for else ""
            red = show_duration(gate.timeout)
            yield f"{told(gate)} good{held} before it {when}; red for {red} halts the run"


def _selection(selection: Selection) -> str:
    ids = [vm.rpartition("/")[2] for vm in selection.ids]
    shown = ", ".join(ids[:_IDS_SHOWN]) + (" …" if len(ids) > _IDS_SHOWN else "")
    kinds = (
        (f"{_counted(len(ids), 'VM')} by id ({shown})", ids),
        (f"subscription {_either(selection.subscriptions)}", selection.subscriptions),
        (f"resource group {_either(selection.resource_groups)}", selection.resource_groups),
        *((f"tag {name} = {_either(values)}", values) for name, values in selection.tags),
    )
    return " and ".join(text for text, given in kinds if given)


def _either(values: Sequence[str]) -> str:
    return " or ".join(values)


def _azure(azure: AzureSettings) -> str:
    where = azure.endpoint or azure.cloud
    return f"{where}, credential {azure.credential.kind.value}, api-version {azure.api_version}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def entry_line(entry: Entry) -> str:
    """Return one line of the calendar: the time in its own zone and in UTC, who, what."""
    local = entry.at.astimezone(ZoneInfo(entry.timezone))
    mark, who = "!" if entry.warns else " ", entry.plan or "all plans"
    return f"{mark} {local:%a %Y-%m-%d %H:%M %Z} = {entry.at:%H:%M}Z  {who}: {entry.text}"


# -------------------------------------------------------------------------- for programs


def entry_mapping(entry: Entry) -> dict[str, Any]:
    """Return an entry of the calendar."""
    return {**asdict(entry), "at": f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ}"}


def as_mapping(settings: Settings, now: datetime) -> dict[str, Any]:
    """Return what `validate --json` prints. Times are in UTC, lengths are spelled as in a file."""
    return {
        "valid": True,
        "path": str(settings.path),
        "config_hash": settings.config_hash,
        "freezes": [
            {"name": each.name, "begins": _utc(each.begins), "ends": _utc(each.ends)}
            for each in settings.freezes.from_(now)
        ],
        "plans": [_plan_mapping(plan, now) for plan in settings.plans],
        "warnings": [problem_mapping(warning) for warning in settings.warnings],
    }


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def problem_mapping(problem: Problem) -> dict[str, Any]:
    """Return a problem's fields."""
    return asdict(problem)


def _plan_mapping(plan: ConfiguredPlan, now: datetime) -> dict[str, Any]:
    zone = plan.schedule.timezone if plan.schedule else plan.timezone
    return {
        "name": plan.spec.name,
        "timezone": zone,
        "schedule": describe(plan.schedule) if plan.schedule else None,
        "next_fires": [
            {"local": fire.local, "at": _utc(fire.at)} for fire in next_fires(plan.schedule, now)
        ],
        "deadline": show_duration(plan.spec.deadline),
        "limits": limits_mapping(plan.spec.limits),
        "waves": [_wave_mapping(wave) for wave in plan.spec.waves],
    }


def _wave_mapping(wave: WaveSpec) -> dict[str, Any]:
    return {
        "name": wave.name,
        "select": _selection(wave.select),
        "exclude": _selection(wave.exclude) or None,
        "ids": len(wave.select.ids),
        "max_parallel": asdict(wave.max_parallel) if wave.max_parallel else None,
        "order": wave.order.value,
        "allow_failures": asdict(wave.allow_failures) if wave.allow_failures else None,
        "bake": show_duration(wave.bake),
        "max_duration": show_duration(wave.max_duration),
        "reboot": wave.reboot.value,
        "warnings": wave.warnings.value,
        "allow_empty": wave.allow_empty,
        "windows": [_window(window) for window in wave.hours.windows],
        "cut_off": show_duration(needed(wave)) if wave.hours.windows else None,
    }
