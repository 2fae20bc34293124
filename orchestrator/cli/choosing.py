"""Which plan, run and VMs the words of a command line mean. It reads view rows and changes
nothing."""

from collections.abc import Sequence
from difflib import get_close_matches

from orchestrator.cli.exits import Stop
from orchestrator.cli.progress import Row
from orchestrator.config.settings import ConfiguredPlan, Settings
from orchestrator.domain.model import RunId, VmId
from orchestrator.ports import Store


def plan_named(settings: Settings, name: str) -> ConfiguredPlan:
    """Return a configured plan. Raises `Stop` when there is none of this name."""
    found = settings.plan(name)
    if found is not None:
        return found
    names = [each.spec.name for each in settings.plans]
    close = get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else f" There are: {', '.join(names)}."
    message = f"There is no plan {name} in {settings.path}.{hint}"
    raise Stop(message)


async def meant(store: Store, words: Sequence[str]) -> tuple[RunId, Sequence[str]]:
    """Tell which run is meant, and which words are left for VMs: RUN may be left out while only
    one run is open. Raises `Stop` where that is not certain."""
    rows = await store.rows("v_runs")
    if words and words[0] in {row["run_id"] for row in rows}:
        return RunId(words[0]), words[1:]
    found = open_ones(rows)
    if len(found) == 1:
        return found[0], words
    if words:
        message = f"There is no run {words[0]}.{_those(found)}"
        raise Stop(message)
    text = f"Several runs are open, name one: {', '.join(found)}." if found else "No run is open."
    raise Stop(text)


async def run_only(store: Store, words: Sequence[str]) -> RunId:
    """Tell which run is meant by words that name no VM. Raises `Stop`."""
    run_id, others = await meant(store, words)
    if others:
        message = f"There is no run {others[0]}.{_those([run_id])}"
        raise Stop(message)
    return run_id


async def run_and_vms(store: Store, words: Sequence[str]) -> tuple[RunId, tuple[VmId, ...]]:
    """Tell which VMs of which run are meant, as they were written. Raises `Stop` for strangers."""
    run_id, names = await meant(store, words)
    if names:
        ops = await store.rows("v_operations", run_id=run_id)
        known = {str(op["vm_name"]).lower() for op in ops} | {str(op["vm_id"]) for op in ops}
        strangers = [name for name in names if name.lower() not in known]
        if strangers:
            message = f"Run {run_id} has no VM {', '.join(strangers)}."
            raise Stop(message)
    return run_id, tuple(VmId(name.lower()) for name in names)


async def wave_named(store: Store, run_id: RunId, name: str) -> None:
    """Make sure that a run has a wave of this name. Raises `Stop`."""
    names = [str(row["wave"]) for row in await store.rows("v_waves", run_id=run_id)]
    if name not in names:
        message = f"Run {run_id} has no wave {name}. There are: {', '.join(names)}."
        raise Stop(message)


def open_ones(rows: Sequence[Row]) -> list[RunId]:
    """Return the ids of the rows of `v_runs` that are not closed."""
    return [RunId(row["run_id"]) for row in rows if row["closed_at"] is None]


def _those(found: Sequence[RunId]) -> str:
    return f" Open: {', '.join(found)}." if found else ""
