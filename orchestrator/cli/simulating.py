"""The command `simulate`: a small Azure on this machine, to try plans against."""

import asyncio
from pathlib import Path

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.sessions import signals
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.logs import configure
from orchestrator.simulator.app import serving
from orchestrator.simulator.fleet import fleet
from orchestrator.simulator.fleetfile import machines_from_json
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import MOODS
from orchestrator.simulator.world import Azure

_DEFAULT_LISTEN = "127.0.0.1:8471"
_LAST_PORT = 65_535


@click.command()
@click.option("--vms", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--fleet", "fleet_file", type=click.Path(path_type=Path), help="JSON of machines.")
@click.option("--mood", default="calm", show_default=True, type=click.Choice(sorted(MOODS)))
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same world.")
@click.option("--speed", default=1.0, show_default=True, help="Divides every duration and lag.")
@click.option("--subscriptions", default=1, show_default=True, type=click.IntRange(1, 1_000))
@click.option(
    "--listen", default=_DEFAULT_LISTEN, show_default=True, help="Loopback only; port 0 is any."
)
def simulate(  # noqa: PLR0913, PLR0917 - each is an option, passed by its name
    vms: int,
    fleet_file: Path | None,
    mood: str,
    seed: int,
    speed: float,
    subscriptions: int,
    listen: str,
) -> int:
    """Run a small Azure on loopback: installPatches, its operations, instance views and lists.

    What was really started stands in its ledger: GET /_sim/ledger. It ends with Ctrl-C or SIGTERM.
    """
    host, port = _address(listen)
    machines = (
        _read(fleet_file) if fleet_file else fleet(vms, seed=seed, subscriptions=subscriptions)
    )
    if speed <= 0:
        raise Stop("--speed must be above 0.")
    configure("error")
    azure = Azure(machines, seed=seed, mood=MOODS[mood], speed=speed)
    return asyncio.run(_simulate(azure, len(machines), host, port))


async def _simulate(azure: Azure, vms: int, host: str, port: int) -> Exit:
    stopping = asyncio.Event()
    with signals(stopping):
        try:
            async with serving(azure, WallClock().now, host, port) as server:
                say(f"simulating {vms} VMs on {server.url}")
                await stopping.wait()
        except OSError as error:
            message = f"{host}:{port} cannot be listened on: {error.strerror or error}."
            raise Stop(message) from None
    return Exit.DONE


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if host not in {"127.0.0.1", "localhost"} or not port.isdigit() or int(port) > _LAST_PORT:
        message = f"--listen {listen} is not 127.0.0.1:PORT; the simulator serves loopback only."
        raise Stop(message)
    return host, int(port)


def _read(path: Path) -> tuple[Machine, ...]:
    try:
        return tuple(machines_from_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path} is no fleet file: {reason}."
        raise Stop(message) from None
