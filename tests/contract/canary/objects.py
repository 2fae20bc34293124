"""Objects that hold a secret, shown by whoever shows them: an exception, a log line, a debugger."""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import structlog

from orchestrator.arm import guard, views
from orchestrator.arm.client import ArmClient
from orchestrator.arm.exchange import HttpReply, Request
from orchestrator.arm.token import CachedTokens, FixedToken, Issued
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.config.loading import load
from orchestrator.config.references import Surroundings
from orchestrator.domain.answer import Taken, Tracker
from orchestrator.domain.model import AttemptId
from orchestrator.domain.record import Receipt, Snapshot
from orchestrator.domain.view import RunView
from orchestrator.http.guarding import Guards
from orchestrator.logs import configure
from orchestrator.logs.redaction import Redaction
from orchestrator.store.address import parse
from orchestrator.store.database import Database
from tests.contract.arm.bench import PUBLIC, Clock, Memory, Script
from tests.contract.canary.birds import DSN, LOCAL, MARK, PASSWORD, PROXY, SIGNED, TOKEN, Here, Way
from tests.contract.http.bench import Bench
from tests.contract.logs.bench import caught
from tests.kit.rows import a_snapshot, a_wave

_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_TRACKER = Tracker(status_url=SIGNED, location_url=SIGNED)
_HEADERS = {"authorization": f"Bearer {TOKEN}", "location": SIGNED}
_RECEIPT = Receipt(attempt=AttemptId("a"), at=_NOW, tracker=_TRACKER, activity=None)


def _client(_here: Here) -> object:
    return ArmClient(Script(), FixedToken(TOKEN), PUBLIC, Clock(), Memory())


def _settings(here: Here) -> object:
    file = here.folder / "o.yaml"
    file.write_text(
        'database: "${DSN}"\n'
        'azure: {cloud: {endpoint: "http://127.0.0.1:1"}, credential: {fixed_token: TOKEN}}\n'
        "plans: [{name: m, waves: [{name: a, select: {tags: {r: x}}}]}]\n"
    )
    return load(file, {"DSN": DSN, "TOKEN": TOKEN})


async def _issue() -> Issued:
    return Issued(value=TOKEN, expires_at=_NOW + timedelta(days=999))


def _snapshot(_here: Here) -> Snapshot:
    fresh = a_snapshot((a_wave(), 1))
    return Snapshot(
        run=fresh.run,
        waves=fresh.waves,
        operations=fresh.operations,
        watches={},
        receipts={_RECEIPT.attempt: _RECEIPT},
    )


OBJECTS: Mapping[str, Callable[[Here], object]] = {
    "a request": lambda _: Request(method="GET", url=SIGNED, headers=_HEADERS),
    "an answer": lambda _: HttpReply(status=202, headers=_HEADERS, body=TOKEN.encode()),
    "what the guard allowed": lambda _: guard.Allowed(SIGNED),
    "a page": lambda _: views.Page(entries=(), next_url=SIGNED),
    "a tracker": lambda _: _TRACKER,
    "an acceptance": lambda _: Taken(tracker=_TRACKER, activity=None),
    "a receipt": lambda _: _RECEIPT,
    "a snapshot": _snapshot,
    "a view": lambda here: RunView(_snapshot(here)),
    "an issued token": lambda _: Issued(value=TOKEN, expires_at=_NOW),
    "a fixed token": lambda _: FixedToken(TOKEN),
    "a token's cache": lambda _: CachedTokens(_issue, Clock()),
    "a client": _client,
    "a transport": lambda _: AiohttpTransport(float, proxy=f"http://kim:{PROXY}@127.0.0.1:1"),
    "a door": lambda _: Bench().door(token=LOCAL),
    "a door's guards": lambda _: Guards(Bench().door(token=LOCAL), "127.0.0.1"),
    "settings": _settings,
    "surroundings": lambda here: Surroundings(here.folder, {"DSN": DSN, "T": TOKEN}),
    "an address": lambda _: parse(DSN),
    "an address with a query": lambda _: parse(f"postgresql://h/f?password={MARK}"),
    "a database": lambda _: Database(parse("sqlite:///x.db")),
    "a redaction": lambda _: Redaction([PASSWORD, TOKEN, LOCAL]),
}


def _shown(thing: object) -> Iterator[str]:
    """Show a thing in all the ways in which Python shows it."""
    yield repr(thing)
    yield str(thing)
    yield f"{thing!a} {thing!s} {[thing]!r} { ({'x': thing})!r}"
    yield repr(RuntimeError("unexpected", thing))


def ways() -> Iterator[Way]:
    """Return every way through an object that shows itself."""
    for name, make in OBJECTS.items():

        async def show(here: Here, make: Callable[[Here], object] = make) -> None:
            here.keep(*_shown(make(here)))

        async def write(here: Here, make: Callable[[Here], object] = make) -> None:
            """Log it, on its own and inside an exception; no secret is known beforehand."""
            stream = io.StringIO()
            configure("debug", stream=stream)
            log = structlog.stdlib.get_logger("orchestrator")
            thing = make(here)
            log.info("thing.shown", thing=thing, things=[thing], also={"one": thing})
            log.error("thing.broke", exc_info=caught(RuntimeError(thing)))
            here.keep(stream.getvalue())

        yield Way(f"object · {name} · shown", show)
        yield Way(f"object · {name} · written", write)
