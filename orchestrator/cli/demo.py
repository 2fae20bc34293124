"""The command `demo`: a small Azure, a daemon on a throw-away database, and two plans with trouble
in them.

The first plan passes in three waves although a VM fails, one warns, one start is throttled and one
reply is lost; the second is halted by its budget. Everything is on loopback, and it ends by itself.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.following import follow, read, screen, troubled
from orchestrator.cli.progress import Row, at_rest, report
from orchestrator.cli.sessions import signals
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.daemon import Daemon, assembled
from orchestrator.domain.model import RunId
from orchestrator.logs import configure
from orchestrator.service import NotOpened
from orchestrator.simulator.app import serving
from orchestrator.simulator.faults import STEADY, TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure

SPEED: Final = 120.0
"""An installation of 20 minutes takes 10 seconds."""
_QUERY: Final = "SELECT * FROM v_runs"
MOST_S: Final = 110.0
"""The demo ends within two minutes, whatever happens."""
_TOKEN: Final = "ORCHESTRATOR_DEMO_TOKEN"  # noqa: S105 - the name of a variable
_GROUP: Final = "/subscriptions/0de30000-0000-4000-8000-000000000001/resourceGroups/rg-demo"
_WAVES: Final = (("canary", 4), ("early", 16), ("broad", 42))
_TROUBLE: Final = {
    ("canary", 1): "throttled",
    ("early", 2): "swallowed_reply",
    ("early", 5): "warns",
    ("broad", 7): "fails",
    ("broad", 20): "needs_reboot",
    ("lab", 1): "fails",
    ("lab", 2): "operation_fails",
}
_CONFIG: Final = """\
azure:
  cloud: {{endpoint: "{url}"}}
  credential: {{fixed_token: {token}}}
database: sqlite:///demo.db
tracking: {{poll: 1s, settle: 8s}}
defaults: {{max_duration: 90m, reboot: if_required}}
plans:
  - name: monthly
    patches:
      windows: {{classifications: [Critical, Security]}}
      linux: {{classifications: [Critical, Security]}}
    waves:
      - {{name: canary, select: {{tags: {{ring: canary}}}}, max_parallel: 2, allow_failures: 0,
      bake: 3s}}
      - {{name: early, select: {{tags: {{ring: early}}}}, max_parallel: 50%, allow_failures: 1,
      bake: 3s}}
      - {{name: broad, select: {{tags: {{ring: broad}}}}, max_parallel: 20, allow_failures: 5%}}
  - name: careless
    patches:
      windows: {{classifications: [Critical, Security]}}
      linux: {{classifications: [Critical, Security]}}
    waves:
      - {{name: lab, select: {{tags: {{ring: lab}}}}, max_parallel: 3, allow_failures: 1}}
"""


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Leave the database and the configuration in this folder. Default: a new temporary one.",
)
def demo(keep: Path | None) -> int:
    """Watch a small fleet being patched, on this machine alone.

    Three waves of 62 VMs with trouble in them, then a plan that its budget halts. It opens nothing
    outside loopback, ends by itself within two minutes and leaves a database to look into.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "demo.db").exists():
        message = f"{folder} holds the database of an earlier demo; name an empty folder."
        raise Stop(message)
    return asyncio.run(_demo(folder))


def demo_fleet() -> tuple[Machine, ...]:
    """Return the 62 VMs of the three rings and the 8 of the laboratory, of both systems."""
    rings = (*_WAVES, ("lab", 8))
    return tuple(_machine(ring, number) for ring, size in rings for number in range(size))


def _machine(ring: str, number: int) -> Machine:
    trouble = _TROUBLE.get((ring, number))
    temper: Temper = TEMPERS[trouble] if trouble else STEADY
    return Machine(
        vm_id=f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/{ring}-{number:02d}",
        os="Windows" if number % 3 == 0 else "Linux",
        region="westeurope",
        tags={"ring": ring},
        temper=temper,
    )


@dataclass(frozen=True, slots=True)
class _Story:
    """What one plan of the demo is expected to do."""

    plan: str
    status: str
    text: str


_STORIES: Final = (
    _Story("monthly", "passed", "Three waves; one VM fails, one warns, one reply is lost."),
    _Story("careless", "halted", "A wave that allows one failure meets two: it halts."),
)


async def _demo(folder: Path) -> Exit:
    stopping = asyncio.Event()
    configure("critical")
    os.environ.setdefault(_TOKEN, "a-token-for-the-demo")
    clock = WallClock()
    azure = Azure(demo_fleet(), seed=1, speed=SPEED)
    with signals(stopping):
        async with serving(azure, clock.now) as server:
            config = folder / "orchestrator.yaml"
            config.write_text(_CONFIG.format(url=server.url, token=_TOKEN), encoding="utf-8")
            async with assembled(load(config), clock=clock, durable=True) as parts:
                daemon = Daemon(parts, schedules=False)
                async with asyncio.TaskGroup() as group:
                    done = asyncio.Event()
                    group.create_task(daemon.run(done), name="daemon")
                    try:
                        rows = await _tell(daemon, stopping)
                    finally:
                        done.set()
        ledger = azure.ledger(clock.now())
    return _judge(folder, rows, ledger, interrupted=stopping.is_set())


async def _tell(daemon: Daemon, stopping: asyncio.Event) -> list[Row]:
    """Run both plans, one after the other, and return how each stood in the end."""
    store, clock = daemon.parts.store, daemon.parts.clock
    until = clock.monotonic() + MOST_S
    rows = []
    for story in _STORIES:
        say()
        say(f"{story.plan}: {story.text}")
        opened = await daemon.open(story.plan, "demo")
        if isinstance(opened, NotOpened):
            raise Stop(opened.reason, Exit.INTERNAL)
        run_id: RunId = opened.run_id

        async def done(row: Row) -> bool:
            return at_rest(row) or stopping.is_set() or clock.monotonic() > until

        with screen() as shown:
            await follow(store, run_id, clock, shown, done)
        row, waves = await read(store, run_id)
        say()
        for line in report(row, waves, await troubled(store, run_id)):
            say(line)
        for event in await store.rows("v_events", run_id=run_id, event="operation.accepted"):
            if json.loads(event["detail"])["from"] == "unknown":
                name = str(event["vm_id"]).rsplit("/", 1)[-1]
                say(f"    {name:<28} adopted       its answer was lost: looked up, not resent")
        rows.append(row)
    return rows


def _judge(folder: Path, rows: Sequence[Row], ledger: dict[str, Any], *, interrupted: bool) -> Exit:
    """Say what the simulator's ledger knows, where the database is, and whether it went as told."""
    started = [each["vm_id"] for each in ledger["installations"]]
    posts = sum(ledger["posts"].values())
    throttled = ledger["requests"].get("POST installPatches", {}).get("429", 0)
    twice = len(started) - len(set(started))
    say()
    say("What Azure saw (the simulator's own ledger):")
    say(f"  {len(started)} installations started, {twice} VMs patched twice")
    say(f"  {posts} POSTs in all: {throttled} was throttled and sent again, the lost reply was not")
    say()
    say(f"The database is {folder / 'demo.db'}. Look into it:")
    say(f"  sqlite3 {folder / 'demo.db'} '{_QUERY}'")
    say(f"  {_TOKEN}=x orchestrator status -c {folder / 'orchestrator.yaml'}")
    if interrupted:
        return Exit.INTERRUPTED
    expected = [story.status for story in _STORIES]
    if [row["status"] for row in rows] != expected or twice:
        say(to_stderr=True)
        say(f"This is not how it should end: {expected} was expected.", to_stderr=True)
        return Exit.INTERNAL
    return Exit.DONE
