"""The commands that drive: `serve`, and `run` for one run now. Beside a daemon, `run` asks it and
follows."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from orchestrator.cli.approving import emergency_options
from orchestrator.cli.choosing import plan_named
from orchestrator.cli.exits import Exit, Stop, heaviest
from orchestrator.cli.following import (
    EVERY_S,
    NoScreen,
    Screen,
    follow,
    held,
    read,
    screen,
    troubled,
    undriven,
)
from orchestrator.cli.leaving import Leave
from orchestrator.cli.loop import drive
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.progress import Row, at_rest, exits, report, to_json
from orchestrator.cli.sessions import LIFT, actor, log_at_once, reading, signals, through_the_door
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.config.settings import Settings
from orchestrator.daemon import NEEDS_APPROVER, Daemon, Parts, assembled, door
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Brake, Emergency
from orchestrator.ports import Store
from orchestrator.service import NotOpened, Opened
from orchestrator.store.trouble import DatabaseBusyError

_RESUME: Final = "An open run is followed with --resume."
_TAKE_UP_S: Final = 3.0
"""How long to wait for a run to be taken up here."""


@click.command()
@config_option
def serve(config: Path) -> int:
    """Run the daemon: fire schedules, drive runs, answer on the HTTP door.

    It takes up every open run where it stands. SIGTERM ends it cleanly: requests in flight are
    answered, runs stay open.
    """
    settings = load(config, now=WallClock().now())
    log_at_once(settings, "info")
    return drive(_serve(settings))


async def _serve(settings: Settings) -> Exit:
    stopping = asyncio.Event()
    with signals(stopping):
        async with assembled(settings, clock=WallClock()) as parts:
            daemon = Daemon(parts)
            async with AsyncExitStack() as stack:
                address = await _door(stack, daemon)
                if address is None:
                    raise Stop(f"{_closed(settings)} Free the port, or change http.listen.")
                say(f"orchestrator serves {len(settings.plans)} plans on {address}", to_stderr=True)
                await daemon.run(stopping)
    return Exit.DONE


async def _door(stack: AsyncExitStack, daemon: Daemon) -> str | None:
    """Open the daemon's door; None when its port is taken."""
    try:
        return await stack.enter_async_context(door(daemon))
    except OSError:
        return None


def _closed(settings: Settings) -> str:
    return f"The door {settings.http_host}:{settings.http_port} cannot be opened: it is in use."


def _brakeless(settings: Settings) -> str:
    """Say how a run is stopped that nobody can knock at."""
    if not settings.database.startswith("sqlite"):
        return "The run goes on without it; acts reach it through the database."
    return (
        "The run goes on without it: no command reaches it from elsewhere, `halt` neither. It is"
        f" stopped with Ctrl-C here, or with SIGTERM to process {os.getpid()}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    plan: str
    resume: bool
    wait: bool
    as_json: bool
    emergency: Emergency | None


@click.command()
@click.argument("plan")
@config_option
@json_option
@click.option("--resume", is_flag=True, help="Follow the plan's open run instead of refusing.")
@click.option(
    "--no-wait",
    is_flag=True,
    help="Leave a run that waits for its hours, a bake, a gate or an approval.",
)
@emergency_options
def run(
    plan: str,
    config: Path,
    emergency: Emergency | None,
    *,
    as_json: bool,
    resume: bool,
    no_wait: bool,
) -> int:
    """Open a run of PLAN now and follow it to its end.

    Without a daemon on the database this process drives the run itself. Interrupting it leaves the
    run open: a daemon, or `run PLAN --resume`, takes it up.
    """
    settings = load(config, now=WallClock().now())
    if plan_named(settings, plan).emergency and emergency is None:
        message = f"{NEEDS_APPROVER.format(plan)}. Give --emergency --approved-by NAME --because …"
        raise Stop(message)
    asked = _Asked(plan=plan, resume=resume, wait=not no_wait, as_json=as_json, emergency=emergency)
    return drive(_run(settings, asked))


async def _run(settings: Settings, asked: _Asked) -> Exit:
    stopping = asyncio.Event()
    log_at_once(settings)
    with signals(stopping):
        try:
            async with assembled(settings, clock=WallClock()) as parts:
                return await _drive_here(parts, asked, stopping)
        except DatabaseBusyError as busy:
            return await _follow_beside(settings, asked, busy, stopping)


async def _drive_here(parts: Parts, asked: _Asked, stopping: asyncio.Event) -> Exit:
    run_id = await _open_here(parts, asked)
    daemon = Daemon(parts, schedules=False, only=run_id)
    done = asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        if await _door(stack, daemon) is None:
            say(f"{_closed(parts.settings)} {_brakeless(parts.settings)}", to_stderr=True)
        group.create_task(daemon.run(done), name="drive")
        try:
            await _taken_up(daemon, run_id)
            return await _follow(parts.store, run_id, asked, stopping)
        finally:
            done.set()


async def _taken_up(daemon: Daemon, run_id: RunId) -> None:
    """Wait until acts that waited for a driver are applied: only then does the run's row count.

    Where another daemon holds the lease, that is not ours to wait for.
    """
    clock, until = daemon.parts.clock, daemon.parts.clock.monotonic() + _TAKE_UP_S
    while clock.monotonic() < until:
        driver = daemon.conductor.driver(run_id)
        if driver is not None and driver.stepped.is_set():
            return
        await clock.sleep(EVERY_S / 10)


async def _open_here(parts: Parts, asked: _Asked) -> RunId:
    plan = plan_named(parts.settings, asked.plan)
    still_open = await _to_resume(parts.store, asked)
    if still_open is not None:
        return still_open
    outcome = await parts.service.open(
        plan.spec,
        config_hash=parts.settings.config_hash,
        opened_by=actor(),
        emergency=asked.emergency,
    )
    match outcome:
        case Opened(run_id=run_id, notes=notes):
            for note in notes:
                say(note, to_stderr=True)
            return run_id
        case NotOpened(code="safe_mode", reason=reason):
            raise Stop(f"{reason}.", Exit.NEEDS_A_PERSON)
        case NotOpened(code="halted_all", reason=reason):
            raise Stop(f"{reason}. {LIFT}", Exit.HALTED)
        case NotOpened(code=code, reason=reason):
            hint = _RESUME if code == "already_open" else ""
            message = f"{reason}. {hint}".rstrip()
            raise Stop(message)


async def _to_resume(store: Store, asked: _Asked) -> RunId | None:
    """Name the oldest open run of the plan, a retry's run too, where `--resume` asks for it."""
    rows = await store.rows("v_runs", plan=asked.plan) if asked.resume else ()
    return next((RunId(row["run_id"]) for row in rows if row["closed_at"] is None), None)


async def _follow_beside(
    settings: Settings, asked: _Asked, busy: DatabaseBusyError, stopping: asyncio.Event
) -> Exit:
    """A daemon has the database: it opens the run, we look on."""
    async with reading(settings) as store:
        run_id = await _to_resume(store, asked)
        if run_id is None:
            body = {"act": "run", "plan": asked.plan, "actor": actor(), **_approval(asked)}
            answer = await through_the_door(settings, busy, body, hint=_RESUME)
            run_id = RunId(answer["run_id"])
        else:
            await _driven_there(store, run_id)
        return await _follow(store, run_id, asked, stopping)


async def _driven_there(store: Store, run_id: RunId) -> None:
    """Make sure that who has the database drives this run: a `run` drives only its own."""
    clock, until = WallClock(), WallClock().monotonic() + _TAKE_UP_S
    row, _ = await read(store, run_id)
    while idle := await undriven(store, [row]):
        if clock.monotonic() >= until:
            raise Stop(f"The database is in use, and {idle[run_id]}.", Exit.OUT_OF_REACH)
        await clock.sleep(EVERY_S)


def _approval(asked: _Asked) -> dict[str, str]:
    if asked.emergency is None:
        return {}
    return {"approved_by": asked.emergency.approved_by, "because": asked.emergency.because}


async def _follow(store: Store, run_id: RunId, asked: _Asked, stopping: asyncio.Event) -> Exit:
    if asked.as_json:
        return await _to_its_end(store, run_id, asked, stopping, NoScreen())
    with screen() as shown:
        return await _to_its_end(store, run_id, asked, stopping, shown)


async def _to_its_end(
    store: Store, run_id: RunId, asked: _Asked, stopping: asyncio.Event, shown: Screen
) -> Exit:
    leave = Leave(store)

    async def done(row: Row) -> bool:
        rests = at_rest(row) or stopping.is_set()
        return rests or (not asked.wait and await leave.may(row))

    await follow(store, run_id, WallClock(), shown, done)
    row, waves = await read(store, run_id)
    if asked.as_json:
        say(to_json(row))
    else:
        for line in report(row, waves, await troubled(store, run_id)):
            say(line)
    if stopping.is_set() and row["closed_at"] is None:
        say(f"interrupted; run {run_id} stays open", to_stderr=True)
        return Exit.INTERRUPTED
    hold = await held(store) if row["closed_at"] is None else None
    if hold is None:
        leave.told(row)
        return heaviest(exits(row, waves))
    say(hold.text, to_stderr=True)
    waits = Exit.HALTED if isinstance(hold, Brake) else Exit.NEEDS_A_PERSON
    return heaviest([*exits(row, waves), waits])
