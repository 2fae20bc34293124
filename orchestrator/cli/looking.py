"""The command `status`: how runs stand, from the database, beside whoever works with it. It needs
the database of a configuration, and nothing else of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.cli.choosing import open_ones, run_only
from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.following import follow, held, read, screen, troubled, undriven
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.progress import Row, at_rest, headline, report, to_json
from orchestrator.cli.sessions import access_of, log, reading, signals
from orchestrator.cli.text import say
from orchestrator.cli.viewing import view_of
from orchestrator.clock import WallClock
from orchestrator.config.settings import Access
from orchestrator.domain.budgets import spent
from orchestrator.domain.foreign import harmless
from orchestrator.domain.gating import described
from orchestrator.domain.model import RunId
from orchestrator.domain.rollout import current_wave
from orchestrator.domain.waits import waits
from orchestrator.ports import Store

_CLOSED_SHOWN = 10
_REASONS_SHOWN = 10


@click.command()
@click.argument("run", required=False)
@config_option
@json_option
@click.option("--watch", is_flag=True, help="Go on showing it until it is at rest.")
def status(run: str | None, config: Path, *, as_json: bool, watch: bool) -> int:
    """Show all runs, or one: its waves and the VMs that did not simply succeed.

    With --json the rows of v_runs, or of v_operations for one run, one object a line.
    """
    access = access_of(config)
    log(access)
    return asyncio.run(_status(access, run, as_json=as_json, watch=watch))


async def _status(access: Access, run: str | None, *, as_json: bool, watch: bool) -> Exit:
    async with reading(access) as store:
        if (hold := await held(store)) is not None:
            say(hold.text, to_stderr=as_json)
        if run is None and watch and open_ones(await store.rows("v_runs")):
            run = await run_only(store, ())
        if run is None:
            await _all(store, as_json=as_json)
        elif watch:
            await _watch(store, RunId(run))
        else:
            await _one(store, RunId(run), as_json=as_json)
    return Exit.DONE


async def _all(store: Store, *, as_json: bool) -> None:
    rows = await store.rows("v_runs")
    idle = await undriven(store, rows)
    if as_json:
        for row in rows:
            say(to_json(row))
        for run_id, line in idle.items():
            say(f"{run_id}: {line}", to_stderr=True)
        return
    still_open = [row for row in rows if row["closed_at"] is None]
    closed = [row for row in rows if row["closed_at"] is not None]
    for row in [*still_open, *closed[-_CLOSED_SHOWN:]]:
        is_open = row["status"] == "open"
        say(headline(row, await store.rows("v_waves", run_id=row["run_id"]) if is_open else ()))
        if row["run_id"] in idle:
            say(f"  {idle[row['run_id']]}")
    if not rows:
        say("no run yet")


async def _one(store: Store, run_id: RunId, *, as_json: bool) -> None:
    try:
        row, waves = await read(store, run_id)
    except LookupError as error:
        raise Stop(f"{error}.") from None
    idle = (await undriven(store, [row])).values()
    if as_json:
        for op in await store.rows("v_operations", run_id=run_id):
            say(to_json(op))
        for line in idle:
            say(line, to_stderr=True)
        return
    for line in (*idle, *report(row, waves, await troubled(store, run_id))):
        say(line)
    if row["closed_at"] is None:
        for line in await _standing(store, run_id):
            say(line)


async def _standing(store: Store, run_id: RunId) -> Sequence[str]:
    """Say how the gates of the current wave and the budgets beside the waves' own stand, and why
    queued VMs wait, what holds most of them first."""
    now = WallClock().now()
    view = await view_of(store, run_id, now)
    wave = current_wave(view)
    gates = [f"    {line}" for line in described(wave)] if wave else []
    found = sorted(waits(view, now).items(), key=lambda each: -each[1])
    lines = [f"    {number:>5} queued: {reason}" for reason, number in found[:_REASONS_SHOWN]]
    left = sum(number for _, number in found[_REASONS_SHOWN:])
    others = [f"    {left:>5} queued for other reasons"] if left else []
    budgets = [f"    {line}" for line in spent(view)]
    return [harmless(line) for line in (*gates, *budgets, *lines, *others)]


async def _watch(store: Store, run_id: RunId) -> None:
    stopping = asyncio.Event()

    async def done(row: Row) -> bool:
        return at_rest(row) or stopping.is_set()

    with signals(stopping), screen() as shown:
        try:
            await follow(store, run_id, WallClock(), shown, done)
        except LookupError as error:
            raise Stop(f"{error}.") from None
