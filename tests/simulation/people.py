"""People around the daemons: they open runs, act at odd moments, and mend things in the end.

They look at the simulated Azure's ledger before they say what became of a VM, as a careful person
looks into the portal; now and then one of them is careless before the heal point.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.token import FixedToken
from orchestrator.domain.model import RunId, VmId
from orchestrator.domain.record import Act, ActKind, Resolution
from orchestrator.ports import Store
from orchestrator.service import Service
from tests.kit.memory import MemoryTransport
from tests.simulation.host import Host
from tests.simulation.loop import pause
from tests.simulation.weather import plan
from tests.simulation.witness import Ears, Witness
from tests.simulation.world import ENDPOINT, World

PATIENCE: Final = 300.0
"""Seconds after the heal point in which runs should end with a little help; then people cancel."""
_ACTS: Final = (
    ActKind.PAUSE, ActKind.RESUME, ActKind.RESUME, ActKind.HALT, ActKind.CANCEL,
    ActKind.RETRY, ActKind.RETRY, ActKind.RESOLVE, ActKind.RESOLVE,
)  # fmt: skip

_RUNS: Final = (
    "SELECT run_id, status, closed_at, verifying, needs_human FROM v_runs"
    " ORDER BY opened_at, run_id"
)
_NEEDY: Final = (
    "SELECT vm_id, client_request_id FROM v_operations"
    " WHERE run_id = ? AND state = 'needs_human' ORDER BY vm_id"
)
_WAITING: Final = "SELECT wave FROM v_waves WHERE run_id = ? AND status = 'awaiting_approval'"
Row = dict[str, Any]
See = Callable[..., Sequence[Row]]
"""A SELECT on the public views and its parameters in, rows out: what people look at."""


class People:
    """The operators of one schedule."""

    def __init__(self, world: World, store: Store, see: See, witness: Witness) -> None:
        self._world = world
        self._see = see
        numbers = count(1)
        outside = Host(world, "people", 0, 0.0)
        ears: Any = Ears(witness)
        wires = MemoryTransport(world.azure, outside)
        arm = ArmClient(wires, FixedToken("t"), custom(ENDPOINT), outside, ears)
        self._new_id = lambda: str(UUID(int=1 << 96 | next(numbers)))
        self._service = Service(store=store, arm=arm, clock=outside, new_id=self._new_id)

    async def live(self) -> None:
        """Open what the weather has, act until the heal point, then help until all is over."""
        weather = self._world.weather
        await self._open("monthly")
        if weather.second_run:
            await pause(self._world.luck.between("second", 0.0, weather.heal_at / 2))
            await self._open("weekly")
        while (left := weather.heal_at - self._world.seconds()) > 0:
            await pause(min(left, self._until_next_act()))
            if self._world.seconds() < weather.heal_at:
                await self._act_at_random()
        self._world.heal()
        await self._mend()

    async def _open(self, name: str) -> None:
        spec = plan(self._world.weather, name)
        await self._service.open(spec, config_hash="0" * 8, opened_by="ann")

    def _until_next_act(self) -> float:
        acts = self._world.weather.acts
        return self._world.luck.between("act.when", 1.0, 120.0 / acts) if acts else 1e9

    async def _act_at_random(self) -> None:
        luck = self._world.luck
        runs = self._see(_RUNS)
        run = runs[int(luck.share("act.run") * len(runs))]
        await self._approve(run["run_id"])
        kind = _ACTS[int(luck.share("act.kind") * len(_ACTS))]
        if not luck.strikes("act", 1.0):
            return
        if kind is ActKind.RESOLVE:
            await self._resolve(run["run_id"])
        else:
            await self._ask(run["run_id"], kind)

    # ------------------------------------------------------------------ after the heal point

    async def _mend(self) -> None:
        while runs := self._left():
            for run in runs:
                await self._help(run)
            await pause(30.0)

    def _left(self) -> Sequence[Row]:
        """Read the runs that go on: open ones, and ended ones in which a late end is verified."""
        rows = self._see(_RUNS)
        return [row for row in rows if row["closed_at"] is None or row["verifying"]]

    async def _help(self, run: Row) -> None:
        if run["closed_at"] is not None:
            return
        if self._world.seconds() > self._world.weather.heal_at + PATIENCE:
            await self._ask(run["run_id"], ActKind.CANCEL)
        elif run["status"] in {"halted", "paused"}:
            await self._ask(run["run_id"], ActKind.RESUME)
        await self._approve(run["run_id"])
        if run["needs_human"]:
            await self._resolve(run["run_id"])

    async def _approve(self, run_id: str) -> None:
        """Let a wave open that was asked for."""
        for row in self._see(_WAITING, run_id):
            await self._ask(run_id, ActKind.APPROVE, wave=row["wave"])

    async def _resolve(self, run_id: str) -> None:
        """Say of each VM that needs a person what the ledger knows of it."""
        for row in self._see(_NEEDY, run_id):
            found = self._truth(row["vm_id"], row["client_request_id"])
            if found is not None:
                await self._ask(run_id, ActKind.RESOLVE, row["vm_id"], resolution=found)

    def _truth(self, vm_id: str, attempt: str) -> Resolution | None:
        ledger: Any = self._world.azure.ledger(self._world.now())
        ours = [one for one in ledger["installations"] if one["client_request_id"] == attempt]
        made = [one for one in ledger["restarts"] if one["client_request_id"] == attempt]
        if made:
            well = made[0]["status"] == "Succeeded" and made[0]["back_at"]
            return Resolution.SUCCEEDED if well else Resolution.FAILED
        if not ours:
            return Resolution.NOT_STARTED
        (one,) = ours
        if one["result"] is None:
            late = self._world.seconds() > self._world.weather.heal_at + PATIENCE / 2
            return Resolution.FAILED if late else None
        good = one["result"] in {"Succeeded", "CompletedWithWarnings"}
        return Resolution.SUCCEEDED if good else Resolution.FAILED

    async def _ask(self, run_id: str, kind: ActKind, *vms: str, **given: Any) -> None:
        at = self._world.now() - timedelta(seconds=0)
        act = Act(
            id=self._new_id(),
            run_id=RunId(run_id),
            kind=kind,
            actor="ann",
            because="so it is",
            at=at,
            vms=tuple(VmId(vm) for vm in vms),
            **given,
        )
        await self._service.act(act)
