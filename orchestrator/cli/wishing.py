"""How an act gets from the command line to its run: which run and VMs are meant, by which way it
is written, and what its driver made of it."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from orchestrator.cli.choosing import run_and_vms, run_only, wave_named
from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.sessions import access_of, actor, log, reading, through_the_door
from orchestrator.cli.steered import steered
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.durations import show_share
from orchestrator.config.settings import Access
from orchestrator.domain.model import Share
from orchestrator.domain.record import Act, ActKind, Resolution
from orchestrator.ports import Store
from orchestrator.service import Asked, NotOpened, Opened
from orchestrator.store.trouble import DatabaseBusyError

_WAIT_S: Final = 3.0
"""How long to wait for the driver's word about an act; it comes within 2 s where a daemon runs."""
_LOOK_EVERY_S: Final = 0.1
_WITH_VMS: Final = {ActKind.RETRY, ActKind.RESOLVE, ActKind.SKIP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was typed, before it is known which run is meant."""

    kind: ActKind
    words: tuple[str, ...]
    because: str
    wave: str | None = None
    code: str | None = None
    resolution: Resolution | None = None
    max_parallel: Share | None = None


def _opened(config: Path) -> Access:
    access = access_of(config)
    log(access)
    return access


def carry_out(config: Path, wish: Wish) -> Exit:
    """Write one act, and say what came of it. Raises `Stop`."""
    return asyncio.run(_ask(_opened(config), wish))


def brake(config: Path, kind: ActKind, because: str) -> Exit:
    """Halt the whole fleet, or lift that halt. Raises `Stop`."""
    return asyncio.run(_brake(_opened(config), kind, because))


async def _brake(access: Access, kind: ActKind, because: str) -> Exit:
    """Draw or lift the fleet-wide brake: it is durable when this returns."""
    try:
        async with steered(access, clock=WallClock()) as service:
            doing = service.halt_all if kind is ActKind.HALT else service.resume_all
            say(await doing(actor(), because))
    except DatabaseBusyError as busy:
        body = {"act": kind.value, "all": True, "actor": actor(), "because": because}
        say(str((await through_the_door(access, busy, body))["said"]))
    return Exit.DONE


async def _ask(access: Access, wish: Wish) -> Exit:
    async with reading(access) as store:
        act = await _as_act(store, wish)
    try:
        async with steered(access, clock=WallClock()) as service:
            said = await service.act(act)
        _tell_of_new_run(said)
    except DatabaseBusyError as busy:
        answer = await through_the_door(access, busy, _as_body(act))
        if answer.get("act_id") is None:
            say(f"opened run {answer['run_id']} with {answer['vms']} VMs")
            return Exit.DONE
    await _tell(access, act)
    return Exit.DONE


async def _as_act(store: Store, wish: Wish) -> Act:
    if wish.kind in _WITH_VMS:
        run_id, vms = await run_and_vms(store, wish.words)
        if wish.kind is ActKind.SKIP and not (vms or wish.wave or wish.code):
            raise Stop("Name VMs, or a wave with --wave: nothing is skipped by leaving both out.")
    else:
        run_id, vms = await run_only(store, wish.words), ()
    if wish.wave is not None:
        await wave_named(store, run_id, wish.wave)
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
        max_parallel=wish.max_parallel,
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
        "max_parallel": show_share(act.max_parallel) if act.max_parallel else None,
    }
