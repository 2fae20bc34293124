"""What becomes of an installPatches POST (azure-facts 1.1, 2.2, 5.2).

The order is Azure's: the gateway first (faults that start nothing), then the buckets, the body, the
state of the machine; then the installation runs, whatever happens to the answer.
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from orchestrator.simulator import draws, errors, orders
from orchestrator.simulator.buckets import Refused
from orchestrator.simulator.exchange import Answer, HangUp, Header, Reply
from orchestrator.simulator.installations import Installation, Record, Restart
from orchestrator.simulator.signing import Place
from orchestrator.simulator.stamps import seven_digits
from orchestrator.simulator.state import State, Visit
from orchestrator.simulator.tempers import Busy, PostFault
from orchestrator.simulator.tolls import REMAINING

SILENCE = 120.0
"""Real seconds before a silent connection is cut: longer than any client waits."""
_ACTION = "Microsoft.Compute/virtualMachines/installPatches/action"
_THROTTLED_FOR = 30
_GATEWAY = {
    PostFault.ERROR_500: 500,
    PostFault.ERROR_503: 503,
    PostFault.ERROR_504: 504,
    PostFault.TAKEN_500: 500,
    PostFault.TAKEN_503: 503,
    PostFault.TAKEN_504: 504,
}
_NOT_TAKEN = (PostFault.ERROR_500, PostFault.ERROR_503, PostFault.ERROR_504)


def install(state: State, visit: Visit) -> Answer:
    """Answer an installPatches POST."""
    record = state.find(visit)
    if isinstance(record, Reply):
        return record
    fault = _fault(state, record)
    record.posts += 1
    refused = before_the_provider(state, visit, record, fault) or _charge(state, visit, record)
    if refused is not None:
        return refused
    if fault is PostFault.PLATFORM_FIRST and record.running(visit.now) is None:
        state.start_platform_run(record, visit.now)
    accepted = _accept(state, visit, record)
    if not isinstance(accepted, Installation):
        return accepted
    return answer(state, visit, accepted, fault)


def _fault(state: State, record: Record) -> PostFault:
    """Return what this request meets: by the machine's temper, else by the weather."""
    temper, number = record.machine.temper, record.posts
    if temper.every_post is not None:
        return temper.every_post
    if number < len(temper.posts):
        return temper.posts[number]
    name = draws.share(state.mood.posts, state.seed, "post", record.machine.key, number)
    return PostFault.FINE if name is None else PostFault(name)


def before_the_provider(
    state: State, visit: Visit, record: Record, fault: PostFault
) -> Answer | None:
    """Answer the faults that start nothing."""
    if fault is PostFault.FINE:
        return None
    if fault in _NOT_TAKEN:
        return errors.gateway_trouble(_GATEWAY[fault])
    vm_id = record.machine.vm_id
    answers: dict[PostFault, Callable[[], Answer]] = {
        PostFault.CUT: HangUp,
        PostFault.SILENT: lambda: HangUp(delay=SILENCE),
        PostFault.PROXY_PAGE: errors.proxy_page,
        PostFault.EXPIRED: errors.expired_token,
        PostFault.CLAIMS_CHALLENGE: errors.claims_challenge,
        PostFault.FORBIDDEN: lambda: errors.forbidden(_ACTION, vm_id),
        PostFault.LOCKED: lambda: errors.locked(vm_id),
        PostFault.THROTTLED: lambda: throttled(state, visit.now, state.mood.limits.patching.name),
    }
    return answers[fault]() if fault in answers else None


def throttled(state: State, now: datetime, policy: str) -> Reply:
    """Refuse with Compute's 429 whatever the buckets hold."""
    seconds = int(state.retry_after(_THROTTLED_FOR))
    refused = Refused(f"{policy}SubscriptionMaximum", 600, seconds)
    return errors.compute_throttled(refused, (seven_digits(now), seven_digits(now)), wrapped=True)


def _charge(state: State, visit: Visit, record: Record) -> Reply | None:
    machine = record.machine
    return state.charge(visit, state.mood.limits.patching, machine.region, machine.key)


def _accept(state: State, visit: Visit, record: Record) -> Installation | Reply:
    """Check the request and the machine's state, and start; or refuse."""
    headers = visit.request.headers
    if not headers.get("content-type", "").lower().startswith("application/json"):
        message = "The content media type is not supported. Only 'application/json' is supported."
        return errors.error(415, "UnsupportedMediaType", message)
    order = orders.read(visit.request.body, record.machine.os)
    if isinstance(order, orders.Refusal):
        return errors.error(400, order.code, order.message, target=order.target)
    running = record.running(visit.now)
    refused = not_running(record, visit.now, "installPatches") or _busy(state, record, running)
    if refused is not None:
        return refused
    if running is not None:
        state.supersede(running, visit.now)
    return state.start(record, order, visit.now, headers.get("x-ms-client-request-id"))


def not_running(record: Record, now: datetime, action: str) -> Reply | None:
    """Refuse what only a running machine can do."""
    power, name = record.power(now), record.machine.name
    if power == "running":
        return None
    if power in {"starting", "stopping", "deallocating"}:
        message = (
            f"An ongoing operation is changing power state of Virtual Machine {name} to {power}. "
            f"Please perform operation {action} after some time."
        )
    else:
        message = "The operation requires the VM to be running (or set to run)."
    return errors.error(409, "OperationNotAllowed", message)


def _busy(state: State, record: Record, running: Installation | None) -> Reply | None:
    if running is None:
        return None
    match record.machine.temper.busy or state.mood.busy:
        case Busy.OPERATION_NOT_ALLOWED:
            message = (
                f"Operation 'installPatches' is not allowed on VM '{record.machine.name}' since "
                "another operation is in progress."
            )
            return errors.error(409, "OperationNotAllowed", message)
        case Busy.CONFLICT:
            message = (
                "The request failed due to conflict with a concurrent request. To resolve it, "
                "please refer to https://aka.ms/activitylog to get more details on the "
                "conflicting requests."
            )
            return errors.error(409, "Conflict", message)
        case Busy.SUPERSEDES:
            return None


def answer(state: State, visit: Visit, begun: Installation | Restart, fault: PostFault) -> Answer:
    """Answer for what runs from now on, whatever the client gets to see."""
    if fault in _GATEWAY:
        # The gateway answers in the provider's place: it tells nothing that only that one knows.
        visit.headers = [pair for pair in visit.headers if pair[0] != REMAINING]
        return errors.gateway_trouble(_GATEWAY[fault])
    match fault:
        case PostFault.TAKEN_CUT:
            return HangUp()
        case PostFault.TAKEN_SILENT:
            return HangUp(delay=SILENCE)
        case PostFault.TAKEN_PROXY_PAGE:
            return errors.proxy_page()
        case PostFault.TAKEN_BARE:
            headers: tuple[Header, ...] = ()
        case PostFault.TAKEN_FOREIGN_URL:
            headers = _urls(state, visit, begun, "http://management.example.invalid")
        case _:
            headers = _urls(state, visit, begun, visit.base_url)
    begun.answered = True
    common = (
        ("x-ms-request-id", begun.id),
        ("azure-asyncnotification", "Enabled"),
        ("content-length", "0"),
    )
    return Reply(202, (*headers, *common))


def _urls(
    state: State, visit: Visit, begun: Installation | Restart, base: str
) -> tuple[Header, ...]:
    machine = begun.machine
    place = Place(urlsplit(machine.vm_id).path.split("/")[2], machine.region)
    version = visit.route.query["api-version"]
    status, monitor = state.signer.sign(place, begun.id, version, visit.now)
    urls = (("location", base + monitor), ("azure-asyncoperation", base + status))
    if state.mood.retry_after is None:
        return urls
    return (*urls, ("retry-after", state.retry_after(state.mood.retry_after)))
