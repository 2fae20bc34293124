"""The common stage of every part: a simulated Azure with a fleet, daemons, runs, and their end.

It is built on `tests.acceptance.processes`, is the one module here that reads the time and waits,
and judges nothing (`judging.py` does). A part looks like this:

    with playing("postgres", Setting(vms=200, seed=7)) as play:
        daemon = play.stage.serve()
        play.open_runs()
        ...                      # do harm
        end(daemon)              # kill -9
        play.wind_up()           # a last daemon follows everything to its end
        found = verdict(play)    # figures, and what should not be
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import select

from orchestrator.http.client import Sent
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import Ending, Temper
from orchestrator.store import schema
from orchestrator.store.sql import SqlStore
from tests.acceptance.processes import FIRST, Stage, staged
from tests.chaos.operating import Operator
from tests.chaos.proxy import Fault, Proxy, Way
from tests.postgres import PostgresServer, find_binaries

DatabaseKind = Literal["sqlite", "postgres"]
TRACKING = (
    "poll: 1s, settle: 3s, send_within: 4s, request_timeout: 2s, overdue: 15s, max_unknown: 10000"
)
"""So short that a cycle takes seconds. The breaker is out of the way: it only slows starts down,
and here every start is a chance to err."""
SPEED = 100.0
PLACES = 8
"""So many subscriptions share the fleet, that Azure's limits on reads do not set the pace."""
_PLAN = """\
  - name: {name}
    min_interval: 0s
    waves:
      - name: all
        select: {{tags: {{ring: {name}}}}}
        max_parallel: {parallel}
        allow_failures: {vms}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is on the stage. `vms` are in each of so many plans; `parallel` of them at once;
    `takes` is how many real seconds an installation takes on average."""

    vms: int = 200
    plans: int = 1
    parallel: int = 200
    takes: float = 6.0
    seed: int = 0
    tracking: str = TRACKING
    latency: float = 0.0
    """Up to so many seconds lie between the daemon and Azure, on the way of a submit and again on
    the way of its answer; without it both are at once, and little ever is under way."""


@dataclass
class Play:
    """One stage with its plans, and the person who resolves what needs one."""

    stage: Stage
    plans: tuple[str, ...]
    plans_text: str
    """The plans as a configuration spells them: for `Stage.configure` of a further daemon."""
    seed: int
    random: Random
    endpoint: str
    """Where daemons believe Azure to be."""
    tracking: str
    server: PostgresServer | None = None
    operator: Operator = field(default_factory=Operator)

    def configure(self, name: str) -> None:
        """Write the configuration of a further daemon on the same database and Azure."""
        self.stage.configure(
            self.plans_text, name=name, endpoint=self.endpoint, tracking=self.tracking
        )

    def open_runs(self, name: str = FIRST, plans: Iterable[str] | None = None) -> int:
        """Open a run of every plan that has none, through the door of a ready daemon."""
        busy = {row["plan"] for row in self.stage.rows() if row["closed_at"] is None}
        wanted = [plan for plan in plans or self.plans if plan not in busy]
        answers = [self.stage.ask(name, act="run", plan=plan) for plan in wanted]
        return sum(isinstance(answer, Sent) for answer in answers)

    def states(self) -> dict[str, int]:
        """Count the operations of the open runs by their state, as the views have them."""
        names = ("preparing", "submitting", "unknown", "in_progress", "verifying", "needs_human")
        rows = [row for row in self.stage.rows() if row["closed_at"] is None]
        return {name: sum(row[name] for row in rows) for name in names}

    def await_intent(self, seconds: float) -> bool:
        """Wait until an intent is on disk whose answer is not: the instant that hurts most."""
        until = time.monotonic() + seconds

        async def seen(store: SqlStore) -> bool:
            while time.monotonic() < until:
                if await store.rows("v_operations", state="submitting"):
                    return True
            return False

        return self.stage.read(seen)

    def drivers(self) -> dict[str, int]:
        """Return who holds the lease of each open run, by process id (PostgreSQL only)."""
        return self.stage.read(_drivers)

    def await_successor(self, pid: int, seconds: float) -> bool:
        """Wait until no open run is held by this process any more."""
        until = time.monotonic() + seconds

        async def gone(store: SqlStore) -> bool:
            while time.monotonic() < until:
                if pid not in (await _drivers(store)).values():
                    return True
                await asyncio.sleep(0.05)
            return False

        return self.stage.read(gone)

    def wind_up(self, seconds: float = 120.0, name: str = FIRST, *, serve: bool = True) -> None:
        """Follow every run to its end; the operator resolves whatever needs a person.

        A daemon is started for it unless one drives already (`serve=False`). Raises AssertionError
        with what is left when that takes longer than so many seconds.
        """
        if serve:
            self.stage.serve(name)
        until = time.monotonic() + seconds
        while not self._at_rest(name):
            assert time.monotonic() < until, f"after {seconds:.0f} s there is {self._left()}"
            time.sleep(0.2)

    def give_up_runs(self, name: str = FIRST) -> None:
        """Cancel every open run: what is queued is dropped, what runs is followed to its end."""
        for row in self.stage.rows():
            if row["closed_at"] is None:
                why = {"because": "the campaign is over", "actor": "the operator of the tests"}
                self.stage.ask(name, act="cancel", run=row["run_id"], **why)

    def _at_rest(self, name: str) -> bool:
        waiting = self.operator.work(self.stage, name)
        return not waiting and all(row["closed_at"] for row in self.stage.rows())

    def _left(self) -> str:
        """Say what has not ended, with the daemons' last words."""
        ended = {"succeeded", "failed", "skipped", "cancelled"}
        left = [row for row in self.stage.rows("v_operations") if row["state"] not in ended]
        some = [f"{row['vm_name']} {row['state']} ({row['reason']})" for row in left[:5]]
        told = self.stage.errors().splitlines()
        troubles = [line[:300] for line in told if '"level": "info"' not in line]
        some += [f"{row['run_id']} {row['status']} ({row['reason']})" for row in self.stage.rows()]
        return "\n".join([f"{len(left)} left: {'; '.join(some)}", *troubles[-5:]])


async def _drivers(store: SqlStore) -> dict[str, int]:
    query = (
        select(schema.lease.c.run_id, schema.lease.c.holder)
        .join(schema.run, schema.run.c.id == schema.lease.c.run_id)
        .where(schema.run.c.closed_at.is_(None))
    )
    rows = await store._read(lambda connection: connection.execute(query).all())
    return {row.run_id: int(row.holder.split(":")[1]) for row in rows if row.holder}


@contextmanager
def playing(
    database: DatabaseKind, setting: Setting, server: PostgresServer | None = None
) -> Iterator[Play]:
    """Set the stage on a private database.

    `server` is somebody's PostgreSQL; without one, `postgres` starts its own.
    """
    names = tuple(f"ring{number}" for number in range(setting.plans))
    random = Random(setting.seed)
    fleet = [machine for name in names for machine in _machines(name, setting, random)]
    plans = "".join(
        _PLAN.format(name=name, parallel=setting.parallel, vms=setting.vms) for name in names
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        if database == "postgres" and server is None:
            server = stack.enter_context(closing(PostgresServer(find_binaries())))
        url = server.create_database() if database == "postgres" and server else ""
        stage = stack.enter_context(staged(folder, fleet, plans, SPEED, url, setting.tracking))
        endpoint = stack.enter_context(_far_away(stage.azure, setting))
        play = Play(stage, names, plans, setting.seed, random, endpoint, setting.tracking, server)
        play.configure(FIRST)
        yield play


@contextmanager
def _far_away(azure: str, setting: Setting) -> Iterator[str]:
    """Put a distance before Azure, as long as a submit draws it."""
    if not setting.latency:
        yield azure
        return
    random = Random(setting.seed)

    def judge(piece: bytes) -> Fault | None:
        if b"/installPatches" not in piece:
            return None
        up, down = (Way(delay=random.uniform(0.0, setting.latency)) for _ in range(2))
        return Fault("far away", up, down)

    with Proxy(urlsplit(azure).port or 0, judge) as proxy:
        yield proxy.url


def _machines(ring: str, setting: Setting, random: Random) -> Iterator[Machine]:
    for number in range(setting.vms):
        place = f"0de30000-0000-4000-8000-{number % PLACES:012d}"
        nominal = setting.takes * SPEED * random.uniform(0.5, 1.5)
        fails = random.random() < 0.05
        temper = Temper(
            takes=timedelta(seconds=nominal),
            ending=Ending.FAILS if fails else Ending.SUCCEEDS,
            failing_patches=int(fails),
            patches=3,
        )
        yield Machine(
            vm_id=f"/subscriptions/{place}/resourceGroups/rg-{ring}"
            f"/providers/Microsoft.Compute/virtualMachines/{ring}-{number:03d}",
            os="Linux",
            tags={"ring": ring},
            temper=temper,
        )


# ------------------------------------------------------------------------------------------- time


def rest(seconds: float) -> None:
    """Let real processes go on for a while."""
    time.sleep(max(0.0, seconds))


@dataclass
class Stopwatch:
    """How long it is since this was made, in seconds."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Read it."""
        return time.monotonic() - self.began


def timed(do: Callable[[], object]) -> float:
    """Return how many seconds something took."""
    watch = Stopwatch()
    do()
    return watch.seconds
