"""Resource Graph: queries over the installations that it has heard of so far (azure-facts 7).

It trails by a lag of its own, keeps a row for 30 days, and has only the table
`patchinstallationresources`, with the installations and not their patches. Everything else, and a
query that is not understood (`kusto.py`), is refused with 400.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from orchestrator.simulator import draws, errors, kusto, stamps
from orchestrator.simulator.buckets import Refused
from orchestrator.simulator.exchange import Answer, Header, Json, Reply
from orchestrator.simulator.installations import Installation, Record
from orchestrator.simulator.kusto_run import Row, asked_first, met, pinned, run
from orchestrator.simulator.kusto_values import KustoError
from orchestrator.simulator.results import glance, record
from orchestrator.simulator.state import State, Visit
from orchestrator.simulator.tracking import spoil, weather

RETENTION = timedelta(days=30)
_TABLE = "patchinstallationresources"
_TYPE = "microsoft.compute/virtualmachines/patchinstallationresults"
_COLUMNS = (
    *("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId"),
    *("managedBy", "sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation"),
)
_GLANCED = frozenset({"status", "lastModifiedDateTime"})
_TENANT = draws.guid("tenant")
_MEMBERS: Mapping[str, type] = {
    "query": str,
    "subscriptions": list,
    "managementGroups": list,
    "options": dict,
    "facets": list,
}
_OPTIONS: Mapping[str, type] = {
    "$skipToken": str,
    "$top": int,
    "$skip": int,
    "resultFormat": str,
    "allowPartialScopes": bool,
}
_THROTTLED = (
    "Client application has been throttled and should not attempt to repeat the request until an "
    "amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
)


def resources(state: State, visit: Visit) -> Answer:
    """Answer a query."""
    try:
        reply = _answer(state, visit, _asked(visit.request.body))
    except KustoError as error:
        return _refused(400, "BadRequest", "InvalidQuery", str(error), visit)
    return spoil(state, visit, weather(state, "graph", visit.number), reply)


def throttled(refused: Refused, visit: Visit) -> Reply:
    """Refuse a query beyond the quota; the texts are as users report them."""
    retry = ("retry-after", str(refused.retry_after))
    return _refused(429, "RateLimiting", "RateLimiting", _THROTTLED, visit, retry)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request's body, checked. `token` is the `$skipToken` of the page before."""

    query: str
    scope: frozenset[str] | None
    token: str = ""
    top: int = 1000
    skip: int = 0


def _asked(body: bytes) -> _Asked:
    """Read the body. What is not simulated is refused and never left out of account."""
    try:
        document = json.loads(body)
    except ValueError:
        raise KustoError("the body is not JSON") from None
    given = _checked(document, _MEMBERS)
    options = _checked(given.get("options") or {}, _OPTIONS)
    if "query" not in given or given.get("managementGroups") or given.get("facets"):
        raise KustoError("a query over subscriptions, without facets, is simulated")
    if str(options.get("resultFormat", "objectArray")).lower() != "objectarray":
        raise KustoError("only the resultFormat objectArray is simulated")
    top, skip = int(options.get("$top", 1000)), int(options.get("$skip", 0))
    if not 1 <= top <= 1000 or skip < 0:
        raise KustoError("$top lies between 1 and 1000, $skip is not negative")
    listed = given.get("subscriptions")
    scope = None if listed is None else frozenset(str(one).lower() for one in listed)
    return _Asked(str(given["query"]), scope, str(options.get("$skipToken", "")), top, skip)


def _checked(value: object, known: Mapping[str, type]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise KustoError("an object was expected")
    for name, content in value.items():
        if name not in known:
            raise KustoError(f"{name} is not simulated")
        if content is not None and not isinstance(content, known[name]):
            raise KustoError(f"{name} is of the wrong type")
    return {name: content for name, content in value.items() if content is not None}


def _answer(state: State, visit: Visit, asked: _Asked) -> Reply:
    query = kusto.parse(asked.query, _COLUMNS)
    if query.table != _TABLE:
        raise KustoError(f"the table {query.table} is not simulated")
    rows = run(query, _rows(state, visit, asked, query), visit.now)
    start = _position(asked)
    page = rows[start : start + min(asked.top, state.mood.graph_page_size)]
    end = start + len(page)
    pages = bool(page) and "id" in page[0]
    document: Json = {"totalRecords": len(rows), "count": len(page), "data": page, "facets": []}
    if end < len(rows) and pages:
        document["$skipToken"] = _token(asked, end)
    document["resultTruncated"] = "true" if end < len(rows) and not pages else "false"
    return Reply(200, (errors.JSON,), json.dumps(document, default=str).encode())


def _rows(state: State, visit: Visit, asked: _Asked, query: kusto.Query) -> Iterator[Row]:
    """Yield the rows in scope, each machine's by id: those of one machine where the query says so,
    and none that its beginning excludes, so that a query costs little in a large fleet."""
    prefix = pinned(query, "id")
    key = prefix.partition("/patchinstallationresults")[0] if prefix else None
    known = [state.records[key]] if key in state.records else state.records.values()
    first = asked_first(query, "properties", _GLANCED)
    for each in known:
        if asked.scope is None or each.machine.subscription in asked.scope:
            yield from _machine(state, each, visit, first)


def _machine(
    state: State, each: Record, visit: Visit, first: Sequence[kusto.Node]
) -> Iterator[Row]:
    """Yield what is known by now of one machine; nothing of one that is gone."""
    if each.machine.temper.blind_graph or each.deleted(visit.now):
        return
    oldest = visit.now - RETENTION / state.speed
    for one in sorted(each.installations, key=lambda one: one.id):
        seen = visit.now - one.graph_lag
        known = one.begun(seen) and (one.ends_at is None or one.ends_at > oldest)
        if known and (not first or met(first, {"properties": glance(one, seen)}, visit.now)):
            yield _row(one, record(one, seen))


def _row(one: Installation, properties: Json) -> Row:
    machine = one.machine
    known = {
        "id": f"{machine.vm_id}/patchInstallationResults/{one.id}",
        "name": one.id,
        "type": _TYPE,
        "tenantId": _TENANT,
        "kind": "",
        "location": machine.region,
        "resourceGroup": machine.resource_group.lower(),
        "subscriptionId": machine.subscription,
        "managedBy": "",
        "properties": properties,
    }
    return dict.fromkeys(_COLUMNS) | known


def _token(asked: _Asked, position: int) -> str:
    """Return the token of the next page: good for the same query and scope only."""
    return urlsafe_b64encode(f"{position}:{_same(asked)}".encode()).decode()


def _position(asked: _Asked) -> int:
    if not asked.token:
        return asked.skip
    try:
        position, _, same = urlsafe_b64decode(asked.token).decode().partition(":")
        start = int(position)
    except ValueError:
        raise KustoError("the $skipToken is none of ours") from None
    if same != _same(asked) or start < 0:
        raise KustoError("the $skipToken belongs to another query")
    return start


def _same(asked: _Asked) -> str:
    return draws.guid(asked.query, *sorted(chain(asked.scope or ())))


def _refused(
    status: int, code: str, detail: str, message: str, visit: Visit, *headers: Header
) -> Reply:
    """Refuse as Resource Graph does: what matters stands in the details."""
    outer = (
        "Please provide below info when asking for support: timestamp = "
        f"{stamps.seven_digits(visit.now)}, correlationId = {draws.guid('graph', visit.number)}."
    )
    error = {"code": code, "message": outer, "details": [{"code": detail, "message": message}]}
    return Reply(status, (errors.JSON, *headers), json.dumps({"error": error}).encode())
