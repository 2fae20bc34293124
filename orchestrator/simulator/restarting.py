"""What becomes of a restart POST (azure-facts 1.7, 4.2, 5.2), and how its operation is followed.

The order is that of installPatches: the gateway, the buckets, the state of the machine; then the
machine restarts, whatever happens to the answer.
"""

from datetime import datetime, timedelta

from orchestrator.simulator import draws, errors, stamps
from orchestrator.simulator.exchange import Answer, Header, Reply
from orchestrator.simulator.installations import Record, Restart
from orchestrator.simulator.routes import Kind
from orchestrator.simulator.state import State, Visit
from orchestrator.simulator.submitting import answer, before_the_provider, not_running
from orchestrator.simulator.tempers import PostFault

_MINUTE = timedelta(minutes=1)
_SLOW = timedelta(minutes=10)


def restart(state: State, visit: Visit) -> Answer:
    """Answer a restart POST."""
    record = state.find(visit)
    if isinstance(record, Reply):
        return record
    fault = _fault(state, record)
    record.restart_posts += 1
    machine = record.machine
    refused = before_the_provider(state, visit, record, fault) or state.charge(
        visit, state.mood.limits.updating, machine.region, machine.key
    )
    if refused is None:
        refused = not_running(record, visit.now, "restart") or _busy(record, visit.now)
    if refused is not None:
        return refused
    return answer(state, visit, _begin(state, record, visit), fault)


def _fault(state: State, record: Record) -> PostFault:
    temper, number = record.machine.temper, record.restart_posts
    if number < len(temper.restarts):
        return temper.restarts[number]
    name = draws.share(state.mood.posts, state.seed, "restart", record.machine.key, number)
    return PostFault.FINE if name is None else PostFault(name)


def _busy(record: Record, now: datetime) -> Reply | None:
    if record.running(now) is None and not any(one.running(now) for one in record.restarts):
        return None
    message = (
        f"Operation 'restart' is not allowed on VM '{record.machine.name}' since another operation "
        "is in progress."
    )
    return errors.error(409, "OperationNotAllowed", message)


def _begin(state: State, record: Record, visit: Visit) -> Restart:
    machine = record.machine
    luck = (state.seed, machine.key, "restart", len(record.restarts))
    takes = machine.temper.takes  # a quick machine is quick in everything
    pace = 1.0 if takes is None else min(1.0, takes / _SLOW)
    begun = Restart(
        id=draws.guid(*luck),
        machine=machine,
        accepted_at=visit.now,
        speed=state.speed,
        lasts=(0.5 + draws.fraction(*luck, "lasts")) * pace * _MINUTE,
        boots=(2 + 2 * draws.fraction(*luck, "boots")) * pace * _MINUTE,
        client_request_id=visit.request.headers.get("x-ms-client-request-id"),
    )
    record.restarts.append(begun)
    state.restarts[begun.id] = begun
    state.ledger.restarted(begun)
    return begun


def followed(state: State, visit: Visit, begun: Restart, pace: tuple[Header, ...]) -> Reply:
    """Answer a status or a `monitor=true` GET: an operation without a result."""
    ended = begun.ended(visit.now)
    if visit.route.kind is Kind.MONITOR:
        if ended:
            return Reply(200, (errors.JSON,))
        location = f"{visit.base_url}{visit.route.path}?{visit.route.raw_query}"
        return Reply(202, (("location", location), *pace))
    document = {"startTime": stamps.odd(begun.accepted_at, begun.id), "status": "InProgress"}
    if ended:
        document |= {"endTime": stamps.odd(begun.ends_at, begun.id), "status": begun.status}
    failed = {} if not ended or begun.status == "Succeeded" else {"error": begun.error}
    text = errors.pretty({**document, **failed, "name": begun.id})
    return Reply(200, (errors.JSON, *(() if ended else pace)), text.encode())
