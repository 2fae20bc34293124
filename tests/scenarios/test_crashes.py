"""Dying at every door: before and after each call to Azure and to the database, then another
daemon takes over."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from orchestrator.domain.model import Share
from orchestrator.engine.driver import Driver
from orchestrator.simulator.faults import TEMPERS
from tests.kit.dying import CrashError, Dying, Fuse
from tests.kit.stage import Stage, a_machine, a_ring, machines, staged


async def die_and_recover(on: Stage, length: int, **plan) -> tuple[bool, Mapping]:
    """Drive a run with a fuse of this length; when it burns, let another driver finish the run."""
    waves = (a_ring("canary"), a_ring("w", max_parallel=Share(count=2)))
    run_id = await on.open(*waves, **plan)
    fuse = Fuse(length)
    doors = replace(on.doors, store=Dying(on.store, fuse), arm=Dying(on.arm, fuse))
    mortal = await on.take(run_id)
    survived = False
    with suppress(CrashError, BaseExceptionGroup):
        await on.go_on(Driver(doors, mortal.book.lease, await on.store.load(run_id)))
        survived = True
    return survived, await on.drive(run_id)


@pytest.mark.parametrize("part", range(0, 20, 5))
async def test_a_crash_anywhere_patches_every_vm_exactly_once(migrated_file, tmp_path, part):
    fleet = (*machines("canary", 1), *machines("w", 2))
    length, deaths = part, 0
    while True:
        path = tmp_path / f"{length}.db"
        shutil.copy(migrated_file, path)
        async with staged(f"sqlite:///{path}", fleet) as on:
            survived, run = await die_and_recover(on, length)
            if survived:
                break
            deaths += 1
            assert max(on.installed().values(), default=0) <= 1, length
            assert run["status"] in {"passed", "halted"}, length
            lost = [
                row
                for row in (await on.operations(run["run_id"])).values()
                if row["state"] == "needs_human"
            ]
            for (
                row
            ) in lost:  # a request that never left is a person's to tell; it is never sent again
                assert on.installed().get(row["vm_name"].lower(), 0) == 0, length
            settled = run["succeeded"] + run["nothing_to_do"] + run["needs_human"]
            assert settled == 3 or run["status"] == "halted", (length, dict(run))
        path.unlink()
        length += 20
    assert deaths >= 8


async def test_an_accepted_installation_whose_answer_was_never_written_down_is_adopted(
    migrated_file, tmp_path
):
    """The one moment that matters most: Azure has taken it, and nobody here remembers."""
    for length in range(10, 60):
        path = tmp_path / f"{length}.db"
        shutil.copy(migrated_file, path)
        async with staged(f"sqlite:///{path}", (a_machine("canary-00"), a_machine("w-00"))) as on:
            _, run = await die_and_recover(on, length)
            adopted = [
                m
                for m in on.witness.moves
                if m.after.attempt == 1
                and type(m.event).__name__ == "Accepted"
                and not m.event.tracked
            ]
            if adopted:
                assert on.installed()["canary-00"] == 1
                assert run["status"] == "passed"
                return
    pytest.fail("no crash left an accepted installation behind")


async def test_a_failed_budget_survives_a_crash(migrated_file, tmp_path):
    fleet = (a_machine("canary-00", TEMPERS["fails"]), *machines("w", 2))
    for length in range(20, 60, 3):
        path = tmp_path / f"{length}.db"
        shutil.copy(migrated_file, path)
        async with staged(f"sqlite:///{path}", fleet) as on:
            _, run = await die_and_recover(on, length)
            assert run["status"] == "halted", length
            assert set(on.installed()) <= {"canary-00"}, length
