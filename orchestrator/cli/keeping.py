"""The commands about the status database itself: `db upgrade` and `db check`."""

import asyncio
from pathlib import Path

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import config_option
from orchestrator.cli.sessions import reading
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.config.settings import Settings
from orchestrator.store.opening import open_store


@click.group()
def db() -> None:
    """Look after the status database."""


@db.command()
@config_option
def upgrade(config: Path) -> int:
    """Create the schema, or bring it up to date. `serve` and `run` do the same when they start."""
    settings = load(config)

    async def work() -> None:
        async with open_store(settings.database, clock=WallClock()):
            pass

    asyncio.run(work())
    say("the schema is up to date")
    return Exit.DONE


@db.command()
@config_option
def check(config: Path) -> int:
    """Check that the schema is today's and that the audit log is what was written.

    Nothing is changed. A broken hash chain is named by its run and line; the exit code is then 1.
    """
    settings = load(config)
    broken = asyncio.run(_check(settings))
    for line in broken:
        say(line)
    if not broken:
        say("the schema is up to date, and every audit log is whole")
    return Exit.INTERNAL if broken else Exit.DONE


async def _check(settings: Settings) -> list[str]:
    async with reading(settings) as store:
        runs = [str(row["run_id"]) for row in await store.rows("v_runs")]
        found = {run_id: await store.verify_chain(run_id) for run_id in ["", *runs]}
    return [
        f"the audit log of {run_id or 'the system'} is not what was written: {broken}"
        for run_id, broken in found.items()
        if broken is not None
    ]
