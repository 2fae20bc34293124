"""The two carriers of a row: real sockets under aiohttp, and memory. The client is the shipped one.

Both play the same script. A request of a row whose script ends only by a time-out gets a short one;
every other has all the time it wants, so that a busy machine changes nothing.
"""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.exchange import ConnectFailed, Exchanged, HttpReply, Request, Transport
from orchestrator.arm.token import FixedToken
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.domain.answer import Tracker
from orchestrator.ports import InventoryError
from orchestrator.simulator import exchange as simulated
from orchestrator.simulator.world import Azure
from tests.contract.arm.behaviours.row import Ask, Listed, Row, Unlisted, at, bytes_at
from tests.contract.arm.behaviours.script import (
    Answer,
    Cut,
    Hung,
    NobodyThere,
    Pace,
    Play,
    Torn,
    outlasts,
)
from tests.contract.arm.behaviours.script_server import LATE, ScriptServer
from tests.contract.arm.bench import (
    LOCATION_URL,
    STATUS_URL,
    SUBSCRIPTION,
    VM,
    Clock,
    Memory,
    an_order,
)
from tests.contract.arm.servers import listening
from tests.kit.memory import MemoryTransport

HASTE: Final = 0.15
PATIENCE: Final = 30.0
"""Seconds that a request may take: where its script outlasts any time-out, and where not."""
SOON: Final = 5.0
SOONER: Final = 0.5
"""Seconds until a POST must have left: an exchange may last its time-out beyond that."""
_NOWHERE: Final = "http://127.0.0.1:1"
"""Nobody listens on the first port."""


@dataclass
class Told:
    """What came of a row: the client's answer, and what others saw of it."""

    answer: object = None
    asked: int = 0
    """Requests that the client began, an earlier one to keep a connection left out."""
    posts: int = 0
    """POSTs that reached the other side, or may have."""
    codes: Sequence[tuple[str, str]] = ()
    troubles: Sequence[tuple[str, str]] = ()


@dataclass
class Hurried:
    """A transport that counts, and gives every request the row's time."""

    inner: Transport
    seconds: float
    begun: int = 0

    async def exchange(self, request: Request) -> Exchanged:
        self.begun += 1
        return await self.inner.exchange(replace(request, timeout=self.seconds))


async def _tell(row: Row, transport: Transport, here: str, posts: Callable[[], int]) -> Told:
    """Ask what the row asks, of an Azure that is at `here`."""
    clock, observer = Clock(), Memory()
    hurried = Hurried(transport, HASTE if any(map(outlasts, row.plays)) else PATIENCE)
    client = ArmClient(hurried, FixedToken("a-token"), custom(here), clock, observer)
    if row.warm:
        await client.look(VM)
    earlier = hurried.begun, len(observer.answered)
    answer = await _ask(row, client, here, clock)
    return Told(
        answer=answer,
        asked=hurried.begun - earlier[0],
        posts=posts(),
        codes=observer.answered[earlier[1] :],
        troubles=observer.troubles,
    )


async def _ask(row: Row, client: ArmClient, here: str, clock: Clock) -> object:
    location = at(here, LOCATION_URL)
    match row.ask:
        case Ask.SUBMIT:
            within = SOONER if any(map(outlasts, row.plays)) else SOON
            send_by = clock.monotonic() + (-1 if row.late else within)
            return await client.install(an_order(send_by=send_by))
        case Ask.POLL:
            return await client.poll(
                Tracker(status_url=at(here, STATUS_URL), location_url=location)
            )
        case Ask.MONITOR:
            return await client.poll(Tracker(status_url="", location_url=location))
        case Ask.LOOK:
            return await client.look(VM)
        case Ask.LIST:
            try:
                found = await client.list_machines(SUBSCRIPTION, None)
            except InventoryError as error:
                return Unlisted(str(error))
            return Listed(tuple(machine.name for machine in found))


# ---------------------------------------------------------------------------------------- sockets


async def over_sockets(row: Row) -> tuple[Told, str]:
    """Play a row on a loopback connection; return what came of it and where Azure was."""
    if isinstance(row.plays[0], NobodyThere):
        async with _sockets() as transport:
            return await _tell(row, transport, _NOWHERE, lambda: 0), _NOWHERE
    script = ScriptServer(row.plays)
    async with listening(script.serve) as server, _sockets() as transport:
        script.here = server.url
        told = await _tell(row, transport, server.url, lambda: script.posts)
    if row.ask is Ask.SUBMIT:
        told.posts += script.unread  # nobody read what came there
    return told, script.here


@asynccontextmanager
async def _sockets() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(Clock().monotonic) as transport:
        yield transport


# ----------------------------------------------------------------------------------------- memory


async def in_memory(row: Row, here: str) -> Told:
    """Play a row without sockets, Azure being at `here`."""
    script = ScriptedAzure(row.plays, here)
    return await _tell(row, InMemory(script), here, lambda: script.posts)


class ScriptedAzure(Azure):
    """A simulated Azure that follows a script. It says what the simulator can say of a play."""

    def __init__(self, plays: Sequence[Play], here: str) -> None:
        super().__init__(())
        self._plays = list(plays)
        self._here = here
        self.last: Play | None = None
        self.posts = 0

    @property
    def next(self) -> Play:
        """Return what the next request will meet."""
        return self._plays[0]

    def respond(self, request: simulated.Request, now: datetime) -> simulated.Answer:
        """Answer a request by the next play."""
        self.posts += request.method == "POST"
        self.last = self._plays.pop(0) if len(self._plays) > 1 else self._plays[0]
        match self.last:
            case Answer() as answer:
                return self._reply(answer)
            case Torn(answer=answer):
                return self._reply(answer)
            case Hung():
                return simulated.HangUp(delay=math.inf)
            case _:
                return simulated.HangUp()

    def _reply(self, answer: Answer) -> simulated.Reply:
        return simulated.Reply(
            status=answer.status,
            headers=tuple((name, at(self._here, value.strip())) for name, value in answer.lines),
            body=bytes_at(self._here, answer.body),
            delay={Pace.SLOW: LATE, Pace.NEVER: math.inf}.get(answer.pace, 0.0),
        )


@dataclass
class InMemory:
    """`MemoryTransport`, and around it what the simulator's answers have no word for.

    Those are a refused connection, an answer or a cut that never comes, a body that breaks off, and
    that aiohttp asks a read once more when its connection is cut.
    """

    azure: ScriptedAzure
    clock: Clock = field(default_factory=Clock)

    async def exchange(self, request: Request) -> Exchanged:
        if isinstance(self.azure.next, NobodyThere):
            return ConnectFailed(reason="no connection could be made")
        heard = await self._carried(request)
        if isinstance(self.azure.last, Cut) and request.send_by is None:
            heard = await self._carried(request)
        if isinstance(self.azure.last, Torn) and isinstance(heard, HttpReply):
            return replace(heard, body=b"", whole=False)
        return heard

    async def _carried(self, request: Request) -> Exchanged:
        return await MemoryTransport(self.azure, self.clock).exchange(request)
