"""What any store owes about leases: one holder, a growing epoch, the database's own clock."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Lease
from tests.contract.store.kit import TTL, a_run

RUN = RunId("run-1")


async def opened(store):
    await store.open_run(a_run(), [], [], [], None)


async def test_a_free_lease_is_taken_with_the_first_epoch(store):
    await opened(store)
    assert await store.claim(RUN, "a", TTL) == Lease(run_id=RUN, holder="a", epoch=1)


async def test_a_held_lease_is_not_taken(store):
    await opened(store)
    await store.claim(RUN, "a", TTL)
    assert await store.claim(RUN, "b", TTL) is None


async def test_its_holder_may_take_it_again_and_the_epoch_grows(store):
    await opened(store)
    first = await store.claim(RUN, "a", TTL)
    assert await store.claim(RUN, "a", TTL) == replace(first, epoch=2)
    assert not await store.renew(first, TTL)


async def test_an_expired_lease_is_taken_and_the_old_holder_can_do_nothing_with_it(store):
    await opened(store)
    old = await store.claim(RUN, "a", timedelta(0))
    new = await store.claim(RUN, "b", TTL)
    assert new == Lease(run_id=RUN, holder="b", epoch=2)
    assert not await store.renew(old, TTL)
    await store.release(old)
    assert await store.claim(RUN, "c", TTL) is None


async def test_a_run_that_nobody_drives_is_named_after_the_grace_and_one_that_is_held_never(store):
    await opened(store)
    assert list(await store.undriven(timedelta(0))) == [RUN]
    lease = await store.claim(RUN, "a", TTL)
    assert await store.undriven(timedelta(0)) == {}
    await store.release(lease)
    assert await store.undriven(timedelta(minutes=1)) == {}
    ended = (await store.undriven(timedelta(0)))[RUN]
    assert ended is not None
    assert ended.tzinfo is not None


async def test_of_many_who_claim_one_gets_it(store):
    await opened(store)
    claims = await asyncio.gather(*(store.claim(RUN, f"d-{n}", TTL) for n in range(10)))
    assert len([lease for lease in claims if lease is not None]) == 1


async def test_a_renewed_lease_does_not_expire(store):
    await opened(store)
    lease = await store.claim(RUN, "a", timedelta(0))
    assert await store.renew(lease, TTL)
    assert await store.claim(RUN, "b", TTL) is None


async def test_an_expired_lease_that_nobody_took_can_be_renewed(store):
    await opened(store)
    lease = await store.claim(RUN, "a", timedelta(seconds=-30))
    assert await store.renew(lease, TTL)


async def test_a_released_lease_is_free_and_its_epoch_goes_on(store):
    await opened(store)
    lease = await store.claim(RUN, "a", TTL)
    await store.release(lease)
    assert not await store.renew(lease, TTL)
    assert await store.claim(RUN, "b", TTL) == Lease(run_id=RUN, holder="b", epoch=2)


async def test_the_others_are_the_distinct_holders_of_leases_that_have_not_expired(store):
    runs = [RunId(f"run-{n}") for n in range(6)]
    for n, run in enumerate(runs):
        await store.open_run(a_run(run, f"plan-{n}"), [], [], [], None)
    assert (await store.overview("a")).others == 0
    for run, holder in zip(runs, "abbc", strict=False):
        await store.claim(run, holder, TTL)
    await store.claim(runs[4], "expired", timedelta(0))
    await store.release(await store.claim(runs[5], "gone", TTL))
    assert (await store.overview("a")).others == 2
    assert (await store.overview("b")).others == 2
    assert (await store.overview("newcomer")).others == 3


async def test_a_daemon_is_told_of_the_runs_that_nobody_else_holds(store):
    runs = [RunId(f"run-{n}") for n in range(5)]
    for n, run in enumerate(runs):
        await store.open_run(a_run(run, f"plan-{n}"), [], [], [], None)
    await store.claim(runs[0], "a", TTL)
    await store.claim(runs[1], "b", TTL)
    await store.claim(runs[2], "expired", timedelta(0))
    await store.release(await store.claim(runs[3], "gone", TTL))
    assert (await store.overview("a")).free_runs == (runs[0], *runs[2:])
    assert (await store.overview("newcomer")).free_runs == tuple(runs[2:])


async def test_the_expiry_is_the_databases_time_and_the_ttl(store, raw):
    await opened(store)
    await store.claim(RUN, "a", timedelta(days=1000))
    (row,) = await raw("SELECT expires_at FROM lease")
    assert str(row["expires_at"]) > "2029"
