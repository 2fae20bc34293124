"""A wave as its keys with their values, every default filled in and each key named as a file names
it. Pure."""

from collections.abc import Iterator
from dataclasses import asdict

from orchestrator.config.durations import show_share
from orchestrator.config.time_values import DAYS
from orchestrator.config.writing import Value
from orchestrator.domain.gate import PATIENCE, Approval, GateKind, GateSpec
from orchestrator.domain.model import Hours, Selection, Share, Tolerance, WaveSpec, Window

_GOOD_STATUS = 200


def of_wave(wave: WaveSpec) -> Iterator[tuple[str, Value]]:
    """Yield what a wave says; what it does not set has None or an empty list."""
    yield from _selection("select", wave.select)
    yield from _selection("exclude", wave.exclude)
    yield "max_parallel", tuple(map(shared, wave.ramp)) or shared(wave.max_parallel)
    yield "order", wave.order
    yield "allow_failures", tolerated(wave.allow_failures)
    yield "allow_empty", wave.allow_empty
    yield "bake", wave.bake
    yield "max_duration", wave.max_duration
    yield "warnings", wave.warnings
    yield "window", _windows(wave.hours)
    yield from _reboots(wave)
    yield "approve", _approval(wave.approve)
    for moment, gates in (("before", wave.before), ("check", wave.check)):
        yield from ((f"{moment}[{n}]", _gate(gate)) for n, gate in enumerate(gates, 1))


def shared(share: Share | None) -> Value:
    """Return a count or a percentage."""
    return None if share is None else share.count if share.percent is None else show_share(share)


def tolerated(tolerance: Tolerance | None) -> Value:
    """Return a count or a percentage where that is all, else a mapping."""
    if tolerance is None:
        return None
    percent = None if tolerance.percent is None else f"{tolerance.percent:g}%"
    given = {
        "count": tolerance.count,
        "percent": percent,
        "in_a_row": tolerance.in_a_row,
        "rate": asdict(tolerance.rate) if tolerance.rate else None,
        "budget": "strict" if tolerance.strict else None,
        "quarantine": tolerance.quarantine or None,
    }
    found = {name: each for name, each in given.items() if each is not None}
    return found[min(found)] if found.keys() in ({"count"}, {"percent"}) else found


def _selection(key: str, selection: Selection) -> Iterator[tuple[str, Value]]:
    yield f"{key}.ids", selection.ids
    yield f"{key}.subscriptions", selection.subscriptions
    yield f"{key}.resource_groups", selection.resource_groups
    for name, accepted in selection.tags:
        yield f"{key}.tags.{name}", accepted if len(accepted) > 1 else accepted[0]


def _windows(hours: Hours) -> Value:
    windows = tuple(map(_window, hours.windows))
    return windows[0] if len(windows) == 1 else windows


def _window(window: Window) -> Value:
    days = {"days": tuple(DAYS[day] for day in window.days)} if window.days else {}
    return {"start": window.start, "length": window.length, **days}


def _reboots(wave: WaveSpec) -> Iterator[tuple[str, Value]]:
    """Say what an installation may do about a reboot, or that reboots are a phase of their own."""
    staged = wave.staged
    yield "reboot", "staged" if staged else wave.reboot
    hours = staged.hours if staged else wave.hours
    yield "reboot_reserve", hours.reserve if hours.windows else None
    if staged is None:
        return
    yield "reboot.window", _windows(hours) if hours.windows != wave.hours.windows else None
    yield "reboot.max_parallel", shared(staged.max_parallel)
    yield "reboot.allow_failures", shared(staged.allow_failures)


def _approval(approval: Approval | None) -> Value:
    if approval is None or approval.timeout is None:
        return approval and approval.group
    return {"group": approval.group, "timeout": approval.timeout}


def _gate(gate: GateSpec) -> Value:
    """Leave out what is as if it were not written: a gate is one value among others."""
    asked: dict[str, Value]
    if gate.kind is GateKind.PROMETHEUS:
        asked = {"url": gate.url, "query": gate.query, "expect": gate.bound}
        asked = {"prometheus": asked}
    else:
        asked = {"http": gate.url}
        asked |= {"expect": gate.expect} if gate.expect != _GOOD_STATUS else {}
    held = {"for": gate.held_for} if gate.held_for else {}
    patience = {"timeout": gate.timeout} if gate.timeout != PATIENCE else {}
    return {**asked, **held, **patience}
