"""The vocabulary of these tests: a door with nothing but memory behind it, and raw sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, Emergency, Fact, Move, SafeMode
from orchestrator.http.app import ACTS, serving
from orchestrator.http.behind import Door, Health, Patience
from orchestrator.service import Asked, NotOpened, Opened
from tests.kit.clock import HandClock

EVENING = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
TOKEN = "t0ken-" + "A" * 40
RUN = RunId("monthly-20261122T180000-ab12")
NEW_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
HALT = {"act": "halt", "run": RUN, "because": "KB5068861 breaks the print spooler"}


class Memory:
    """An observer that remembers what troubled and what crashed."""

    def __init__(self) -> None:
        self.troubles: list[tuple[str, str]] = []
        self.crashes: list[tuple[str, Exception]] = []

    def moved(self, move: Move) -> None:
        raise NotImplementedError

    def noted(self, run_id: RunId, fact: Fact) -> None:
        raise NotImplementedError

    def asked(self, kind: str, code: str, seconds: float) -> None:
        raise NotImplementedError

    def late(self, seconds: float) -> None:
        raise NotImplementedError

    def troubled(self, where: str, reason: str) -> None:
        self.troubles.append((where, reason))

    def crashed(self, where: str, error: Exception) -> None:
        self.crashes.append((where, error))


class Desk:
    """What stands behind the door: it remembers what was asked, and answers as it was told to."""

    def __init__(self) -> None:
        self.runs: Sequence[RunId] = (RUN,)
        self.acts: list[Act] = []
        self.opened: list[tuple[str, str]] = []
        self.fleet: list[tuple[str, str, str]] = []
        self.answer: Opened | NotOpened | None = None
        self.error: Exception | None = None
        self.never = asyncio.Event()
        self.hangs = False
        self.waiting = asyncio.Event()

    async def open_runs(self) -> Sequence[RunId]:
        await self._as_told()
        return self.runs

    async def act(self, act: Act) -> Asked | Opened | NotOpened:
        await self._as_told()
        self.acts.append(act)
        return self.answer or Asked(act=act)

    async def halt_all(self, actor: str, because: str) -> str:
        await self._as_told()
        self.fleet.append(("halt", actor, because))
        return "everything is halted"

    async def resume_all(self, actor: str, because: str) -> str:
        await self._as_told()
        self.fleet.append(("resume", actor, because))
        return "lifted"

    async def confirm(self, actor: str, because: str) -> str:
        await self._as_told()
        self.fleet.append(("confirm", actor, because))
        return "confirmed: it is an older copy"

    async def disable_schedule(
        self, plan: str, until: datetime | None, actor: str, because: str
    ) -> str:
        await self._as_told()
        self.fleet.append((f"disable {plan} {until}", actor, because))
        return "disabled"

    async def enable_schedule(self, plan: str, actor: str, because: str) -> str:
        await self._as_told()
        self.fleet.append((f"enable {plan}", actor, because))
        return "enabled"

    async def open(
        self, plan: str, actor: str, emergency: Emergency | None = None
    ) -> Opened | NotOpened:
        await self._as_told()
        self.opened.append((plan, actor))
        if emergency is not None:
            self.fleet.append(("emergency", emergency.approved_by, emergency.because))
        return self.answer or Opened(run_id=RUN, vms=3, notes=("vm-1 is in two waves",))

    async def _as_told(self) -> None:
        if self.hangs:
            self.waiting.set()
            await self.never.wait()
        if self.error is not None:
            raise self.error


@dataclass
class Bench:
    """A door and everything behind it. `changed` gives the door another member."""

    clock: HandClock = field(default_factory=lambda: HandClock(EVENING))
    memory: Memory = field(default_factory=Memory)
    desk: Desk = field(default_factory=Desk)
    nudged: list[RunId] = field(default_factory=list)
    scanned_at: datetime | None = EVENING
    database_error: Exception | None = None
    safe_mode: SafeMode | None = None
    patience: Patience = field(default_factory=Patience)

    def door(self, **changed: Any) -> Door:
        door = Door(
            acts=self.desk,
            health=Health(
                scanned_at=lambda: self.scanned_at,
                started_at=EVENING,
                ask_database=self._ask_database,
                safe_mode=lambda: self.safe_mode,
            ),
            metrics=lambda: b"orchestrator_runs_driven 1.0\n",
            token=TOKEN,
            nudge=self.nudged.append,
            clock=self.clock,
            observer=self.memory,
            new_id=lambda: NEW_ID,
            patience=self.patience,
        )
        return replace(door, **changed)

    async def _ask_database(self) -> None:
        if self.database_error is not None:
            raise self.database_error

    @asynccontextmanager
    async def served(self, **changed: Any) -> AsyncIterator["Visitor"]:
        """Serve the door, and give somebody who knocks."""
        async with (
            serving(self.door(**changed), "127.0.0.1", 0) as address,
            aiohttp.ClientSession(auto_decompress=False) as session,
        ):
            yield Visitor(address, session)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return str(self.said["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.said["error"]["message"])


@dataclass(frozen=True)
class Visitor:
    address: str
    session: aiohttp.ClientSession

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def ask(self, method: str, path: str, **given: Any) -> Reply:
        async with self.session.request(method, self.address + path, **given) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    async def post(
        self, body: object, token: str | None = TOKEN, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send an act; bytes are sent as they are."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", ACTS, data=data, headers=sent)

    async def raw(self, sent: bytes) -> bytes:
        """Send bytes and read until the door closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()
