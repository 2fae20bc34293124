"""The command `explain`: why a run or a VM stands where it stands, what holds it, and what would
move it. It reads the database and changes nothing."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.choosing import run_and_vms
from orchestrator.cli.events import happened
from orchestrator.cli.exits import Stop
from orchestrator.cli.following import undriven
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.progress import Row, to_json
from orchestrator.cli.sessions import access_of, log, reading
from orchestrator.cli.text import say
from orchestrator.cli.viewing import view_of
from orchestrator.clock import WallClock
from orchestrator.config.settings import Access
from orchestrator.domain.gating import described
from orchestrator.domain.model import RunStatus, VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.standing import Standing, standing
from orchestrator.domain.states import Ended
from orchestrator.domain.view import RunView
from orchestrator.domain.waits import Hold, goes_on, way_back
from orchestrator.domain.words import counted, moment
from orchestrator.ports import Store

_LINES: Final = 12
"""So many of a VM's latest lines in the log are shown."""
_SHOWN: Final = 20
"""More different reasons than these are counted, not told."""


@click.command()
@click.argument("words", metavar="[RUN] [VM]…", nargs=-1)
@config_option
@json_option
def explain(words: tuple[str, ...], config: Path, *, as_json: bool) -> None:
    """Explain why RUN, or VMs of it, stand where they stand, and what would move them.

    With --json each VM is an object on a line of its own.
    """
    access = access_of(config)
    log(access)
    asyncio.run(_explain(access, words, as_json=as_json))


async def _explain(access: Access, words: Sequence[str], *, as_json: bool) -> None:
    async with reading(access) as store:
        run_id, names = await run_and_vms(store, words)
        now = WallClock().now()
        try:
            view = await view_of(store, run_id, now)
        except LookupError as error:
            raise Stop(f"{error}.") from None
        chosen = [op for op in view.ops.values() if not names or _is_named(op, names)]
        found = [(op, standing(view, op, now)) for op in chosen]
        rows = await store.rows("v_runs", run_id=run_id)
        for line in (await undriven(store, rows)).values():
            say(line, to_stderr=as_json)
        if as_json:
            for op, each in found:
                say(to_json(_row(view, op, each)))
        elif names:
            for op, each in found:
                lines = await store.rows("v_events", run_id=run_id, vm_id=op.target.vm_id)
                for line in _of_one(view, op, each, lines):
                    say(line)
        else:
            for line in (*await _of_run(store, view), *_of_all(view, found)):
                say(line)


def _is_named(op: Operation, names: Sequence[VmId]) -> bool:
    return op.target.vm_id in names or op.target.name.lower() in names


async def _of_run(store: Store, view: RunView) -> Sequence[str]:
    """Say how the run and its waves stand, since when, by whom and why."""
    run = view.run
    told: list[Row] = []
    for event in _TOLD_BY.get(run.status, ()):
        told += await store.rows("v_events", run_id=run.id, event=event)
    latest = max(told, key=itemgetter("seq"), default=None)
    since = f" since {_at(latest)} by {latest['actor']}" if latest else ""
    lines = [f"run {run.id} is {run.status}{since}{_because(run.reason)}"]
    if run.status in {RunStatus.PAUSED, RunStatus.HALTED}:
        lines.append(f"      ends: {goes_on(run.id)}")
    if run.quarantine is not None:
        lines += [f"  {run.quarantine.reason}", f"      ends: {way_back(run.id)}"]
    for wave in view.waves.values():
        what = f"wave {wave.position} {wave.spec.name} is {wave.status}"
        lines.append(f"  {what}{_because(wave.reason)}")
        lines += [f"    {line}" for line in described(wave)]
    return lines


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


_TOLD_BY: Final[Mapping[str, Sequence[str]]] = {
    "open": ("run.opened", "run.resumed"),
    "paused": ("run.paused",),
    "halted": ("run.halted",),
    "passed": ("run.closed",),
    "cancelled": ("run.cancelled",),
    "expired": ("run.expired",),
}
"""The lines of the log that say since when a run has its status."""


def _of_all(view: RunView, found: Sequence[tuple[Operation, Standing]]) -> Iterator[str]:
    """Say what holds the VMs that have not ended, what holds most of them first."""
    held: Counter[tuple[str, Hold]] = Counter(
        (each.state, each.holds[0])
        for op, each in found
        if each.holds and not isinstance(op.state, Ended)
    )
    for (state, hold), number in held.most_common(_SHOWN):
        yield f"  {counted(number, 'VM')} {state}: {hold.text}"
        yield f"      ends: {hold.ends}"
    left = sum(held.values()) - sum(number for _, number in held.most_common(_SHOWN))
    if left:
        yield f"  {counted(left, 'VM')} more, for other reasons: name one to see why"
    if not held:
        yield f"  every one of {counted(len(view.ops), 'VM')} has ended"


def _of_one(view: RunView, op: Operation, each: Standing, lines: Sequence[Row]) -> Iterator[str]:
    wave = view.waves[op.wave].spec.name
    since = moment(each.since) if each.since else _last(lines)
    yield f"{op.target.name} (wave {wave} of run {view.run.id}) is {each.state} since {since}"
    for hold in each.holds:
        yield f"  {hold.text}"
        yield f"      ends: {hold.ends}"
    if op.forgiven:
        yield "  it is accepted as it is: no budget counts it any more"
    if lines:
        yield "  its latest lines in the log:"
    for line in lines[-_LINES:]:
        why = f": {line['why']}" if line["why"] else ""
        yield f"    {_at(line)}  {happened(line)}  by {line['actor']}{why}"


def _last(lines: Sequence[Row]) -> str:
    return _at(lines[-1]) if lines else "the run's opening"


def _at(line: Row) -> str:
    return moment(datetime.fromisoformat(line["at"]))


def _row(view: RunView, op: Operation, each: Standing) -> Mapping[str, Any]:
    return {
        "run_id": view.run.id,
        "wave": view.waves[op.wave].spec.name,
        "vm_id": op.target.vm_id,
        "vm_name": op.target.name,
        "state": each.state,
        "since": None if each.since is None else f"{each.since:%Y-%m-%dT%H:%M:%S.%fZ}",
        "holds": [{"code": h.code, "text": h.text, "ends": h.ends} for h in each.holds],
    }
