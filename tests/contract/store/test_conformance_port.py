"""The Store port, method by method, on both databases: what a call answers at first, when it is
repeated, without the lease, after somebody was faster, and while the database is away.

`conformance_calls.py` is the contract; a method that is not in it fails the first test.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from orchestrator.domain.operation import Began, Deferred, Dropped
from orchestrator.domain.record import Change
from orchestrator.domain.states import Wait
from orchestrator.ports import Saved, Store, StoreUnavailableError
from orchestrator.store import schema
from tests.contract.store.conformance_calls import (
    BRAKE,
    CALLS,
    CHANGES,
    GROUPS,
    READS,
    RUN,
    Scene,
    said,
)
from tests.contract.store.kit import (
    LATER,
    NOW,
    TTL,
    WHY,
    a_move,
    a_receipt,
    a_run,
    an_attempt,
    moved,
    opened,
    to_submitting,
)
from tests.contract.store.test_acts import an_act
from tests.contract.store.test_schedules import a_fire

COUNTER: Final = "incarnation"
"""The table that counts every commit."""


# ------------------------------------------------------------------------------------- the scene


@pytest.fixture
async def scene(store) -> Scene:
    lease, (ready, waiting, third) = await opened(store, "vm-1", "vm-2", "vm-3")
    sent = an_attempt()
    await moved(store, lease, third, *to_submitting(sent))
    ready = await moved(store, lease, ready, Began(NOW))
    return Scene(
        store=store,
        lease=lease,
        ready=ready,
        waiting=waiting,
        attempt=an_attempt(),
        sent=sent,
    )


async def another_takes_the_lease(scene: Scene) -> None:
    await scene.store.claim(RUN, "daemon-a", timedelta(0))
    assert await scene.store.claim(RUN, "daemon-b", TTL) is not None


async def somebody_is_faster(scene: Scene, names: Sequence[str]) -> None:
    """Do what the table's calls are about to do, or what makes them late."""
    store = scene.store
    later = Deferred(NOW, Wait.BUSY, WHY, LATER)
    moves = (a_move(scene.ready, later), a_move(scene.waiting, Dropped(NOW, WHY)))
    assert await store.record(scene.lease, Change(moves=moves)) == Saved()
    run = a_run("run-3", "weekly", opened_at=LATER)
    assert await store.open_run(run, [], [], [], None) == Saved()
    await store.receive(replace(a_receipt(scene.sent), at=LATER))
    await store.ask(replace(an_act("a-1"), actor="eve"))
    await store.fire(a_fire())
    await store.see_schedule("monthly", "a rule", LATER, NOW)
    if {"brake", "halt_all"}.intersection(names):  # it would refuse the others
        await store.halt_all(replace(BRAKE, actor="eve"))


@pytest.fixture
def dump(raw):
    """Give a function that reads every table but the one that counts commits."""

    async def read() -> dict[str, list[str]]:
        tables = [each.name for each in schema.metadata.sorted_tables if each.name != COUNTER]
        return {name: sorted(map(str, await raw(f"SELECT * FROM {name}"))) for name in tables}  # noqa: S608 - our own names

    return read


async def asked(names: Sequence[str], scene: Scene) -> Mapping[str, object]:
    """Make these calls, and return what each answered."""
    return {name: said(await CALLS[name].ask(scene)) for name in names}


async def prepared(names: Sequence[str], scene: Scene) -> None:
    for before in (CALLS[name].before for name in names):
        if before is not None:
            await before(scene)


# ------------------------------------------------------------------------------------- the claims


def test_the_table_names_every_method_of_the_port():
    assert set(CALLS) == {name for name in vars(Store) if not name.startswith("_")}
    assert set().union(READS, *CHANGES.values()) <= set(CALLS)


@pytest.fixture(params=list(GROUPS.values()), ids=list(GROUPS))
def names(request) -> Sequence[str]:
    """Give the methods of one group."""
    found: Sequence[str] = request.param
    return found


async def test_a_call_answers_and_its_repeat_changes_nothing(scene, dump, names):
    await prepared(names, scene)
    assert await asked(names, scene) == {name: CALLS[name].first for name in names}
    before = await dump()
    assert await asked(names, scene) == {name: CALLS[name].again for name in names}
    assert (await dump() != before) is any(name in CHANGES["again"] for name in names)


async def test_a_call_without_the_lease_decides_nothing(scene, dump, names):
    await prepared(names, scene)
    await another_takes_the_lease(scene)
    before = await dump()
    assert await asked(names, scene) == {name: CALLS[name].lost for name in names}
    assert (await dump() != before) is any(name in CHANGES["lost"] for name in names)


async def test_a_call_that_comes_late_writes_over_nobody(scene, dump, names):
    await somebody_is_faster(scene, names)
    if any(CALLS[name].before for name in names):
        await prepared(names, scene)
        await asked(names, scene)  # somebody else's, which is the same
    before = await dump()
    assert await asked(names, scene) == {name: CALLS[name].late for name in names}
    assert (await dump() != before) is any(name in CHANGES["late"] for name in names)


# --------------------------------------------------------------------------------- out of reach


@contextmanager
def a_disk_that_gives_errors():
    """Let every statement of this process fail as SQLite does when its disk cannot be read."""

    def fail(*_: Any) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", fail)


@pytest.fixture
def away(request, url):
    """Give what takes the database away while a block runs."""
    if url.startswith("sqlite"):
        return a_disk_that_gives_errors

    server = request.getfixturevalue("postgres_server")

    @contextmanager
    def a_stopped_server():
        server.stop("immediate")
        try:
            yield
        finally:
            server.start()

    return a_stopped_server


async def test_every_method_says_that_the_database_is_away_and_works_once_it_is_back(
    scene, dump, away
):
    before = await dump()
    told = {}
    with away():
        for name, call in CALLS.items():
            with pytest.raises(StoreUnavailableError) as unavailable:
                await call.ask(scene)
            told[name] = str(unavailable.value)
        with pytest.raises(StoreUnavailableError):
            await dump()  # its own connection is to notice too
    assert set(told) == set(CALLS)
    assert not [text for text in told.values() if "\n" in text or not text.endswith(".")]
    assert await dump() == before
    assert await asked(["intend"], scene) == {"intend": "Saved"}
    for call in CALLS.values():
        await call.ask(scene)
