"""Schedules as a daemon keeps them, with its own way of opening runs: over an open run, over its
death, over a database that was away, and over new rules of a zone."""

import shutil
import zoneinfo
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.loading import load
from orchestrator.daemon import Daemon, Parts
from orchestrator.metrics import Metrics
from orchestrator.ports import StoreUnavailableError
from orchestrator.service import Service
from tests.kit.dying import CrashError, Dying, Fuse
from tests.kit.over import Over
from tests.kit.stage import Stage, machines, staged
from tests.oracle.zones import compiled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orchestrator.yaml"


def a_daemon(on: Stage, path: Path, store: Any = None, arm: Any = None, **keys: str) -> Daemon:
    """Put a daemon together that keeps one nightly plan; its doors may be others."""
    store, arm = store or on.store, arm or on.arm
    given = {"timezone": "UTC", "overlap": "skip", **keys}
    defaults = ", ".join(f"{key}: {value}" for key, value in given.items())
    path.write_text(
        f"defaults: {{{defaults}}}\n"
        "plans:\n"
        '- {name: nightly, schedule: {cron: "0 2 * * *"}, waves: [{select: {tags: {ring: w}}}]}\n'
    )
    parts = Parts(
        settings=load(path, {}),
        clock=on.clock,
        store=store,
        arm=arm,
        service=Service(store=store, arm=arm, clock=on.clock, new_id=on.doors.new_id),
        observer=on.witness,
        metrics=Metrics(),
        throttle=on.doors.throttle,
        gates=on.gates,
    )
    return Daemon(parts)


def turn_to(on: Stage, day: int, hour: int, minute: int = 0) -> None:
    on.clock.turn_to(datetime(2026, 1, day, hour, minute, 5, tzinfo=UTC))


async def fires(on: Stage) -> list[str]:
    """Return what was written down about fires, oldest first."""
    lines = [str(line["event"]) for line in await on.store.rows("v_events")]
    return [line for line in lines if line.startswith("fire.")]


# ------------------------------------------------------------------------------ an open run


@pytest.mark.parametrize(
    ("overlap", "second", "runs"), [("skip", "fire.skipped", 1), ("queue", "fire.queued", 2)]
)
async def test_a_fire_over_an_open_run_is_skipped_or_waits_as_the_plan_says(
    any_database_url, path, overlap, second, runs
):
    async with staged(any_database_url, machines("w", 2)) as on:
        timetable = a_daemon(on, path, overlap=overlap).timetable
        await timetable.check()
        turn_to(on, 1, 2)
        await timetable.check()
        (first,) = await on.store.open_runs()
        turn_to(on, 2, 2)
        await timetable.check()
        assert [fire for fire in await fires(on) if fire != "fire.opened"] == [second]
        assert await on.store.open_runs() == [first]
        await on.drive(first)
        turn_to(on, 2, 9)
        await timetable.check()
        assert len(await on.store.rows("v_runs")) == runs


# ------------------------------------------------------------------------------ death


async def test_a_daemon_that_dies_anywhere_in_a_fire_leaves_one_run_and_never_two(
    migrated_file, tmp_path, path
):
    """The run, its fire and its key are one transaction; who comes next finds all or nothing."""
    length, survived, left = 0, False, set()
    while not survived:
        file = tmp_path / f"{length}.db"
        shutil.copy(migrated_file, file)
        async with staged(f"sqlite:///{file}", machines("w", 1)) as on:
            await a_daemon(on, path).timetable.check()
            turn_to(on, 1, 2)
            fuse = Fuse(length)
            mortal = a_daemon(on, path, Dying(on.store, fuse), Dying(on.arm, fuse))
            with suppress(CrashError):
                await mortal.timetable.check()
                survived = True
            left.add(len(await on.store.open_runs()))
            turn_to(on, 1, 2, minute=1)
            await a_daemon(on, path).timetable.check()
            assert len(await on.store.open_runs()) == 1, length
            assert await fires(on) == ["fire.opened"], length
        length += 1
    assert left == {0, 1}  # it died before the run was written, and after
    assert length > 15


# ------------------------------------------------------------------------------ the database


@pytest.mark.parametrize(
    "call", ["safe_mode", "see_schedule", "schedule_state", "fired", "freezes", "open_run"]
)
async def test_a_database_that_was_away_at_the_hour_costs_no_fire(sqlite_url, path, call):
    async def away(*_given: object, **_named: object) -> None:
        raise StoreUnavailableError("the database does not answer")

    async with staged(sqlite_url, machines("w", 1)) as on:
        await a_daemon(on, path).timetable.check()
        turn_to(on, 1, 2)
        cut_off = a_daemon(on, path, Over(on.store, **{call: away})).timetable
        for _ in range(3):
            await cut_off.check()
        assert await on.store.open_runs() == []
        assert {why for _, why in on.witness.troubles} == {"the database does not answer"}
        turn_to(on, 1, 2, minute=20)
        await a_daemon(on, path).timetable.check()
        assert len(await on.store.open_runs()) == 1
        assert await fires(on) == ["fire.opened"]


# ------------------------------------------------------------------------------ new rules


@pytest.fixture
def government(tmp_path: Path) -> Iterator[Any]:
    """Decree what the clocks of `Test/Land` show, as a new tzdata would."""
    before = zoneinfo.TZPATH
    (tmp_path / "Test").mkdir()

    def decree(rule: str) -> None:
        (tmp_path / "Test" / "Land").write_bytes(compiled(rule))
        zoneinfo.reset_tzpath(to=[str(tmp_path), *before])
        zoneinfo.ZoneInfo.clear_cache(only_keys=["Test/Land"])

    yield decree
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache(only_keys=["Test/Land"])


async def test_a_zone_s_new_rules_hold_from_the_next_fire_on(sqlite_url, path, government):
    """Decided between plan and fire: 02:00 is what the wall clock shows that night."""
    async with staged(sqlite_url, machines("w", 1)) as on:
        government("AAA-1")  # one hour ahead of UTC
        old = a_daemon(on, path, timezone="Test/Land").timetable
        await old.check()
        assert old.next_fires == {"nightly": datetime(2026, 1, 1, 1, tzinfo=UTC)}
        government("AAA1")  # one hour behind
        new = a_daemon(on, path, timezone="Test/Land").timetable
        turn_to(on, 1, 1)
        await new.check()
        assert await fires(on) == []
        turn_to(on, 1, 3)
        await new.check()
        assert await fires(on) == ["fire.opened"]


async def test_a_zone_s_new_rules_repeat_no_fire_that_was(sqlite_url, path, government):
    """02:00 comes once more the same night, as the clocks are put back by decree."""
    async with staged(sqlite_url, machines("w", 1)) as on:
        government("AAA-1")
        old = a_daemon(on, path, timezone="Test/Land").timetable
        await old.check()
        turn_to(on, 1, 1)
        await old.check()
        assert await fires(on) == ["fire.opened"]
        government("AAA1")
        new = a_daemon(on, path, timezone="Test/Land").timetable
        turn_to(on, 1, 3)
        await new.check()
        assert await fires(on) == ["fire.opened"]
