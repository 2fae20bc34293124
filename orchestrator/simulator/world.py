"""A small Azure: one HTTP request in, its answer out, as values.

Only the seed, the calls and their `now` decide what happens: there is no clock, no global luck, no
socket. The facts are those of `azure-facts.md`; nothing is shared with any client. `app.py` puts it
on a wire.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from orchestrator.simulator import (
    draws,
    errors,
    graph,
    reading,
    restarting,
    stamps,
    submitting,
    tokens,
    tracking,
)
from orchestrator.simulator.exchange import Answer, HangUp, Header, Json, Reply, Request
from orchestrator.simulator.fleetfile import machine_to_json
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import CALM, Mood
from orchestrator.simulator.routes import Kind, find, origin
from orchestrator.simulator.state import State, Visit

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_FIRST_WITH_INSTALL = "2020-12-01"
_HANDLERS: dict[Kind, Callable[[State, Visit], Answer]] = {
    Kind.INSTALL: submitting.install,
    Kind.RESTART: restarting.restart,
    Kind.OPERATION: tracking.follow,
    Kind.MONITOR: tracking.follow,
    Kind.MACHINE: reading.machine,
    Kind.VIEW: reading.machine,
    Kind.LIST: reading.machines,
    Kind.SUBSCRIPTIONS: reading.subscriptions,
    Kind.GRAPH: graph.resources,
}


class Azure:
    """The world of these machines.

    `base_url` is what operation URLs begin with (None: the origin each request was sent to) ·
    `speed` divides every duration and lag and multiplies the refill of every bucket; instants stay
    on the caller's clock · `token` is the only bearer token accepted (None: any well-formed one).
    """

    def __init__(
        self,
        machines: Iterable[Machine],
        *,
        base_url: str | None = None,
        seed: int = 0,
        mood: Mood = CALM,
        speed: float = 1.0,
        token: str | None = None,
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self._state = State(machines, seed, mood, speed)
        self._base_url = base_url.rstrip("/") if base_url else None
        self._token = token
        self._visits = 0

    def respond(self, request: Request, now: datetime) -> Answer:
        """Answer one request at this instant (with a time zone). Instants do not go back."""
        route = find(request.method, request.url)
        self._visits += 1
        base = self._base_url or origin(request.url, request.headers.get("host"))
        visit = Visit(request, route, now, self._visits, base)
        ours = self._page(visit)
        if ours is not None:
            return ours
        if route.kind is Kind.INSTALL:
            self._state.ledger.posted(route.machine_key)
        answer = self._answer(visit)
        self._state.ledger.answered(route.kind.value, answer)
        return answer if isinstance(answer, HangUp) else self._dressed(visit, answer)

    def ledger(self, now: datetime) -> Json:
        """Return the truth beside the API, as JSON-able values (see `ledger.py`)."""
        state = self._state
        return state.ledger.report(state.installations.values(), state.restarts.values(), now)

    def machines(self, now: datetime) -> list[Json]:
        """Return every machine as a fleet file has it, with its power of now."""
        return [
            {**machine_to_json(record.machine), "power": record.power(now)}
            for record in self._state.records.values()
            if not record.deleted(now)
        ]

    def _page(self, visit: Visit) -> Reply | None:
        """Answer our own pages, which need no token."""
        if visit.route.kind is Kind.LEDGER:
            document: object = self.ledger(visit.now)
        elif visit.route.kind is Kind.MACHINES:
            document = self.machines(visit.now)
        else:
            return None
        return Reply(200, (errors.JSON,), json.dumps(document).encode())

    def _answer(self, visit: Visit) -> Answer:
        authorization = visit.request.headers.get("authorization")
        principal = tokens.principal(authorization, self._token, visit.now)
        if isinstance(principal, Reply):
            return principal
        return (
            _wrong_version(visit)
            or _unknown(visit)
            or self._throttled(visit, principal)
            or _HANDLERS[visit.route.kind](self._state, visit)
        )

    def _throttled(self, visit: Visit, principal: str) -> Reply | None:
        """Charge ARM's buckets, or Resource Graph's own; return the 429 if one is empty."""
        route, now = visit.route, stamps.micros(visit.now)
        if route.kind is Kind.GRAPH:
            toll = self._state.tolls.graph(principal, now)
            visit.headers += toll.headers
            return graph.throttled(toll.refused, visit) if toll.refused else None
        kind = "reads" if route.method == "GET" else "writes"
        toll = self._state.tolls.front_door(principal, route.subscription, kind, now)
        visit.headers += toll.headers
        if toll.refused is None:
            return None
        return errors.door_throttled(toll.refused, route.subscription, _operation(visit))

    def _dressed(self, visit: Visit, reply: Reply) -> Reply:
        """Add the headers that every answer of Azure carries; a proxy's page carries none."""
        if reply.header("via") is not None:
            return reply
        ours = {name for name, _ in reply.headers}
        common = (pair for pair in self._common(visit) if pair[0] not in ours)
        headers = (*reply.headers, *visit.headers, *common)
        return Reply(reply.status, headers, reply.body, reply.delay)

    def _common(self, visit: Visit) -> tuple[Header, ...]:
        seed, number, now = self._state.seed, visit.number, visit.now
        correlation = draws.guid(seed, "correlation", number)
        reference = draws.guid(seed, "reference", number).replace("-", "").upper()
        return (
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("expires", "-1"),
            ("date", stamps.http_date(now)),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-cache", "CONFIG_NOCACHE"),
            (
                "x-msedge-ref",
                f"Ref A: {reference} Ref B: SN4AA2022304029 Ref C: {stamps.whole_seconds(now)}",
            ),
            ("x-ms-need-to-refresh-epl-cache", "False"),
            ("x-ms-request-id", correlation),
            ("x-ms-correlation-request-id", correlation),
            ("x-ms-routing-request-id", f"WESTEUROPE:{stamps.routing(now)}:{correlation}"),
            ("server", "Microsoft-HTTPAPI/2.0"),
        )


def _wrong_version(visit: Visit) -> Reply | None:
    """Refuse a missing, malformed or too old api-version."""
    version = visit.route.query.get("api-version", "")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        return errors.error(400, "MissingApiVersionParameter", message, errors.FROM_GATEWAY)
    if not _VERSION.fullmatch(version):
        message = f"The api-version '{version}' is invalid."
        return errors.error(400, "InvalidApiVersionParameter", message, errors.FROM_GATEWAY)
    if visit.route.kind is Kind.INSTALL and version[:10] < _FIRST_WITH_INSTALL:
        message = (
            f"No registered resource provider found for API version '{version}' and "
            "'virtualMachines/installPatches'."
        )
        return errors.error(400, "NoRegisteredProviderFound", message, errors.FROM_GATEWAY)
    return None


def _unknown(visit: Visit) -> Reply | None:
    """Refuse what Azure has not, and what is not simulated yet."""
    what = f"{visit.route.method} {visit.route.path}"
    if visit.route.kind is Kind.NOT_SIMULATED:
        return errors.not_simulated(what)
    if visit.route.kind is Kind.UNKNOWN:
        message = f"No HTTP resource was found that matches '{what}'."
        return errors.error(404, "NotFound", message, errors.FROM_GATEWAY)
    return None


def _operation(visit: Visit) -> str:
    """Name a route the way ARM's throttling message does: method and path without the names."""
    named = {value.lower() for value in visit.route.names.values()}
    parts = [part for part in visit.route.path.split("/") if part and part.lower() not in named]
    return "/".join([visit.route.method, *parts]).upper()
