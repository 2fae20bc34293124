"""The simulated Azure without sockets: a transport that hands each request to it."""

from orchestrator.arm.exchange import ConnectFailed, Exchanged, HttpReply, Lost, Request, fold
from orchestrator.ports import Clock
from orchestrator.simulator import exchange as simulated
from orchestrator.simulator.world import Azure


class MemoryTransport:
    """Carries requests to `azure` at the instant that the clock shows.

    It behaves as sockets would: a request whose time is over does not leave, a connection that is
    cut loses the answer, an answer slower than the time-out is lost (without waiting for it), a
    body over the limit is dropped.
    """

    def __init__(self, azure: Azure, clock: Clock) -> None:
        self._azure = azure
        self._clock = clock

    async def exchange(self, request: Request) -> Exchanged:
        """Carry one request."""
        if request.send_by is not None and self._clock.monotonic() >= request.send_by:
            return ConnectFailed(reason="its time was over before it could be sent", abandoned=True)
        answer = self._azure.respond(asked(request), self._clock.now())
        if answer.delay >= request.timeout:
            return Lost(reason="no answer came in time")
        return heard(answer, request.limit)


def asked(request: Request) -> simulated.Request:
    """Return a request as the simulated Azure reads it."""
    return simulated.Request(
        method=request.method,
        url=request.url,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )


def heard(answer: simulated.Answer, limit: int) -> Exchanged:
    """Return an answer as a client reads it that takes bodies up to `limit` bytes."""
    if isinstance(answer, simulated.HangUp):
        return Lost(reason="the connection broke before an answer came")
    whole = len(answer.body) <= limit
    return HttpReply(
        status=answer.status,
        headers=fold(answer.headers),
        body=answer.body if whole else b"",
        whole=whole,
    )
