"""The commands about the status database itself: `db upgrade` and `db check`."""

import asyncio
from pathlib import Path

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import config_option
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.store.opening import inspect, open_store


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
    """Check the schema's version and the audit log's hash chains; nothing is changed."""
    settings = load(config)
    for line in asyncio.run(inspect(settings.database, clock=WallClock())):
        say(line)
    return Exit.DONE
