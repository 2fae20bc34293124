"""`POST /api/v1/acts`: a person's wish goes to the service, and what came of it goes back."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from aiohttp import web

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, ActKind
from orchestrator.http.answering import answer, refusal
from orchestrator.http.asking import Confirm, Fleet, OpenPlan, Schedule, Steer, Unclear, read
from orchestrator.http.behind import Door
from orchestrator.service import Asked, NotOpened, Opened

_T = TypeVar("_T")
MOST_BYTES: Final = 65_536
"""The longest body that is read."""
_MOST_NAMED: Final = 10


class Steering:
    """The route that changes something."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def post(self, request: web.Request) -> web.Response:
        """Read the wish, have it done, say what came of it."""
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        match read(body):
            case Unclear(problems):
                return refusal(400, "bad_request", "; ".join(problems))
            case OpenPlan() as wish:
                return await self._open(wish)
            case Fleet() as wish:
                return await self._brake(wish)
            case Schedule() as wish:
                return await self._schedule(wish)
            case Confirm(actor=actor, because=because):
                doing = self._door.acts.confirm(actor, because)
                return answer(200, {"said": await _within(self._door.patience.answer, doing)})
            case Steer() as wish:
                return await self._steer(wish)

    async def _body(self, request: web.Request) -> bytes | web.Response:
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            return refusal(415, "not_json", "send plain application/json")
        if (request.content_length or 0) > MOST_BYTES:
            return too_large()
        try:
            async with asyncio.timeout(self._door.patience.request):
                return await request.read()
        except TimeoutError:
            return refusal(408, "too_slow", "the request did not come in in time")
        except web.RequestPayloadError:
            return refusal(400, "bad_request", "the body did not come in whole")

    async def _open(self, wish: OpenPlan) -> web.Response:
        limit = self._door.patience.opening
        try:
            came = await _within(limit, self._door.acts.open(wish.plan, wish.actor, wish.emergency))
        except LookupError as error:
            _only_ours(error)
            return refusal(404, "unknown_plan", f"there is no plan {wish.plan}")
        return self._told(came)

    async def _schedule(self, wish: Schedule) -> web.Response:
        acts = self._door.acts
        if wish.enable:
            doing = acts.enable_schedule(wish.plan, wish.actor, wish.because)
        else:
            doing = acts.disable_schedule(wish.plan, wish.until, wish.actor, wish.because)
        try:
            return answer(200, {"said": await _within(self._door.patience.answer, doing)})
        except LookupError as error:
            _only_ours(error)
            return refusal(404, "unknown_plan", f"there is no plan {wish.plan} with a schedule")

    async def _brake(self, wish: Fleet) -> web.Response:
        acts = self._door.acts
        doing = acts.halt_all if wish.halt else acts.resume_all
        said = await _within(self._door.patience.answer, doing(wish.actor, wish.because))
        return answer(200, {"said": said})

    async def _steer(self, wish: Steer) -> web.Response:
        run = await self._meant(wish.run)
        if isinstance(run, web.Response):
            return run
        patience = self._door.patience
        limit = patience.opening if wish.kind is ActKind.RETRY else patience.answer
        try:
            came = await _within(limit, self._door.acts.act(self._act(wish, run)))
        except LookupError as error:
            _only_ours(error)
            return refusal(404, "unknown_run", f"there is no run {run}")
        return self._told(came)

    async def _meant(self, named: RunId | None) -> RunId | web.Response:
        """Return the run that is meant: the one named, else the only open one."""
        if named is not None:
            return named
        runs = await _within(self._door.patience.answer, self._door.acts.open_runs())
        if len(runs) == 1:
            return runs[0]
        if not runs:
            return refusal(409, "no_open_run", "no run is open")
        names = ", ".join(runs[:_MOST_NAMED])
        more = f" and {len(runs) - _MOST_NAMED} more" if len(runs) > _MOST_NAMED else ""
        return refusal(409, "several_open_runs", f"name the run; open are {names}{more}")

    def _act(self, wish: Steer, run: RunId) -> Act:
        return Act(
            id=wish.id or self._door.new_id(),
            run_id=run,
            kind=wish.kind,
            actor=wish.actor,
            because=wish.because,
            at=self._door.clock.now(),
            vms=wish.vms,
            wave=wish.wave,
            code=wish.code,
            resolution=wish.resolution,
            max_parallel=wish.max_parallel,
        )

    def _told(self, came: Asked | Opened | NotOpened) -> web.Response:
        match came:
            case Asked(act=act):
                self._door.nudge(act.run_id)
                return answer(202, {"act_id": act.id, "run_id": act.run_id})
            case Opened(run_id=run_id, vms=vms, notes=notes):
                self._door.nudge(run_id)
                return answer(201, {"run_id": run_id, "vms": vms, "notes": list(notes)})
            case NotOpened(code=code, reason=reason):
                return refusal(409, code, reason)


def too_large() -> web.Response:
    """Refuse a body that is too long to be a wish."""
    return refusal(413, "too_large", f"the body is longer than {MOST_BYTES} bytes")


async def _within(seconds: float, doing: Awaitable[_T]) -> _T:
    async with asyncio.timeout(seconds):
        return await doing


def _only_ours(error: LookupError) -> None:
    """A `KeyError` or `IndexError` is a bug somewhere, and no missing run."""
    if type(error) is not LookupError:
        raise error
