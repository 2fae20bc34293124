"""Operations as a client follows them: status and `monitor=true` GETs (azure-facts 2.4 to 3).

Whatever goes wrong with a read says nothing about the operation, and never ends it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from orchestrator.simulator import draws, errors, restarting, stamps
from orchestrator.simulator.exchange import Answer, HangUp, Header, Reply
from orchestrator.simulator.installations import Installation, Restart
from orchestrator.simulator.ledger import status_word
from orchestrator.simulator.results import body, laid_out
from orchestrator.simulator.routes import Kind
from orchestrator.simulator.state import State, Visit
from orchestrator.simulator.submitting import SILENCE, throttled
from orchestrator.simulator.tempers import PollFault

_READ_OPERATIONS = "Microsoft.Compute/locations/operations/read"
_NOT_FOUND = ("NotFound", "The entity was not found.")
_GATEWAY = {
    PollFault.ERROR_500: 500,
    PollFault.ERROR_502: 502,
    PollFault.ERROR_503: 503,
    PollFault.ERROR_504: 504,
}


def follow(state: State, visit: Visit) -> Answer:
    """Answer a status or a `monitor=true` GET."""
    route = visit.route
    if not state.signer.genuine(route.path, route.raw_query):
        return errors.bad_request("The signature of the operation URL is not valid.")
    operation = route.names["operation"].lower()
    if operation in state.restarts:
        return _follow_restart(state, visit, state.restarts[operation])
    installation = state.installations.get(operation)
    if installation is None:
        return errors.error(404, *_NOT_FOUND)
    region = installation.machine.region
    refused = state.charge(visit, state.mood.limits.operations, region, installation.id)
    if refused is not None:
        return refused
    fault = _fault(state, installation)
    installation.polls += 1
    if _forgotten(installation, visit.now):
        return errors.error(404, *_NOT_FOUND)
    reply = _monitored if route.kind is Kind.MONITOR else _status
    return spoil(state, visit, fault, reply(state, visit, installation))


def _follow_restart(state: State, visit: Visit, begun: Restart) -> Answer:
    refused = state.charge(visit, state.mood.limits.operations, begun.machine.region, begun.id)
    if refused is not None:
        return refused
    every = begun.machine.temper.every_poll
    fault = every or weather(state, "poll", begun.id, begun.polls)
    begun.polls += 1
    reply = restarting.followed(state, visit, begun, _pace(state, ended=False))
    return spoil(state, visit, fault, reply)


def weather(state: State, *subject: object) -> PollFault:
    """Return what a read meets by the mood's rates."""
    name = draws.share(state.mood.reads, state.seed, *subject)
    return PollFault.FINE if name is None else PollFault(name)


def spoil(state: State, visit: Visit, fault: PollFault, reply: Reply) -> Answer:
    """Return the answer as a fault lets it through."""
    if fault is PollFault.FINE:
        return reply
    if fault in _GATEWAY:
        return errors.gateway_trouble(_GATEWAY[fault])
    if fault in {PollFault.HTML, PollFault.BROKEN_JSON, PollFault.WRONG_TYPE, PollFault.EMPTY}:
        return _garbled(fault, reply)
    if fault is PollFault.ODD_WORD:
        return replace(reply, body=reply.body.replace(b'"InProgress"', b'"Updating"'))
    scope = f"/subscriptions/{visit.route.subscription}"
    answers: dict[PollFault, Callable[[], Answer]] = {
        PollFault.CUT: HangUp,
        PollFault.SILENT: lambda: HangUp(delay=SILENCE),
        PollFault.NOT_FOUND: lambda: errors.error(404, *_NOT_FOUND),
        PollFault.THROTTLED: lambda: throttled(state, visit.now, state.mood.limits.operations.name),
        PollFault.FORBIDDEN: lambda: errors.forbidden(_READ_OPERATIONS, scope),
        PollFault.EXPIRED: errors.expired_token,
        PollFault.CLAIMS_CHALLENGE: errors.claims_challenge,
    }
    return answers[fault]() if fault in answers else reply


def _garbled(fault: PollFault, reply: Reply) -> Reply:
    headers = tuple(pair for pair in reply.headers if pair[0] != "content-type")
    match fault:
        case PollFault.HTML:
            page = b"<!DOCTYPE html><html><body>Service unavailable</body></html>"
            return Reply(200, (errors.HTML, *headers), page)
        case PollFault.BROKEN_JSON:
            return replace(reply, body=reply.body[: len(reply.body) // 2] + b'{"')
        case PollFault.WRONG_TYPE:
            return replace(reply, headers=(("content-type", "text/plain"), *headers))
        case _:
            return Reply(200, headers)


def _fault(state: State, installation: Installation) -> PollFault:
    temper, number = installation.machine.temper, installation.polls
    if temper.every_poll is not None:
        return temper.every_poll
    if number < len(temper.polls):
        return temper.polls[number]
    return weather(state, "poll", installation.id, number)


def _forgotten(installation: Installation, now: datetime) -> bool:
    forgets, ends_at = installation.machine.temper.forgets, installation.ends_at
    if forgets is None or ends_at is None:
        return False
    return now >= ends_at + forgets / installation.speed


def _status(state: State, visit: Visit, installation: Installation) -> Reply:
    """Build the status document: CRLF, keys in Azure's order, the result spliced in raw."""
    ended, course, salt = installation.ended(visit.now), installation.course, installation.id
    members = [f'"startTime": "{stamps.odd(installation.accepted_at, salt)}"']
    if ended and installation.ends_at is not None:
        members.append(f'"endTime": "{stamps.odd(installation.ends_at, salt)}"')
    members.append(f'"status": "{status_word(installation, visit.now)}"')
    if ended and course.error is not None:
        members.append(f'"error": {_nested(_error(installation))}')
    elif ended and not course.without_result:
        output = laid_out(body(installation), salt)
        members.append(f'"properties": {{\r\n    "output": {output}\r\n  }}')
    members.append(f'"name": "{installation.id}"')
    text = "{\r\n  " + ",\r\n  ".join(members) + "\r\n}"
    return Reply(200, (errors.JSON, *_pace(state, ended=ended)), text.encode())


def _monitored(state: State, visit: Visit, installation: Installation) -> Reply:
    """Build what the POST would have answered had it been synchronous; 202 until then."""
    course = installation.course
    if not installation.ended(visit.now):
        location = f"{visit.base_url}{visit.route.path}?{visit.route.raw_query}"
        return Reply(202, (("location", location), *_pace(state, ended=False)))
    if course.error is not None:
        # Which status a failed one gets is not recorded; a conflict is Compute's habit.
        return Reply(409, (errors.JSON,), errors.pretty({"error": _error(installation)}).encode())
    if course.without_result:
        return Reply(200, (errors.JSON,))
    return Reply(200, (errors.JSON,), laid_out(body(installation), installation.id).encode())


def _error(installation: Installation) -> dict[str, str]:
    error = installation.course.error
    return {} if error is None else {"code": error.code, "message": error.message}


def _nested(document: object) -> str:
    return errors.pretty(document).replace("\r\n", "\r\n  ")


def _pace(state: State, *, ended: bool) -> tuple[Header, ...]:
    nominal = state.mood.retry_after
    return () if nominal is None or ended else (("retry-after", state.retry_after(nominal)),)
