"""The command `status`: how runs stand, from the database, beside whoever works with it."""

import asyncio
from pathlib import Path

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.following import follow, read, screen, troubled
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.progress import at_rest, headline, report, to_json
from orchestrator.cli.sessions import reading, signals
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.config.settings import Settings
from orchestrator.domain.model import RunId
from orchestrator.ports import Store

_CLOSED_SHOWN = 10


@click.command()
@click.argument("run", required=False)
@config_option
@json_option
@click.option("--watch", is_flag=True, help="Go on showing it until it is at rest.")
def status(run: str | None, config: Path, *, as_json: bool, watch: bool) -> int:
    """Show all runs, or one: its waves and the VMs that did not simply succeed.

    With --json the rows of v_runs, or of v_operations for one run, one object a line.
    """
    return asyncio.run(_status(load(config), run, as_json=as_json, watch=watch))


async def _status(settings: Settings, run: str | None, *, as_json: bool, watch: bool) -> Exit:
    async with reading(settings) as store:
        if run is None and watch:
            run = await _only_open(store)
        if run is None:
            await _all(store, as_json=as_json)
        elif watch:
            await _watch(store, RunId(run))
        else:
            await _one(store, RunId(run), as_json=as_json)
    return Exit.DONE


async def _all(store: Store, *, as_json: bool) -> None:
    rows = await store.rows("v_runs")
    if as_json:
        for row in rows:
            say(to_json(row))
        return
    still_open = [row for row in rows if row["closed_at"] is None]
    closed = [row for row in rows if row["closed_at"] is not None]
    for row in [*still_open, *closed[-_CLOSED_SHOWN:]]:
        say(headline(row))
    if not rows:
        say("no run yet")


async def _one(store: Store, run_id: RunId, *, as_json: bool) -> None:
    try:
        row, waves = await read(store, run_id)
    except LookupError as error:
        raise Stop(f"{error}.") from None
    if as_json:
        for op in await store.rows("v_operations", run_id=run_id):
            say(to_json(op))
        return
    for line in report(row, waves, await troubled(store, run_id)):
        say(line)


async def _watch(store: Store, run_id: RunId) -> None:
    stopping = asyncio.Event()
    with signals(stopping), screen() as shown:
        try:
            await follow(
                store, run_id, WallClock(), shown, lambda row: at_rest(row) or stopping.is_set()
            )
        except LookupError as error:
            raise Stop(f"{error}.") from None


async def _only_open(store: Store) -> str | None:
    found = [row["run_id"] for row in await store.rows("v_runs") if row["closed_at"] is None]
    if len(found) > 1:
        message = f"Several runs are open, name one: {', '.join(found)}."
        raise Stop(message)
    return found[0] if found else None
