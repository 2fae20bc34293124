"""The commands that look ahead: `plan`, who would be patched when, and `diff`, what a changed
configuration would change. They list Azure's VMs and start nothing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.choosing import plan_named
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.progress import to_json
from orchestrator.cli.sessions import log_at_once, reading
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.comparing import Difference, differences
from orchestrator.config.loading import load
from orchestrator.config.settings import ConfiguredPlan, Settings
from orchestrator.daemon import azure
from orchestrator.domain.durations import PAST, Durations
from orchestrator.domain.forecast import Forecast, WaveForecast, forecast
from orchestrator.domain.inventory import Machine
from orchestrator.domain.moving import NOWHERE, Moved, moves, places
from orchestrator.domain.schedule import fires
from orchestrator.domain.waves import Membership, in_order, resolve
from orchestrator.domain.words import counted, spanned
from orchestrator.logs import Log
from orchestrator.ports import StoreUnavailableError
from orchestrator.service import machines_of

_NAMED: Final = 10
"""More VMs that move the same way are counted, not named."""


@click.command()
@click.argument("plan")
@config_option
@json_option
def plan(plan: str, config: Path, *, as_json: bool) -> None:
    """Show what a run of PLAN would do now: who, in which order, who not and why, and how long.

    It lists the VMs as Azure has them at this moment and starts nothing. With --json each VM is an
    object on a line of its own.
    """
    settings = load(config)
    configured = plan_named(settings, plan)
    log_at_once(settings)
    asyncio.run(_plan(settings, configured, as_json=as_json))


async def _plan(settings: Settings, configured: ConfiguredPlan, *, as_json: bool) -> None:
    listed = resolve(configured.spec, await _listed(settings, [configured]))
    durations = await _learnt(settings, listed)
    membership = in_order(configured.spec, listed, durations)
    if as_json:
        for row in _rows(configured, membership):
            say(to_json(row))
        return
    now = WallClock().now()
    foreseen = forecast(
        configured.spec,
        membership,
        durations,
        opens_at=_opening(configured, now),
        freezes=() if configured.emergency else settings.freezes.from_(now),
    )
    for line in _lines(configured, membership, foreseen):
        say(line)


def _opening(configured: ConfiguredPlan, now: datetime) -> datetime:
    """Return when a run of a plan opens next; without a schedule somebody opens it now."""
    schedule = configured.schedule
    return now if schedule is None else next((fire.at for fire in fires(schedule, now)), now)


async def _listed(settings: Settings, plans: Sequence[ConfiguredPlan]) -> Sequence[Machine]:
    """List the machines that any of these plans may mean."""
    clock = WallClock()
    selections = [wave.select for each in plans for wave in each.spec.waves]
    async with azure(settings.azure, clock, Log(clock)) as arm:
        return await machines_of(arm, selections, settings.azure.subscriptions)


async def _learnt(settings: Settings, membership: Membership) -> Durations:
    """Read how long installations lasted so far; without a database nothing is known yet."""
    durations = Durations()
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(reading(settings))
        except StoreUnavailableError:
            return durations
        vms = {member.vm_id for wave in membership.waves for member in wave}
        durations.remember(await store.durations(PAST), vms)
    return durations


# ------------------------------------------------------------------------------------ plan


def _lines(configured: ConfiguredPlan, membership: Membership, foreseen: Forecast) -> Iterator[str]:
    waves = counted(len(foreseen.waves), "wave")
    yield f"plan {configured.spec.name}: {counted(membership.vms, 'VM')} in {waves}"
    for position, wave in enumerate(foreseen.waves, start=1):
        yield f"  wave {position} {wave.spec.name}: {_summary(wave)}"
        for member in membership.waves[position - 1]:
            os = member.os or "no system told"
            yield f"    {member.name}  {os}  {member.region}  {member.resource_group}"
    yield from _left_out(configured, membership)
    usual = _about(foreseen.usual, foreseen.unstarted)
    whole = f"{usual}, with long installations {_about(foreseen.careful, foreseen.left, '')}"
    deadline = spanned(foreseen.deadline)
    verdict = "fits" if foreseen.fits else "DOES NOT FIT"
    if foreseen.left:
        late = counted(foreseen.left, "VM")
        yield f"  {late} would not be started before the deadline, with long installations"
    if configured.schedule is not None:
        yield f"  opened by its next fire, {foreseen.opens_at:%Y-%m-%d %H:%M}Z:"
    yield f"  altogether {whole}: it {verdict} into the deadline of {deadline}"


def _about(span: timedelta, unstarted: int, word: str = "about ") -> str:
    """Say how long; of what does not end before the deadline nobody knows more than that."""
    return f"more than {spanned(span)}" if unstarted else f"{word}{spanned(span)}"


def _summary(wave: WaveForecast) -> str:
    if not wave.vms:
        return "no VM"
    if wave.unstarted == wave.vms:
        return f"{counted(wave.vms, 'VM')}, not started before the deadline"
    bake = f", then bakes {spanned(wave.spec.bake)}" if wave.spec.bake else ""
    reboots = ", a restart of each counted" if wave.spec.staged is not None else ""
    when = ""
    if wave.spec.hours.windows and not wave.unstarted:
        when = f", from {wave.begins:%Y-%m-%d %H:%M}Z to {wave.ends:%Y-%m-%d %H:%M}Z"
    never = wave.left == wave.vms
    long = "not started before the deadline" if never else _about(wave.careful, wave.left, "")
    return (
        f"{counted(wave.vms, 'VM')}, {wave.max_parallel} at once,"
        f" {counted(wave.allowed, 'failure')} allowed,"
        f" {_about(wave.usual, wave.unstarted)} (long: {long}){when}{reboots}{bake}"
    )


def _left_out(configured: ConfiguredPlan, membership: Membership) -> Iterator[str]:
    rows = [row for row in _rows(configured, membership) if row["reason_code"]]
    if rows or membership.notes:
        yield "  not in it, or not where one might look:"
    yield from (f"    {row['vm_name']}: {row['reason']}" for row in rows)
    yield from (f"    {note}" for note in membership.notes)


def _rows(configured: ConfiguredPlan, membership: Membership) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each VM: who is patched, in the order of starts, then who is not."""
    for number, wave in enumerate(configured.spec.waves):
        groups = (
            (membership.waves[number], "", ""),
            (membership.excluded[number], "excluded", f"wave {wave.name} excludes it"),
            (membership.missing[number], "not_found", f"wave {wave.name} names it; Azure does not"),
        )
        for members, code, reason in groups:
            for member in members:
                yield {
                    "plan": configured.spec.name,
                    "position": number + 1,
                    "wave": wave.name,
                    "vm_id": member.vm_id,
                    "vm_name": member.name,
                    "os": member.os,
                    "region": member.region,
                    "planned": not code,
                    "reason_code": code,
                    "reason": reason,
                }


# ------------------------------------------------------------------------------------ diff


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Compare the files alone: Azure is not asked.")
@json_option
def diff(old: Path, new: Path, *, offline: bool, as_json: bool) -> None:
    """Compare two configurations: keys that differ, and VMs that move to another wave.

    The VMs are those that Azure lists at this moment for NEW's credential. Nothing is started.
    """
    before, after = load(old), load(new)
    found = tuple(differences(before, after, WallClock().now()))
    log_at_once(after)
    moved = {} if offline else asyncio.run(_moved(before, after))
    shown = _diff_rows(found, moved) if as_json else _diff_lines(found, moved)
    for line in shown:
        say(line)


async def _moved(before: Settings, after: Settings) -> Mapping[str, Sequence[Moved]]:
    """Return, for each plan that both have, who is in another wave."""
    pairs = [(old, new) for new in after.plans if (old := before.plan(new.spec.name)) is not None]
    machines = await _listed(after, [plan for pair in pairs for plan in pair])
    return {
        new.spec.name: moves(
            *(places(each.spec, resolve(each.spec, machines)) for each in (old, new))
        )
        for old, new in pairs
    }


def _diff_lines(found: Sequence[Difference], moved: Mapping[str, Sequence[Moved]]) -> Iterator[str]:
    for each in found:
        if not each.key:
            yield f"plan {each.plan}: {each.before or each.after}"
            continue
        what = f"plan {each.plan} {each.key}" if each.plan else each.key
        yield f"{what}: {each.before or 'not set'} -> {each.after or 'not set'}"
    for name, groups in moved.items():
        yield from (f"plan {name}: {_sentence(group)}" for group in groups)
    if not found and not any(moved.values()):
        yield "nothing differs"


def _sentence(group: Moved) -> str:
    number = counted(len(group.vms), "VM")
    verb = "moves" if len(group.vms) == 1 else "move"
    if group.before == NOWHERE:
        what = f"{number} newly in wave {group.after}"
    elif group.after == NOWHERE:
        what = f"{number} of wave {group.before} in no wave any more"
    else:
        what = f"{number} {verb} from wave {group.before} to {group.after}"
    names = [vm.rpartition("/")[2] for vm in group.vms[:_NAMED]]
    more = " …" if len(group.vms) > _NAMED else ""
    return f"{what} ({', '.join(names)}{more})"


def _diff_rows(found: Sequence[Difference], moved: Mapping[str, Sequence[Moved]]) -> Iterator[str]:
    for each in found:
        row = {"plan": each.plan, "key": each.key, "before": each.before, "after": each.after}
        yield to_json(row)
    for name, groups in moved.items():
        for group in groups:
            for vm in group.vms:
                row = {"plan": name, "vm_id": vm, "before": group.before, "after": group.after}
                yield to_json(row)
