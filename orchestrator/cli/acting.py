"""The commands that steer: pause, resume, halt, cancel, retry, resolve. Each writes one act, or
draws or lifts the fleet-wide brake. They need the database and the door of a configuration, and
nothing else of it."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click

from orchestrator.cli.choosing import run_and_vms, run_only
from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.options import config_option
from orchestrator.cli.sessions import access_of, actor, log, reading, through_the_door
from orchestrator.cli.steered import steered
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.settings import Access
from orchestrator.domain.record import Act, ActKind, Resolution
from orchestrator.ports import Store
from orchestrator.service import Asked, NotOpened, Opened
from orchestrator.store.trouble import DatabaseBusyError

_WAIT_S: Final = 3.0
"""How long to wait for the driver's word about an act; it comes within 2 s where a daemon runs."""
_LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What was typed, before it is known which run is meant."""

    kind: ActKind
    words: tuple[str, ...]
    because: str
    wave: str | None = None
    code: str | None = None
    resolution: Resolution | None = None


_WITH_VMS: Final = {ActKind.RETRY, ActKind.RESOLVE}
run_argument = click.argument("run", required=False)
words_argument = click.argument("run_and_vms", nargs=-1, metavar="[RUN] [VM]...")
because_option = click.option("--because", required=True, help="Why: it is written down.")
perhaps_because = click.option("--because", default="", help="Why: it is written down.")
wave_option = click.option("--wave", help="Only VMs of this wave.")
code_option = click.option("--reason", "code", help="Only VMs with this reason code.")
all_option = click.option(
    "--all", "everything", is_flag=True, help="The whole fleet: no run starts anything or opens."
)


def _plain(kind: ActKind, about: str, *options: Any) -> click.Command:  # noqa: ANN401 - click's decorators
    """Build the command of an act that takes a run and a reason; some also take the whole fleet."""

    def command(run: str | None, config: Path, because: str, *, everything: bool = False) -> int:
        if not everything:
            return _act(config, _Wish(kind=kind, words=(run,) if run else (), because=because))
        if run is not None:
            message = f"{kind} takes a run or --all, not both."
            raise Stop(message)
        return asyncio.run(_brake(_opened(config), kind, because))

    for option in reversed((run_argument, config_option, *options)):
        command = option(command)
    return click.command(kind.value, help=about)(command)


pause = _plain(
    ActKind.PAUSE,
    "Start nothing more in RUN until it is resumed; what runs is followed.",
    perhaps_because,
)
resume = _plain(
    ActKind.RESUME,
    "Go on with a paused or halted RUN; the bad VMs of a halt are accepted by it.",
    because_option,
    all_option,
)
halt = _plain(
    ActKind.HALT,
    "Halt RUN: no further start. What runs is followed to its end; Azure has no cancel.",
    because_option,
    all_option,
)
cancel = _plain(
    ActKind.CANCEL,
    "Give RUN up: what is queued is cancelled, what runs is followed to its end.",
    because_option,
)


@click.command()
@words_argument
@config_option
@because_option
@wave_option
@code_option
def retry(
    run_and_vms: tuple[str, ...], config: Path, because: str, wave: str | None, code: str | None
) -> int:
    """Patch failed VMs of RUN once more: all of them, or those that are named.

    VMs whose wave has passed, or whose run has ended, are patched in a new run.
    """
    return _act(
        config,
        _Wish(kind=ActKind.RETRY, words=run_and_vms, because=because, wave=wave, code=code),
    )


@click.command()
@words_argument
@config_option
@because_option
@wave_option
@code_option
@click.option(
    "--as",
    "found",
    type=click.Choice([each.value for each in Resolution]),
    required=True,
    help="What you found: it was patched, it failed, or it was never started (it is queued again).",
)
def resolve(
    run_and_vms: tuple[str, ...],
    config: Path,
    because: str,
    wave: str | None,
    code: str | None,
    found: str,
) -> int:
    """Say what became of VMs of RUN that need a person."""
    wish = _Wish(
        kind=ActKind.RESOLVE,
        words=run_and_vms,
        because=because,
        wave=wave,
        code=code,
        resolution=Resolution(found),
    )
    return _act(config, wish)


def _opened(config: Path) -> Access:
    access = access_of(config)
    log(access)
    return access


def _act(config: Path, wish: _Wish) -> Exit:
    return asyncio.run(_ask(_opened(config), wish))


async def _brake(access: Access, kind: ActKind, because: str) -> Exit:
    """Draw or lift the fleet-wide brake: it is durable when this returns."""
    try:
        async with steered(access, clock=WallClock()) as service:
            doing = service.halt_all if kind is ActKind.HALT else service.resume_all
            say(await doing(actor(), because))
    except DatabaseBusyError:
        body = {"act": kind.value, "all": True, "actor": actor(), "because": because}
        say(str((await through_the_door(access, body))["said"]))
    return Exit.DONE


async def _ask(access: Access, wish: _Wish) -> Exit:
    async with reading(access) as store:
        act = await _as_act(store, wish)
    try:
        async with steered(access, clock=WallClock()) as service:
            said = await service.act(act)
        _tell_of_new_run(said)
    except DatabaseBusyError:
        answer = await through_the_door(access, _as_body(act))
        if answer.get("act_id") is None:
            say(f"opened run {answer['run_id']} with {answer['vms']} VMs")
            return Exit.DONE
    await _tell(access, act)
    return Exit.DONE


async def _as_act(store: Store, wish: _Wish) -> Act:
    if wish.kind in _WITH_VMS:
        run_id, vms = await run_and_vms(store, wish.words)
    else:
        run_id, vms = await run_only(store, wish.words), ()
    return Act(
        id=str(uuid4()),
        run_id=run_id,
        kind=wish.kind,
        actor=actor(),
        because=wish.because,
        at=WallClock().now(),
        vms=vms,
        wave=wish.wave,
        code=wish.code,
        resolution=wish.resolution,
    )


def _tell_of_new_run(said: Asked | Opened | NotOpened) -> None:
    match said:
        case Opened(run_id=run_id, vms=vms):
            say(f"opened run {run_id} with {vms} VMs; a daemon, or `run --resume`, drives it")
        case NotOpened(reason=reason):
            raise Stop(reason)
        case Asked():
            pass


async def _tell(access: Access, act: Act) -> None:
    """Say what the run's driver made of the act, as soon as it has."""
    clock = WallClock()
    until = clock.monotonic() + _WAIT_S
    async with reading(access) as store:
        while clock.monotonic() < until:
            answers = await store.rows("v_events", run_id=act.run_id, event="act.answered")
            mine = [row["why"] for row in answers if json.loads(row["detail"])["act"] == act.id]
            if mine:
                say(f"run {act.run_id}: {mine[0]}")
                return
            await clock.sleep(_LOOK_EVERY_S)
    say(f"run {act.run_id}: {act.kind} is written; it takes effect when a daemon drives the run")


def _as_body(act: Act) -> dict[str, Any]:
    return {
        "act": act.kind.value,
        "run": act.run_id,
        "id": act.id,
        "actor": act.actor,
        "because": act.because,
        "vms": list(act.vms),
        "wave": act.wave,
        "reason_code": act.code,
        "as": act.resolution.value if act.resolution else None,
    }
