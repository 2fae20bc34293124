"""The commands that steer a run: pause, resume, halt, cancel, retry, resolve. Each writes one
act."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.options import config_option
from orchestrator.cli.sessions import actor, reading, through_the_door
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load
from orchestrator.config.settings import Settings
from orchestrator.daemon import assembled
from orchestrator.domain.model import RunId, VmId
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
wave_option = click.option("--wave", help="Only VMs of this wave.")
code_option = click.option("--reason", "code", help="Only VMs with this reason code.")


@click.command()
@run_argument
@config_option
@click.option("--because", default="", help="Why: it is written down.")
def pause(run: str | None, config: Path, because: str) -> int:
    """Start nothing more in RUN until it is resumed; what runs is followed."""
    return _act(config, _Wish(kind=ActKind.PAUSE, words=_one(run), because=because))


@click.command()
@run_argument
@config_option
@because_option
def resume(run: str | None, config: Path, because: str) -> int:
    """Go on with a paused or halted RUN; the bad VMs of a halt are accepted by it."""
    return _act(config, _Wish(kind=ActKind.RESUME, words=_one(run), because=because))


@click.command()
@run_argument
@config_option
@because_option
def halt(run: str | None, config: Path, because: str) -> int:
    """Halt RUN: no further start. What runs is followed to its end; Azure has no cancel."""
    return _act(config, _Wish(kind=ActKind.HALT, words=_one(run), because=because))


@click.command()
@run_argument
@config_option
@because_option
def cancel(run: str | None, config: Path, because: str) -> int:
    """Give RUN up: what is queued is cancelled, what runs is followed to its end."""
    return _act(config, _Wish(kind=ActKind.CANCEL, words=_one(run), because=because))


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


def _one(word: str | None) -> tuple[str, ...]:
    return () if word is None else (word,)


def _act(config: Path, wish: _Wish) -> Exit:
    return asyncio.run(_ask(load(config), wish))


async def _ask(settings: Settings, wish: _Wish) -> Exit:
    async with reading(settings) as store:
        run_id, vms = await _meant(store, wish)
    act = Act(
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
    try:
        async with assembled(settings, clock=WallClock()) as parts:
            said = await parts.service.act(act)
        _tell_of_new_run(said)
    except DatabaseBusyError:
        answer = await through_the_door(settings, _as_body(act))
        if answer.get("act_id") is None:
            say(f"opened run {answer['run_id']} with {answer['vms']} VMs")
            return Exit.DONE
    await _tell(settings, act)
    return Exit.DONE


def _tell_of_new_run(said: Asked | Opened | NotOpened) -> None:
    match said:
        case Opened(run_id=run_id, vms=vms):
            say(f"opened run {run_id} with {vms} VMs; a daemon, or `run --resume`, drives it")
        case NotOpened(reason=reason):
            raise Stop(reason)
        case Asked():
            pass


async def _tell(settings: Settings, act: Act) -> None:
    """Say what the run's driver made of the act, as soon as it has."""
    clock = WallClock()
    until = clock.monotonic() + _WAIT_S
    async with reading(settings) as store:
        while clock.monotonic() < until:
            answers = await store.rows("v_events", run_id=act.run_id, event="act.answered")
            mine = [row["why"] for row in answers if json.loads(row["detail"])["act"] == act.id]
            if mine:
                say(f"run {act.run_id}: {mine[0]}")
                return
            await clock.sleep(_LOOK_EVERY_S)
    say(f"run {act.run_id}: {act.kind} is written; it takes effect when a daemon drives the run")


async def _meant(store: Store, wish: _Wish) -> tuple[RunId, tuple[VmId, ...]]:
    """Tell which run is meant, and which VMs: RUN may be left out while only one run is open."""
    rows = await store.rows("v_runs")
    known = {row["run_id"] for row in rows}
    if wish.words and wish.words[0] in known:
        run_id, names = RunId(wish.words[0]), wish.words[1:]
    else:
        run_id, names = _only_open(rows, wish.words), wish.words
    if wish.kind not in _WITH_VMS and names:
        open_runs = ", ".join(str(row["run_id"]) for row in rows if row["closed_at"] is None)
        message = f"There is no run {names[0]}. Open: {open_runs}."
        raise Stop(message)
    await _must_be_there(store, run_id, names)
    return run_id, tuple(VmId(name.lower()) for name in names)


def _only_open(rows: Sequence[Mapping[str, Any]], words: Sequence[str]) -> RunId:
    found = [row["run_id"] for row in rows if row["closed_at"] is None]
    if len(found) == 1:
        return RunId(found[0])
    if words:
        message = f"There is no run {words[0]}."
        raise Stop(message)
    text = f"Several runs are open, name one: {', '.join(found)}." if found else "No run is open."
    raise Stop(text)


async def _must_be_there(store: Store, run_id: RunId, names: Sequence[str]) -> None:
    if not names:
        return
    ops = await store.rows("v_operations", run_id=run_id)
    known = {str(op["vm_name"]).lower() for op in ops} | {str(op["vm_id"]) for op in ops}
    strangers = [name for name in names if name.lower() not in known]
    if strangers:
        message = f"Run {run_id} has no VM {', '.join(strangers)}."
        raise Stop(message)


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
