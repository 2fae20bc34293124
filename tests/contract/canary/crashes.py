"""The engine at work while its doors break, each with an error that holds a secret; and a whole
run against an Azure that repeats what it is told, with the database read afterwards."""

import asyncio
import io
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.exchange import Exchanged, HttpReply, Request
from orchestrator.arm.token import FixedToken
from orchestrator.cli import _failed
from orchestrator.domain.answer import Tracker
from orchestrator.domain.model import AttemptId, PlanSpec, RunId
from orchestrator.domain.record import ActKind, Fact, Move, Receipt
from orchestrator.domain.states import Why
from orchestrator.engine.driver import Driver
from orchestrator.logs import Log, Observers, configure
from orchestrator.metrics import Metrics
from orchestrator.ports import InventoryError, StoreUnavailableError
from orchestrator.service import Opened, Service
from orchestrator.store.opening import open_store
from tests.contract.canary.birds import (
    DSN,
    PASSWORD,
    SIGNATURE,
    SIGNED,
    TOKEN,
    Here,
    Way,
)
from tests.contract.logs.bench import accepted, broken, caught
from tests.kit.clock import HandClock
from tests.kit.memory import MemoryTransport
from tests.kit.rows import EPOCH, RUN
from tests.kit.stage import ENDPOINT, Stage, a_machine, a_ring, staged


def _noted(error: Exception) -> Exception:
    error.add_note(f"Authorization: Bearer {TOKEN}")
    error.add_note(DSN)
    return error


class _Mute(Exception):  # noqa: N818 - it says what it is
    """It holds a secret and cannot show itself."""

    def __str__(self) -> str:
        raise ValueError(f"Bearer {TOKEN}")


ERRORS: Mapping[str, Callable[[], Exception]] = {
    "a bearer": lambda: RuntimeError(f"Authorization: Bearer {TOKEN}"),
    "the token alone": lambda: ValueError(TOKEN),
    "a DSN": lambda: OSError(5, DSN),
    "the password alone": lambda: RuntimeError(f"what is {PASSWORD}?"),
    "a signed URL": lambda: KeyError(SIGNED),
    "a cause": lambda: _caused(RuntimeError("x"), ValueError(f"{DSN} {SIGNED}")),
    "a group": lambda: ExceptionGroup("x", [ValueError(DSN), KeyError(f"Bearer {TOKEN}")]),
    "notes": lambda: _noted(RuntimeError("x")),
    "many arguments": lambda: RuntimeError({"Authorization": f"Bearer {TOKEN}"}, [SIGNED], DSN),
    "the system's words": lambda: FileNotFoundError(2, "no", SIGNED),
    "the database": lambda: StoreUnavailableError(f"The database {DSN} does not answer"),
    "the inventory": lambda: InventoryError(f"Azure said: Authorization: Bearer {TOKEN}"),
    "no words": lambda: _Mute(TOKEN),
}


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = caught(cause)
    return error


def _log() -> io.StringIO:
    """Write the log as `serve` does: it knows the secrets that its configuration names."""
    stream = io.StringIO()
    configure("debug", stream=stream, secrets=[TOKEN, PASSWORD])
    return stream


# ------------------------------------------------------------------------------------- the log


def _moved(text: str) -> list[Move]:
    return [accepted(), broken(text), replace(accepted(), actor=text)]


def _fact(text: str) -> Fact:
    return Fact(at=EPOCH, event="run.noted", actor=text, why=Why(text, text), detail={text: text})


TELLINGS: Mapping[str, Callable[[Observers, Exception], object]] = {
    "moved": lambda o, e: list(map(o.moved, _moved(_text(e)))),
    "noted": lambda o, e: o.noted(RUN, _fact(_text(e))),
    "noted of a run": lambda o, e: o.noted(RunId(_text(e)), _fact("x")),
    "asked": lambda o, e: o.asked(_text(e), _text(e), 1.0),
    "troubled": lambda o, e: o.troubled(_text(e), _text(e)),
    "crashed": lambda o, e: o.crashed(_text(e), caught(e)),
}


def _text(error: Exception) -> str:
    with suppress(ValueError):
        return str(error)
    return f"Bearer {TOKEN}"


class _Broken:
    """An observer that fails at everything, with what it was told to fail with."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., None]:
        def fail(*_told: object) -> None:
            raise self._error

        return fail


def _told() -> Iterator[Way]:
    for telling, tell in TELLINGS.items():
        for name, make in ERRORS.items():

            def walk(
                here: Here,
                tell: Callable[[Observers, Exception], object] = tell,
                make: Callable[[], Exception] = make,
            ) -> None:
                stream, metrics = _log(), Metrics("1")
                broken_one: Any = _Broken(caught(make()))
                tell(Observers(Log(HandClock()), metrics, broken_one), make())
                here.keep(stream.getvalue(), metrics.text())

            yield Way(f"log · {telling} · {name}", walk)


# ------------------------------------------------------------------------------------ the ports


class _Door:
    """A port, one of whose methods fails the first time."""

    def __init__(self, port: object, method: str, error: Exception) -> None:
        self._port, self._method, self._error = port, method, error
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        if name != self._method or self.failed:
            return getattr(self._port, name)

        async def fail(*_given: object, **_named: object) -> None:
            self.failed = True
            raise self._error

        return fail


PORTS: Mapping[str, tuple[str, ...]] = {
    "arm": ("install", "poll", "look", "list_machines"),
    "store": (
        *("open_run_of", "queued_elsewhere", "open_run", "claim", "load", "heed", "record"),
        *("intend", "accept", "receipts", "checkpoint", "release", "ask", "rows"),
    ),
}
_KINDS = ("a bearer", "a signed URL", "a group")


async def _live(stage: Stage) -> None:
    """Open a run, drive it, ask something of it: every call to the outside is made."""
    plan = PlanSpec(name="monthly", waves=(a_ring("one"),))
    opened = await stage.service.open(plan, config_hash="0", opened_by="ann")
    assert isinstance(opened, Opened)
    lease = await stage.doors.store.claim(opened.run_id, "daemon-1", stage.doors.rhythm.lease)
    assert lease is not None
    await stage.ask(opened.run_id, ActKind.PAUSE)
    await stage.ask(opened.run_id, ActKind.RESUME)
    driver = Driver(stage.doors, lease, await stage.doors.store.load(opened.run_id))
    await asyncio.wait_for(stage.go_on(driver, steps=900), 30)
    await stage.doors.store.receipts([])
    await stage.doors.store.release(lease)
    await stage.doors.store.rows("v_runs")


def _broken_ports() -> Iterator[Way]:
    for port, methods in PORTS.items():
        for method in methods:
            for kind in _KINDS:

                async def walk(
                    here: Here, port: str = port, method: str = method, kind: str = kind
                ) -> None:
                    await _break(here, port, method, ERRORS[kind]())

                yield Way(f"{port} · {method} · {kind}", walk)


def _constraints() -> Iterator[Way]:
    """A statement that breaks a rule of the database: its error names the values."""

    async def walk(here: Here) -> None:
        stream = _log()
        tracker = Tracker(status_url=SIGNED, location_url=SIGNED)
        stray = Receipt(attempt=AttemptId("no such"), at=EPOCH, tracker=tracker, activity=None)
        async with open_store(here.database(), clock=HandClock(), durable=False) as store:
            try:
                await store.receive(stray)
            except Exception as broke:  # noqa: BLE001 - the command line tells whatever comes up
                here.patch.setenv("ORCHESTRATOR_DEBUG", "1")
                _failed(broke)
                Log(HandClock()).crashed("receive", broke)
                here.keep(str(broke), broke)
        here.keep(stream.getvalue())
        assert "IntegrityError" in stream.getvalue()

    yield Way("store · receive · a broken constraint", walk)


async def _break(here: Here, port: str, method: str, error: Exception) -> None:
    stream = _log()
    async with staged(here.database(), [a_machine("one-1")]) as stage:
        door: Any = _Door(getattr(stage, port), method, error)
        setattr(stage, port, door)
        doors: Any = {port: door}
        stage.doors = replace(stage.doors, **doors)
        stage.service = Service(
            store=stage.doors.store,
            arm=stage.doors.arm,
            clock=stage.clock,
            new_id=stage.doors.new_id,
        )
        try:
            await _live(stage)
        except Exception as broke:  # noqa: BLE001 - the command line tells whatever comes up
            here.patch.setenv("ORCHESTRATOR_DEBUG", "1")
            _failed(broke)
        log = Log(stage.clock)
        for where, crash in stage.witness.crashes:
            log.crashed(where, crash)
        for where, reason in stage.witness.troubles:
            log.troubled(where, reason)
        here.keep(*map(dict, await stage.store.rows("v_events")))
    assert door.failed, "this method was never called"
    here.keep(stream.getvalue() or "-", *_rows(here))


# ------------------------------------------------------------------------------------- the database


class _Parrot:
    """The simulated Azure behind somebody who signs its URLs and, for some requests, answers with
    what was asked."""

    def __init__(
        self, inner: MemoryTransport, answer: Callable[[Request], HttpReply | None]
    ) -> None:
        self._inner = inner
        self._answer = answer
        self.said = 0

    async def exchange(self, request: Request) -> Exchanged:
        """Answer, or let the simulated Azure answer."""
        if (reply := self._answer(request)) is not None and self.said < 3:
            self.said += 1
            return reply
        plain = replace(request, url=request.url.replace(f"&sig={SIGNATURE}", ""))
        heard = await self._inner.exchange(plain)
        if not isinstance(heard, HttpReply):
            return heard
        signed = {
            name: f"{value}&sig={SIGNATURE}"
            if name in {"azure-asyncoperation", "location"}
            else value
            for name, value in heard.headers.items()
        }
        return replace(heard, headers=signed)


def _words(request: Request) -> str:
    return f"{request.headers['authorization']} said {request.url}, not {SIGNED}"


def _refusing(part: str, status: int) -> Callable[[Request], HttpReply | None]:
    """Answer requests whose URL holds `part` with an error that repeats them."""

    def answer(request: Request) -> HttpReply | None:
        if part not in request.url:
            return None
        said = {"error": {"code": "Bad", "message": _words(request)}}
        headers = {"x-ms-request-id": "8d1ed2fc-9d51-4a24-b9c1-5a3c4e5a6b7c"}
        return HttpReply(status=status, headers=headers, body=json.dumps(said).encode())

    return answer


def _ending(status: str) -> Callable[[Request], HttpReply | None]:
    """End the operation with a result and an error that repeat the request."""

    def answer(request: Request) -> HttpReply | None:
        if "/operations/" not in request.url:
            return None
        error = {"code": "Bad", "message": _words(request)}
        patch = {"patchId": "x", "name": TOKEN, "version": TOKEN, "installationState": "Failed"}
        output = {"status": "Failed", "failedPatchCount": 1, "error": error, "patches": [patch]}
        said = {"status": status, "error": error, "properties": {"output": output}}
        return HttpReply(status=200, body=json.dumps(said).encode())

    return answer


_PARTS = {"submit": "/installPatches", "poll": "/operations/", "look": "instanceView"}
PARROTS: Mapping[str, Callable[[Request], HttpReply | None]] = {
    **{
        f"{name} {status}": _refusing(part, status)
        for name, part in _PARTS.items()
        for status in (400, 401, 403, 404, 409, 429, 500, 503)
    },
    **{f"an end {status}": _ending(status) for status in ("Succeeded", "Failed", "Canceled")},
}


def _runs() -> Iterator[Way]:
    for name, answer in PARROTS.items():

        async def walk(here: Here, answer: Callable[[Request], HttpReply | None] = answer) -> None:
            stream = _log()
            async with staged(here.database(), [a_machine("one-1")]) as stage:
                parrot = _Parrot(MemoryTransport(stage.azure, stage.clock), answer)
                log = Log(stage.clock)
                arm = ArmClient(parrot, FixedToken(TOKEN), custom(ENDPOINT), stage.clock, log)
                stage.doors = replace(stage.doors, arm=arm, observer=log)
                stage.service = Service(
                    store=stage.store, arm=arm, clock=stage.clock, new_id=stage.doors.new_id
                )
                await _live(stage)
                for view in ("v_runs", "v_operations", "v_events", "v_attempts", "v_patches"):
                    here.keep(*map(dict, await stage.store.rows(view)))
            assert parrot.said, "it was never asked"
            here.keep(stream.getvalue(), *_rows(here))

        yield Way(f"run · {name}", walk)


def _rows(here: Here) -> Iterator[bytes]:
    """Yield all that the database holds, unpacked. What a 202 said is a capability, and lies in
    `receipt`; nothing else does, and the token lies nowhere."""
    file = here.folder / "status.db"
    yield file.read_bytes().replace(SIGNATURE.rstrip("s").encode(), b"")
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - our own names
                values = [_unpacked(value) for value in row]
                if table == "receipt":
                    values = [value.replace(SIGNATURE.encode(), b"") for value in values]
                yield from values


def _unpacked(value: object) -> bytes:
    if isinstance(value, bytes):
        with suppress(zlib.error):
            return zlib.decompress(value)
        return value
    return str(value).encode()


def ways() -> Iterator[Way]:
    """Return every way through a crash, and through a run that somebody repeats."""
    yield from _told()
    yield from _broken_ports()
    yield from _constraints()
    yield from _runs()
