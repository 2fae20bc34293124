"""Reads of machines: one, its instance view, and lists by pages (azure-facts 1.6, 1.7, 4.2)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import quote

from orchestrator.simulator import errors, views
from orchestrator.simulator.exchange import Answer, Json, Reply
from orchestrator.simulator.installations import Record
from orchestrator.simulator.routes import Kind
from orchestrator.simulator.state import State, Visit
from orchestrator.simulator.tracking import spoil, weather

_SKIP = "$skiptoken"


def machine(state: State, visit: Visit) -> Answer:
    """Answer `GET vm`, with or without `$expand=instanceView`, and `GET vm/instanceView`."""
    record = state.find(visit)
    if isinstance(record, Reply):
        return record
    it = record.machine
    refused = state.charge(visit, state.mood.limits.cheap_reads, it.region, it.key)
    if refused is not None:
        return refused
    fault = weather(state, "read", it.key, record.reads)
    record.reads += 1
    if visit.route.kind is Kind.VIEW:
        document = views.instance(record, visit.now)
    else:
        document = _resource(record, visit, shouted=False)
    return spoil(state, visit, fault, _page(document))


def machines(state: State, visit: Visit) -> Answer:
    """Answer a list by subscription, resource group or location, one page at a time."""
    records = state.listed(visit)
    if isinstance(records, Reply):
        return records
    region = visit.route.names.get("region", "").lower()
    refused = state.charge(visit, state.mood.limits.costly_reads, region, "list")
    if refused is not None:
        return refused
    start = _position(visit.route.query.get(_SKIP, ""))
    if start is None:
        return errors.error(400, "InvalidParameter", f"The {_SKIP} is invalid.", target=_SKIP)
    end = start + state.mood.page_size
    document: Json = {
        "value": [
            _resource(state.grown(record, visit.now), visit, shouted=True)
            for record in records[start:end]
            if not record.deleted(visit.now) and region in {"", record.machine.region.lower()}
        ]
    }
    if end < len(records):
        document["nextLink"] = _next_link(visit, end)
    return spoil(state, visit, weather(state, "list", visit.number), _page(document))


def subscriptions(state: State, visit: Visit) -> Answer:
    """Answer the list of subscriptions: those that have machines, on one page."""
    value: list[Json] = [
        {
            "id": f"/subscriptions/{name}",
            "subscriptionId": name,
            "displayName": f"Subscription {number}",
            "state": "Enabled",
        }
        for number, name in enumerate(sorted(state.subscriptions), start=1)
    ]
    fault = weather(state, "subscriptions", visit.number)
    return spoil(state, visit, fault, _page({"value": value}))


def _resource(record: Record, visit: Visit, *, shouted: bool) -> Json:
    document = views.resource(record.machine, shouted=shouted)
    query = visit.route.query
    expanded = query.get("$expand", "").lower() == "instanceview"
    properties = document["properties"]
    if isinstance(properties, dict) and (expanded or query.get("statusonly", "").lower() == "true"):
        properties["instanceView"] = views.instance(record, visit.now)
    return document


def _page(document: Json) -> Reply:
    return Reply(200, (errors.JSON,), errors.pretty(document).encode())


def _position(token: str) -> int | None:
    """Return where a page begins; None for a token that we did not give out."""
    if not token:
        return 0
    try:
        return max(0, int(urlsafe_b64decode(token)))
    except ValueError:
        return None


def _next_link(visit: Visit, position: int) -> str:
    token = urlsafe_b64encode(str(position).encode()).decode()
    query = {**visit.route.query, _SKIP: token}
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    return f"{visit.base_url}{visit.route.path}?{text}"
