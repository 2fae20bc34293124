"""The commands about the status database itself: `db upgrade`, `db check`, `db backup` and
`db confirm`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.options import because_option, config_option
from orchestrator.cli.sessions import access_of, actor, log, through_the_door
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.settings import Access
from orchestrator.store import backup as copying
from orchestrator.store import checking
from orchestrator.store.backup import NoBackupError
from orchestrator.store.checking import Findings
from orchestrator.store.opening import open_store
from orchestrator.store.trouble import DatabaseBusyError


@click.group()
def db() -> None:
    """Look after the status database."""


def _access(config: Path) -> Access:
    access = access_of(config)
    log(access)
    return access


@db.command()
@config_option
def upgrade(config: Path) -> int:
    """Create the schema, or bring it up to date. `serve` and `run` do the same when they start."""
    access = _access(config)

    async def work() -> None:
        path = access.high_water
        async with open_store(access.database, clock=WallClock(), high_water=path):
            pass

    asyncio.run(work())
    say("the schema is up to date")
    return Exit.DONE


@db.command()
@config_option
def check(config: Path) -> int:
    """Check that the database is whole, that the audit log is what was written, and that it is
    believed.

    Nothing is changed. Damage and a broken hash chain end with code 1, safe mode with code 4, a
    database that cannot be read with code 6.
    """
    access = _access(config)
    found = asyncio.run(checking.check(access.database, access.high_water))
    bad = list(_bad(found))
    for line in [*bad, *_told(found)]:
        say(line)
    if bad:
        return Exit.INTERNAL
    return Exit.NEEDS_A_PERSON if found.safe_mode or found.doubt else Exit.DONE


def _bad(found: Findings) -> Iterator[str]:
    for line in found.damage:
        yield f"the database is damaged: {line}"
    for run_id, broken in found.broken.items():
        whose = f"run {run_id}" if run_id else "the system"
        yield (
            f"the audit log of {whose} is not what was written: line {broken.seq}: {broken.reason}"
        )
    if not (found.damage or found.broken):
        return
    yield "do not start anything with it; restore a copy made with `orchestrator db backup`"


def _told(found: Findings) -> Iterator[str]:
    if not (found.damage or found.broken):
        yield "the schema is up to date, and every audit log is whole"
    mark, known = found.mark, found.known
    yield f"incarnation {mark.incarnation}, confirmed {mark.confirmed} times, at {mark.sequence}"
    yield f"high-water: {f'{known.incarnation} at {known.sequence}' if known else 'none here'}"
    if found.safe_mode is not None:
        yield found.safe_mode.text
    if found.doubt is not None:
        yield f"the next daemon will go into safe mode: {found.doubt.reason}"


@db.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@click.option("--force", is_flag=True, help="Overwrite TARGET.")
def backup(target: Path, config: Path, *, force: bool) -> int:
    """Copy the SQLite database to TARGET while a daemon works with it.

    The copy is in safe mode: whoever restores it confirms it first (`db confirm`).
    """
    access = _access(config)
    now = WallClock().now()
    work = copying.back_up(access.database, target, at=now, actor=actor(), force=force)
    try:
        asyncio.run(work)
    except NoBackupError as error:
        raise Stop(str(error)) from None
    say(f"copied to {target}")
    return Exit.DONE


@db.command()
@config_option
@because_option
def confirm(config: Path, because: str) -> int:
    """End safe mode: you have looked at what the database may have forgotten.

    Runs and schedules go on from what the database knows.
    """
    access = _access(config)
    say(asyncio.run(_confirm(access, because)))
    return Exit.DONE


async def _confirm(access: Access, because: str) -> str:
    clock, path = WallClock(), access.high_water
    try:
        async with open_store(access.database, clock=clock, high_water=path) as store:
            confirmed = await store.confirm(clock.now(), actor(), because)
    except DatabaseBusyError as busy:
        body = {"act": "confirm", "actor": actor(), "because": because}
        return str((await through_the_door(access, busy, body))["said"])
    if confirmed is None:
        return "nothing to do: the database is not in safe mode"
    return f"confirmed: {confirmed.reason}; runs and schedules go on"
