"""The client of Azure, when the answers repeat what was asked: nothing that it says holds it."""

import io
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

from orchestrator.arm import token as tokens
from orchestrator.arm.client import ArmClient
from orchestrator.arm.exchange import Exchanged, HttpReply, Request, fold
from orchestrator.arm.token import FixedToken, TokenUnavailableError
from orchestrator.domain.answer import Taken, Tracker
from orchestrator.logs import Log, configure
from orchestrator.ports import InventoryError
from tests.contract.arm.bench import (
    OPERATION,
    OPERATIONS,
    PUBLIC,
    SUBSCRIPTION,
    VM,
    Clock,
    an_order,
)
from tests.contract.canary.birds import CLIENT_SECRET, SIGNATURE, SIGNED, TOKEN, Here, Way

_URL = f"{OPERATIONS}{OPERATION}?p=a&api-version=2025-04-01"
_STATUS = f"{_URL}&t=638&c={SIGNATURE}&s={SIGNATURE}&h={SIGNATURE}"
_PLACE = f"{_URL}&monitor=true&t=638&c={SIGNATURE}&s={SIGNATURE}&h={SIGNATURE}"
_SINCE = datetime(2026, 11, 22, tzinfo=UTC)
_STATUSES = (200, 201, 202, 204, 307, 400, 401, 403, 404, 408, 409, 410, 429, 500, 503)


def _error(message: str, code: str = "Bad", **more: object) -> str:
    return json.dumps({"error": {"code": code, "message": message, **more}})


def _told(request: Request) -> str:
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    return "\n".join([f"{request.method} {request.url} HTTP/1.1", *lines, "", str(request.body)])


def _result(request: Request) -> str:
    """A result whose every word is what was asked."""
    word = f"{request.headers['authorization']} for {request.url}"
    error = {"code": word, "message": word, "details": [{"code": "X", "message": word}]}
    patch = {
        "patchId": word,
        "name": word,
        "version": word,
        "kbId": word,
        "installationState": word,
    }
    output = {"status": "Failed", "error": error, "patches": [patch], "rebootStatus": word}
    return json.dumps({"status": "Succeeded", "properties": {"output": output}})


def _view(request: Request) -> str:
    """A VM whose every word is what was asked."""
    word = f"{request.headers['authorization']} for {request.url}"
    last = {
        "installationActivityId": word,
        "status": word,
        "error": {"code": word, "message": word},
    }
    status = {"code": f"PowerState/{word}", "message": word}
    view = {"patchStatus": {"lastPatchInstallationSummary": last}, "statuses": [status]}
    return json.dumps({"id": VM, "location": word, "properties": {"instanceView": view}})


FORMS: Mapping[str, Callable[[Request], str]] = {
    "the whole request": lambda r: _error(_told(r)),
    "the whole request as JSON": lambda r: _error(json.dumps(_told(r))),
    "the token alone": lambda r: _error(f"'{TOKEN}' is not valid"),
    "the token as a code": lambda r: _error("no", code=TOKEN),
    "the token in a detail": lambda r: _error("", details=[{"code": TOKEN, "message": TOKEN}]),
    "the URL": lambda r: _error(f"there is nothing at {r.url}"),
    "the URL with escapes": lambda r: _error("x").replace(
        '"x"', json.dumps(r.url).replace("&", "\\u0026")
    ),
    "the URL as HTML": lambda r: _error(r.url.replace("&", "&amp;")),
    "another signed URL": lambda r: _error(f"the operation moved to {SIGNED}"),
    "a page": lambda r: f"<html>{_told(r)}</html>",
    "a word": lambda r: json.dumps(TOKEN),
    "a status": lambda r: json.dumps({"status": TOKEN, "name": TOKEN, "id": TOKEN}),
    "a result": _result,
    "a view": _view,
    "a list": lambda r: json.dumps({"value": [{"id": VM, "name": TOKEN, "tags": {TOKEN: r.url}}]}),
    "a link": lambda r: json.dumps({"value": [], "nextLink": f"{r.url}#{TOKEN}"}),
    "rows": lambda r: json.dumps({"data": [{"id": f"{VM}/patchinstallationresults/{TOKEN}"}]}),
}

METHODS: Mapping[str, Callable[[ArmClient], Awaitable[object]]] = {
    "install": lambda arm: arm.install(an_order()),
    "poll": lambda arm: arm.poll(Tracker(status_url=_STATUS)),
    "poll the place": lambda arm: arm.poll(Tracker(status_url="", location_url=_PLACE)),
    "poll both": lambda arm: arm.poll(Tracker(status_url=_STATUS, location_url=_PLACE)),
    "look": lambda arm: arm.look(VM),
    "trace": lambda arm: arm.trace(VM, _SINCE),
    "trace many": lambda arm: arm.trace_many([VM], _SINCE),
    "sweep": lambda arm: arm.sweep([SUBSCRIPTION], _SINCE, running=True),
    "list machines": lambda arm: arm.list_machines(SUBSCRIPTION, "rg"),
    "list subscriptions": lambda arm: arm.list_subscriptions(),
}


class _Parrot:
    """A transport whose answers repeat the request, in a form, and in the headers as well."""

    def __init__(self, status: int, form: Callable[[Request], str]) -> None:
        self._status = status
        self._form = form

    async def exchange(self, request: Request) -> Exchanged:
        """Answer."""
        lines = [("x-ms-request-id", TOKEN), ("Retry-After", TOKEN), ("Date", TOKEN)]
        if self._status != 429:
            lines.append(("Location", f"https://evil.example/{TOKEN}?x={request.url}"))
        body = self._form(request).encode()
        return HttpReply(status=self._status, headers=fold(lines), body=body)


def _answers() -> Iterator[Way]:
    for form, echo in FORMS.items():
        for method, ask in METHODS.items():

            async def walk(
                here: Here,
                echo: Callable[[Request], str] = echo,
                ask: Callable[[ArmClient], Awaitable[object]] = ask,
            ) -> None:
                stream = io.StringIO()
                configure("debug", stream=stream)
                for status in _STATUSES:
                    clock = Clock()
                    arm = ArmClient(
                        _Parrot(status, echo), FixedToken(TOKEN), PUBLIC, clock, Log(clock)
                    )
                    here.keep(await _said(ask, arm))
                here.keep(stream.getvalue())

            yield Way(f"answer · {form} · {method}", walk)


async def _said(ask: Callable[[ArmClient], Awaitable[object]], arm: ArmClient) -> str:
    """Return all that an answer says; a tracker's URLs are the receipt's."""
    try:
        answer = await ask(arm)
    except InventoryError as error:
        return f"{error} {error!r}"
    inside = is_dataclass(answer) and not isinstance(answer, Taken | type)
    return f"{answer!r} {answer} {asdict(answer) if inside else ''}"  # type: ignore[call-overload]  # an instance


# ------------------------------------------------------------------------------- the token's source

_REFUSALS: Mapping[str, Exception] = {
    "a form": ClientAuthenticationError(
        f"sent grant_type=client_credentials&client_secret={CLIENT_SECRET}&scope=x"
    ),
    "a form of JSON": ClientAuthenticationError(f'{{"client_secret": "{CLIENT_SECRET}"}}'),
    "a variable": ClientAuthenticationError(f"AZURE_CLIENT_SECRET={CLIENT_SECRET} is wrong"),
    "an assertion": ClientAuthenticationError(f"client_assertion={TOKEN}"),
    "a header": HttpResponseError(f"Authorization: Bearer {TOKEN}"),
    "lines": ClientAuthenticationError(f"one\r\n\x1b[2Jtwo\nclient_secret={CLIENT_SECRET}\n"),
    "a URL": ServiceRequestError(f"https://x/?code={TOKEN}"),
    "a proxy": ServiceRequestError(f"http://kim:{CLIENT_SECRET}@proxy:3128"),
    "the system": OSError(5, f"password={CLIENT_SECRET}"),
}


class _Refusing:
    """A credential that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get_token(self, *_scopes: str) -> object:
        """Fail."""
        raise self._error


def _sources() -> Iterator[Way]:
    for name, error in _REFUSALS.items():

        async def walk(here: Here, error: Exception = error) -> None:
            clock = Clock()
            source = tokens.CachedTokens(
                lambda: tokens._issue(_Refusing(error), "x/.default", clock),  # type: ignore[arg-type]  # all that is asked of it
                clock,
            )
            try:
                await source.get()
            except TokenUnavailableError as told:
                here.keep(str(told), told)
            await source.close()

        yield Way(f"credential · {name}", walk)


def ways() -> Iterator[Way]:
    """Return every way through the client of Azure."""
    yield from _answers()
    yield from _sources()
