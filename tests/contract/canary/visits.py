"""The daemon's own door, and what knocks there: neither says a token back, nor what broke in it."""

import io
from collections.abc import Iterator, Mapping

from orchestrator.http import client
from orchestrator.http.app import ACTS
from orchestrator.logs import Log, configure
from orchestrator.ports import InventoryError, StoreUnavailableError
from tests.contract.canary.birds import DSN, LOCAL, PASSWORD, SIGNED, TOKEN, Here, Way
from tests.contract.canary.impostors import Parrot, listening
from tests.contract.http.bench import HALT, Bench, Reply
from tests.kit.clock import HandClock

_WISHES: Mapping[str, Mapping[str, object]] = {
    "run": {"act": "run", "plan": "monthly"},
    **{act: {**HALT, "act": act} for act in ("pause", "resume", "halt", "cancel", "retry")},
    "resolve": {**HALT, "act": "resolve", "as": "failed"},
    "no run named": {"act": "halt", "because": "x"},
}
_ERRORS: Mapping[str, Exception] = {
    "the database": StoreUnavailableError(f"The database {DSN} does not answer: {PASSWORD}"),
    "Azure": InventoryError(f"Azure answered 401: Authorization: Bearer {TOKEN}, at {SIGNED}"),
    "a bug": RuntimeError(f"Bearer {TOKEN} for {SIGNED}"),
    "a bug of SQL": ValueError(f"could not connect to {DSN}"),
    "a missing key": KeyError(f"token={TOKEN}"),
    "a missing run": LookupError(f"password={PASSWORD}"),
    "time": TimeoutError(SIGNED),
    "the system": OSError(5, DSN),
    "several": ExceptionGroup("two", [ValueError(DSN), RuntimeError(f"Bearer {TOKEN}")]),
}


def _kept(here: Here, stream: io.StringIO, reply: Reply) -> None:
    here.keep(stream.getvalue(), dict(reply.headers), reply.content)


def _log() -> io.StringIO:
    """Write the log as `serve` does: it knows the secrets that its configuration names."""
    stream = io.StringIO()
    configure("debug", stream=stream, secrets=[TOKEN, PASSWORD])
    return stream


def _broken() -> Iterator[Way]:
    for wish, body in _WISHES.items():
        for name, error in _ERRORS.items():

            async def walk(
                here: Here, body: Mapping[str, object] = body, error: Exception = error
            ) -> None:
                bench, stream = Bench(), _log()
                bench.desk.error = error
                async with bench.served(token=LOCAL, observer=Log(HandClock())) as visitor:
                    reply = await visitor.post(body, token=LOCAL)
                assert reply.status >= 400
                _kept(here, stream, reply)

            yield Way(f"door · {name} · {wish}", walk)


def _probed() -> Iterator[Way]:
    for name in ("the database", "time"):
        for path in ("/livez", "/readyz", "/metrics"):

            async def walk(here: Here, name: str = name, path: str = path) -> None:
                bench, stream = Bench(), _log()
                bench.database_error = _ERRORS[name]
                async with bench.served(token=LOCAL, observer=Log(HandClock())) as visitor:
                    _kept(here, stream, await visitor.ask("GET", path))

            yield Way(f"door · {name} · {path}", walk)


_LINES = ("Host: localhost", "Content-Type: application/json")
_MISUSED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "in the path": (f"POST /{LOCAL} HTTP/1.1", _LINES),
    "in the query": (f"POST {ACTS}?token={LOCAL} HTTP/1.1", _LINES),
    "as a method": (f"{LOCAL} {ACTS} HTTP/1.1", _LINES),
    "as a version": (f"GET {ACTS} {LOCAL}", _LINES),
    "as a host": (f"GET {ACTS} HTTP/1.1", (f"Host: {LOCAL}",)),
    "as an expectation": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Expect: {LOCAL}")),
    "as a length": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Content-Length: {LOCAL}")),
    "as a type": (
        f"POST {ACTS} HTTP/1.1",
        ("Host: localhost", f"Authorization: Bearer {LOCAL}", f"Content-Type: {LOCAL}"),
    ),
    "as another scheme": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Authorization: Basic {LOCAL}")),
    "without a scheme": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Authorization: {LOCAL}")),
    "too short": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Authorization: Bearer {LOCAL[:-1]}")),
    "too long": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"Authorization: Bearer {LOCAL}x")),
    "twice": (f"POST {ACTS} HTTP/1.1", (*_LINES, *[f"Authorization: Bearer {LOCAL}"] * 2)),
    "as a header": (f"POST {ACTS} HTTP/1.1", (*_LINES, f"{LOCAL}\x00: x")),
    "as a cookie": ("GET /nowhere HTTP/1.1", (*_LINES, f"Cookie: {LOCAL}")),
    "with no request": (f"{LOCAL}", ()),
}


def _misused() -> Iterator[Way]:
    for name, (first, lines) in _MISUSED.items():

        async def walk(here: Here, first: str = first, lines: tuple[str, ...] = lines) -> None:
            stream = _log()
            sent = "\r\n".join([first, *lines, "", ""]).encode("latin-1")
            async with Bench().served(token=LOCAL, observer=Log(HandClock())) as visitor:
                answer = await visitor.raw(sent)
            assert not answer.startswith(b"HTTP/1.1 2")
            here.keep(answer, stream.getvalue())

        yield Way(f"door · the token {name}", walk)


_BODIES: Mapping[str, object] = {
    "as an act": {"act": LOCAL},
    "as a key": {"act": "halt", "because": "x", LOCAL: 1},
    "as an id": {**HALT, "id": LOCAL},
    "as a resolution": {**HALT, "act": "resolve", "as": LOCAL},
    "as a list": [LOCAL],
    "as no JSON": f'{{"act": {LOCAL}'.encode(),
    "beside a key that stands twice": f'{{"act": "{LOCAL}", "act": "x"}}'.encode(),
    "with a control": {**HALT, "because": f"\x1b{LOCAL}"},
    "as VMs of a halt": {**HALT, "vms": [LOCAL]},
}


def _bodies() -> Iterator[Way]:
    for name, body in _BODIES.items():

        async def walk(here: Here, body: object = body) -> None:
            stream = _log()
            async with Bench().served(token=LOCAL, observer=Log(HandClock())) as visitor:
                reply = await visitor.post(body, token=LOCAL)
            assert reply.status == 400
            _kept(here, stream, reply)

        yield Way(f"door · the token {name}", walk)


def _knocking() -> Iterator[Way]:
    """The command line knocks, and somebody else has the port."""
    for status in (200, 201, 202, 307, 400, 401, 403, 409, 500, 503):
        for form in ("error", "code", "detail", "nested", "page", "redirect", "headers"):

            async def walk(here: Here, status: int = status, form: str = form) -> None:
                here.patch.setattr(Parrot, "status", status)
                here.patch.setattr(Parrot, "form", form)
                with listening(Parrot) as port:
                    said = await client.send(f"http://127.0.0.1:{port}", LOCAL, dict(HALT))
                here.keep(said)

            yield Way(f"knocking · {status} {form}", walk)


def ways() -> Iterator[Way]:
    """Return every way through the door."""
    yield from _broken()
    yield from _probed()
    yield from _misused()
    yield from _bodies()
    yield from _knocking()
