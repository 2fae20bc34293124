"""The Arm port: each method is one request (a poll: at most two; lists and traces: one a page), and
its answer as a value.

It decides nothing.

Every request passes one door, `_ask`, where the guard sees its URL before the token does. The one
POST is sent once; nothing here repeats it, and cancelling it does not lose its answer.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import uuid4

from orchestrator import __version__
from orchestrator.arm import echoes, graph, guard, headers, orders, remaining, sweeps, views, wire
from orchestrator.arm.clouds import Cloud
from orchestrator.arm.exchange import (
    ConnectFailed,
    Exchanged,
    HttpReply,
    Lost,
    Request,
    Transport,
)
from orchestrator.arm.inventory import Inventory
from orchestrator.arm.token import Tokens, TokenUnavailableError
from orchestrator.domain.answer import (
    Finished,
    InDoubt,
    LookAnswer,
    ManyAnswer,
    NotSent,
    PollAnswer,
    SubmitAnswer,
    SweepAnswer,
    Swept,
    Taken,
    Throttled,
    TraceAnswer,
    Traced,
    Tracker,
    Unauthenticated,
    Unreadable,
    Untrackable,
)
from orchestrator.domain.inventory import Machine
from orchestrator.domain.model import VmId
from orchestrator.domain.pools import Call
from orchestrator.ports import Clock, Meter, Observer, Order, RestartOrder

DEFAULT_API_VERSION: Final = "2025-04-01"
READ_SECONDS: Final = 30.0
LIST_BYTES: Final = 32 << 20
"""A page of a list holds many VMs of some 5 KB each."""

_ANY_COMPUTE: Final = guard.compute(None)


@dataclass(frozen=True, slots=True)
class _NoToken:
    reason: str
    in_time: bool = True


_Heard = Exchanged | guard.Refused | _NoToken
_ENDLESS: Final = Unreadable(reason="Resource Graph's answer does not end")


class _Page(Protocol):
    """One page of an answer of Resource Graph's."""

    @property
    def token(self) -> str:
        """What asks for the next page; empty on the last."""


_P = TypeVar("_P", bound=_Page)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages(Generic[_P]):
    """An answer of Resource Graph's, page by page; `whole`: there were no more."""

    read: Sequence[_P]
    whole: bool
    skew: timedelta


class ArmClient:
    """Implements `ports.Arm` over a transport."""

    def __init__(  # noqa: PLR0913 - it stands between this many others
        self,
        transport: Transport,
        tokens: Tokens,
        cloud: Cloud,
        clock: Clock,
        observer: Observer,
        api_version: str = DEFAULT_API_VERSION,
        *,
        meter: Meter | None = None,
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        self._cloud = cloud
        self._clock = clock
        self._observer = observer
        self._api_version = api_version
        self._meter = meter
        # Guids of one process differ in their end: a random one for each read would cost more than
        # everything else that a read is made of.
        self._guid, self._requests = str(uuid4())[:24], count()
        self._inventory = Inventory(self._read_page, cloud, clock, observer, api_version)

    async def install(self, order: Order) -> SubmitAnswer:
        """Send one POST installPatches, once.

        A cancelled caller gets the answer all the same, after at most the order's time; its task's
        `cancelling()` still says that it was asked to stop.
        """
        body, headers = orders.install_body(order), {"content-type": "application/json"}
        return await self._unbroken(
            self._submit(Call.SUBMIT, order, "/installPatches", body, headers)
        )

    async def restart(self, order: RestartOrder) -> SubmitAnswer:
        """Send one POST restart, once. A cancelled caller gets the answer all the same."""
        return await self._unbroken(self._submit(Call.RESTART, order, "/restart", b"", {}))

    async def _unbroken(self, request: Coroutine[Any, Any, SubmitAnswer]) -> SubmitAnswer:
        sending = asyncio.create_task(request)
        while not sending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({sending})
        if sending.cancelled():
            return InDoubt(reason="this process was stopped while it waited for Azure's answer")
        return sending.result()

    async def poll(self, tracker: Tracker) -> PollAnswer:
        """Read an operation once, and its result where the status answer does not carry it."""
        if not tracker.status_url:
            return await self._locate(tracker.location_url)
        match await self._ask(Call.POLL, _get(tracker.status_url), _ANY_COMPUTE):
            case HttpReply() as reply:
                answer = wire.polled(reply, tracker.status_url)
            case unheard:
                return _unpolled(unheard)
        if not isinstance(answer, wire.ResultElsewhere):
            return answer
        if not tracker.location_url:
            return Finished(report=None)
        return await self._locate(tracker.location_url)

    async def look(self, vm_id: VmId) -> LookAnswer:
        """Read one VM with its instance view."""
        url = orders.vm_url(self._cloud, vm_id, self._api_version, query="$expand=instanceView&")
        paths = guard.compute(orders.subscription_of(vm_id))
        match await self._ask(Call.LOOK, _get(url), paths):
            case HttpReply() as reply:
                return views.looked(reply, vm_id, self._clock.now())
            case unheard:
                return Unreadable(reason=unheard.reason)

    async def trace(self, vm_id: VmId, since: datetime) -> TraceAnswer:
        """Read a VM's installations from Resource Graph: all pages, or no answer at all."""
        kql = graph.query(vm_id, since)
        if kql is None:
            return Unreadable(reason="the VM's id cannot stand in a query of Resource Graph")
        pages = await self._pages(
            [orders.subscription_of(vm_id)],
            kql,
            lambda heard: graph.page(heard, vm_id, since),
            graph.MOST_PAGES,
        )
        if not isinstance(pages, _Pages):
            return pages
        if not pages.whole:
            return _ENDLESS
        found = {trace.activity: trace for page in pages.read for trace in page.traces}
        return Traced(traces=tuple(found.values()), skew=pages.skew)

    async def trace_many(self, vm_ids: Collection[VmId], since: datetime) -> ManyAnswer:
        """Read the installations of VMs of one subscription: all pages, or no answer at all."""
        vms = frozenset(vm_ids)
        pages = await self._pages(
            sorted({orders.subscription_of(vm) for vm in vms}),
            graph.query_of_many(since),
            lambda heard: graph.page_of_many(heard, vms, since),
            graph.MOST_PAGES,
        )
        if not isinstance(pages, _Pages):
            return pages
        if not pages.whole:
            return _ENDLESS
        return graph.of_many(pages.read, vm_ids, pages.skew)

    async def sweep(
        self, subscriptions: Sequence[str], since: datetime, *, running: bool
    ) -> SweepAnswer:
        """Read from Resource Graph which installations have ended: all pages up to a bound."""
        pages = await self._pages(
            subscriptions, sweeps.query(since, running=running), sweeps.page, sweeps.MOST_PAGES
        )
        if not isinstance(pages, _Pages):
            return pages
        hints = dict.fromkeys(hint for page in pages.read for hint in page.hints)
        return Swept(hints=tuple(hints), pages=len(pages.read), whole=pages.whole, skew=pages.skew)

    async def _pages(
        self,
        subscriptions: Sequence[str],
        kql: str,
        read: Callable[[HttpReply], _P | Throttled | Unreadable],
        most: int,
    ) -> "_Pages[_P] | Throttled | Unreadable":
        """Put a query to Resource Graph, and read its pages up to a bound; one that cannot be read
        spoils the answer."""
        found: list[_P] = []
        token = ""
        while True:
            request = graph.asking(self._cloud, subscriptions, kql, token, READ_SECONDS, LIST_BYTES)
            heard = await self._ask(Call.TRACE, request, guard.GRAPH)
            if not isinstance(heard, HttpReply):
                return Unreadable(reason=heard.reason)
            page = read(heard)
            if isinstance(page, Throttled | Unreadable):
                return page
            found.append(page)
            token = page.token
            if not token or len(found) >= most:
                skew = headers.skew(heard.headers, self._clock.now())
                return _Pages(read=found, whole=not token, skew=skew)

    async def list_machines(
        self, subscription: str, resource_group: str | None
    ) -> Sequence[Machine]:
        """List the VMs of a subscription or of one resource group. Raises `InventoryError`."""
        return await self._inventory.machines(subscription, resource_group)

    async def list_subscriptions(self) -> Sequence[str]:
        """List the subscriptions that can be read. Raises `InventoryError`."""
        return await self._inventory.subscriptions()

    async def _submit(
        self,
        call: Call,
        order: Order | RestartOrder,
        action: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> SubmitAnswer:
        subscription = orders.subscription_of(order.vm_id)
        request = Request(
            method="POST",
            url=orders.vm_url(self._cloud, order.vm_id, self._api_version, action),
            headers={**headers, "x-ms-client-request-id": order.attempt},
            body=body,
            timeout=order.timeout.total_seconds(),
            send_by=order.send_by,
        )
        match await self._ask(call, request, guard.compute(subscription)):
            case HttpReply() as reply:
                answer = wire.submitted(reply, self._cloud, subscription)
                self._report(reply, answer)
                return answer
            case Lost(reason=reason):
                return InDoubt(reason=f"{reason}; Azure may have taken the request")
            case ConnectFailed(reason=reason, abandoned=abandoned):
                return NotSent(reason=reason, abandoned=abandoned)
            case guard.Refused(reason=reason):
                return NotSent(reason=reason)
            case _NoToken(reason=reason, in_time=in_time):
                return Unauthenticated(reason=reason) if in_time else _unsent(reason)

    async def _locate(self, url: str) -> PollAnswer:
        match await self._ask(Call.POLL, _get(url), _ANY_COMPUTE):
            case HttpReply() as reply:
                return wire.located(reply, url)
            case unheard:
                return _unpolled(unheard)

    async def _read_page(self, url: str, paths: re.Pattern[str]) -> HttpReply | guard.Refused | str:
        heard = await self._ask(Call.LIST, replace(_get(url), limit=LIST_BYTES), paths)
        return heard if isinstance(heard, HttpReply | guard.Refused) else heard.reason

    async def _ask(self, kind: Call, request: Request, paths: re.Pattern[str]) -> _Heard:
        """Ask once, with a token, if the token may go there. The only way out of this module."""
        decision = guard.check(request.url, self._cloud, paths)
        if isinstance(decision, guard.Refused):
            self._observer.troubled("arm", decision.reason)
            return decision
        token = await self._token(request.send_by)
        if isinstance(token, _NoToken):
            self._observer.asked(kind, "no_token", 0.0)
            return token
        began = self._clock.monotonic()
        heard = await self._transport.exchange(self._signed(request, token))
        self._observer.asked(kind, _code(heard), self._clock.monotonic() - began)
        if not isinstance(heard, HttpReply):
            return heard
        if self._meter is not None:
            remaining.tell(self._meter, kind, request.url, heard, self._clock.now())
        if heard.status == 401:
            self._tokens.drop(token)
        return echoes.silenced(heard, request, token)

    async def _token(self, send_by: float | None) -> str | _NoToken:
        """Get a token; one for a request with effects is worth nothing after its time."""
        if (held := self._tokens.held()) is not None:
            return held
        left = READ_SECONDS if send_by is None else send_by - self._clock.monotonic()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                return await self._tokens.get()
        except TokenUnavailableError as error:
            return _NoToken(str(error))
        except TimeoutError:
            return _NoToken("no token came in time", in_time=False)
        except Exception as error:  # noqa: BLE001 - a bug, and it is certain that nothing was sent
            self._observer.crashed("token", error)
            return _NoToken("the credential failed in a way of its own; see the log")

    def _signed(self, request: Request, token: str) -> Request:
        """Add what every request carries: messages come in the language whose words `wire.py`
        knows, and each request has a guid of its own, for whoever asks Azure's support about it."""
        common = {
            "authorization": f"Bearer {token}",
            "accept": "application/json",
            "accept-language": "en",
            "user-agent": f"fleet-patch-orchestrator/{__version__}",
            "x-ms-client-request-id": f"{self._guid}{next(self._requests):012x}",
        }
        return Request(
            method=request.method,
            url=request.url,
            headers={**common, **request.headers},
            body=request.body,
            timeout=request.timeout,
            send_by=request.send_by,
            limit=request.limit,
        )

    def _report(self, reply: HttpReply, answer: SubmitAnswer) -> None:
        """Tell of a status URL that the guard refused, while the other one serves."""
        unused = isinstance(answer, Taken) and not answer.tracker.status_url
        if unused and "azure-asyncoperation" in reply.headers:
            self._observer.troubled("arm", "Azure sent a status URL that may not be asked")


def _get(url: str) -> Request:
    return Request(method="GET", url=url, timeout=READ_SECONDS)


def _code(heard: Exchanged) -> str:
    match heard:
        case HttpReply(status=status):
            return str(status)
        case ConnectFailed(abandoned=True):
            return "abandoned"
        case ConnectFailed():
            return "not_connected"
        case Lost():
            return "lost"


def _unsent(reason: str) -> NotSent:
    return NotSent(reason=reason, abandoned=True)


def _unpolled(unheard: ConnectFailed | Lost | guard.Refused | _NoToken) -> PollAnswer:
    if isinstance(unheard, guard.Refused):
        return Untrackable(reason=unheard.reason)
    return Unreadable(reason=unheard.reason)
