"""The commands about schedules: `schedule disable` and `schedule enable`. Each is one row, and a
line of the audit log."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.options import because_option, config_option
from orchestrator.cli.sessions import access_of, actor, log, through_the_door
from orchestrator.cli.steered import steered
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.azure_words import read_instant
from orchestrator.config.problems import Wrong
from orchestrator.config.settings import Access, Settings
from orchestrator.store.trouble import DatabaseBusyError


@click.group()
def schedule() -> None:
    """Let the schedule of a plan rest, and wake it again."""


@schedule.command()
@click.argument("plan")
@config_option
@because_option
@click.option("--until", help="When it wakes by itself: 2026-12-01, or a time with its offset.")
def disable(plan: str, config: Path, because: str, until: str | None) -> int:
    """Let the schedule of PLAN rest: its fires are written down as skipped. Open runs go on."""
    access = _access(config, plan)
    return asyncio.run(_ask(access, plan, because, _instant(until) if until else None))


@schedule.command()
@click.argument("plan")
@config_option
@because_option
def enable(plan: str, config: Path, because: str) -> int:
    """Let the schedule of PLAN fire again. What would have fired meanwhile is not made up for."""
    return asyncio.run(_ask(_access(config, plan), plan, because, None, enable=True))


def _access(config: Path, plan: str) -> Access:
    """Open the configuration; where it is in order, the plan must be one that fires."""
    access = access_of(config)
    log(access)
    if isinstance(access, Settings):
        firing = [each.spec.name for each in access.plans if each.schedule is not None]
        if plan not in firing:
            there = f"There are: {', '.join(firing)}." if firing else "No plan has one."
            message = f"There is no plan {plan} with a schedule in {access.path}. {there}"
            raise Stop(message)
    return access


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except Wrong as wrong:
        message = f"--until: {wrong.message}; {wrong.fix}"
        raise Stop(message) from None


async def _ask(
    access: Access, plan: str, because: str, until: datetime | None, *, enable: bool = False
) -> Exit:
    """Write it: directly, or through the door of the daemon that has the database."""
    try:
        async with steered(access, clock=WallClock()) as service:
            if enable:
                say(await service.enable_schedule(plan, actor(), because))
            else:
                say(await service.disable_schedule(plan, until, actor(), because))
    except DatabaseBusyError as busy:
        act = "enable" if enable else "disable"
        body: dict[str, Any] = {"act": act, "plan": plan, "actor": actor(), "because": because}
        if until is not None:
            body["until"] = until.isoformat()
        say(str((await through_the_door(access, busy, body))["said"]))
    return Exit.DONE
