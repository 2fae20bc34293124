"""How Azure's buckets are shared: between runs, between daemons, and with the customer's other
tools, of whom Azure's headers tell."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.pools import AZURE, Call, Left, Place, Pool
from orchestrator.domain.throttle import Throttle
from tests.kit.azure_buckets import AzureBuckets
from tests.kit.rows import EPOCH, SUBSCRIPTION, a_target, minutes

HERE = Place(subscription=SUBSCRIPTION, region="westeurope")
RATES = {Call.SUBMIT: 200 / 60 * 0.8, Call.POLL: 25 * 0.8, Call.TRACE: 1.5 * 0.8}
WARM = EPOCH + minutes(5)
TICK = timedelta(milliseconds=20)


# ------------------------------------------------------------------------------- between runs


class Claimant:
    """A run that wants to send. An eager one asks at every tick, a polite one when it was told to;
    `wants` requests a second are all it has to send."""

    def __init__(self, name: str, *, eager: bool, wants: float = 1e9) -> None:
        self.name = name
        self.sent: list[datetime] = []
        self._eager = eager
        self._wants = wants
        self._again = EPOCH

    def ask(self, throttle: Throttle, call: Call, now: datetime, vms: "count[int]") -> None:
        while self._eager or self._again <= now:
            if len(self.sent) >= (now - EPOCH).total_seconds() * self._wants:
                return
            target = a_target(next(vms) % 3_000)
            until = throttle.take((call,), target, now, claimant=self.name)
            if until is not None:
                self._again = until
                return
            self.sent.append(now)


def contend(call: Call, claimants: list[Claimant], lasting: timedelta) -> dict[str, float]:
    """Let them all want more than there is; returns requests per second, once the burst is over."""
    throttle, now, vms = Throttle(), EPOCH, count()
    while now < WARM + lasting:
        for claimant in claimants:
            claimant.ask(throttle, call, now, vms)
        now += TICK
    seconds = lasting.total_seconds()
    return {one.name: sum(at >= WARM for at in one.sent) / seconds for one in claimants}


@pytest.mark.parametrize("call", RATES)
@pytest.mark.parametrize("eager", [(True, True), (True, False), (False, True), (True,) * 5])
def test_runs_that_want_more_than_there_is_get_the_same(call, eager):
    claimants = [Claimant(f"run-{n}", eager=each) for n, each in enumerate(eager)]
    rates = contend(call, claimants, minutes(5))
    fair = RATES[call] / len(eager)
    assert rates == {one.name: pytest.approx(fair, rel=0.05) for one in claimants}


@settings(max_examples=6, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=5), st.sampled_from([Call.SUBMIT, Call.TRACE]))
def test_nobody_starves_however_eager_the_others_are(eager, call):
    claimants = [Claimant(f"run-{n}", eager=each) for n, each in enumerate(eager)]
    rates = contend(call, claimants, minutes(3))
    assert min(rates.values()) >= 0.93 * RATES[call] / len(eager)
    assert sum(rates.values()) == pytest.approx(RATES[call], rel=0.03)


@pytest.mark.parametrize("call", RATES)
@pytest.mark.parametrize("eager", [True, False])
def test_a_run_that_is_alone_gets_everything(call, eager):
    rates = contend(call, [Claimant("run", eager=eager)], minutes(5))
    assert rates["run"] == pytest.approx(RATES[call], rel=0.03)


@pytest.mark.parametrize("eager", [True, False])
def test_what_a_run_does_not_want_of_its_share_the_others_get(eager):
    modest = Claimant("modest", eager=eager, wants=0.5)
    greedy = [Claimant("greedy", eager=True), Claimant("gross", eager=False)]
    rates = contend(Call.SUBMIT, [modest, *greedy], minutes(10))
    rest = (RATES[Call.SUBMIT] - 0.5) / 2
    assert rates["modest"] == pytest.approx(0.5, rel=0.03)
    assert rates["greedy"] == pytest.approx(rest, rel=0.05)
    assert rates["gross"] == pytest.approx(rest, rel=0.05)


def test_a_run_that_went_away_holds_nobody_up():
    throttle, now, vms, sent = Throttle(), EPOCH, count(), Counter[str]()
    while now < EPOCH + minutes(20):
        for name in ("gone", "here") if now < EPOCH + minutes(10) else ("here",):
            target = a_target(next(vms) % 3_000)
            sent[name] += throttle.take((Call.SUBMIT,), target, now, claimant=name) is None
        if now == EPOCH + minutes(10):
            sent.clear()
        now += TICK
    assert sent["here"] == pytest.approx(600 * RATES[Call.SUBMIT], rel=0.02)


def test_what_was_kept_for_a_run_that_went_away_is_given_out():
    throttle, vms = Throttle(), count()
    for name in ("gone", "here") * 300:
        throttle.take((Call.SUBMIT,), a_target(next(vms)), EPOCH, claimant=name)
    later = EPOCH + minutes(30)
    for vm in (next(vms) for _ in range(152)):
        assert throttle.take((Call.SUBMIT,), a_target(vm), later, claimant="here") is None


def test_who_is_skipped_by_place_is_held_back_all_the_same():
    throttle, now, vms, sent = Throttle(), EPOCH, count(), Counter[str]()
    while now < EPOCH + minutes(10):
        for name in ("asks", "looks first"):
            target = a_target(next(vms) % 3_000)
            if name == "asks" or throttle.blocked(Call.SUBMIT, target, now, name) is None:
                sent[name] += throttle.take((Call.SUBMIT,), target, now, claimant=name) is None
        now += TICK
    assert sent["looks first"] == pytest.approx(sent["asks"], rel=0.1)


# ----------------------------------------------------------------------------- between daemons


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 6), st.sampled_from([Call.SUBMIT, Call.POLL, Call.LOOK]), st.floats(0, 300))
def test_daemons_that_share_the_buckets_never_take_more_than_azure_has(daemons, call, joined_after):
    """One begins alone; the others join and take part at once."""
    throttles, azure, now, vm = [Throttle(reserve=0)], AzureBuckets(), EPOCH, 0
    while now < EPOCH + timedelta(seconds=joined_after + 90):
        if len(throttles) == 1 and now >= EPOCH + timedelta(seconds=joined_after):
            throttles += [Throttle(reserve=0) for _ in range(daemons - 1)]
            for throttle in throttles:
                throttle.divide(daemons, now)
        for throttle in throttles:
            vm += 1
            target = a_target(vm % 4_000)
            while throttle.take((call,), target, now) is None:
                assert not azure.refuses(call, target, now)
                vm += 1
                target = a_target(vm % 4_000)
        now += timedelta(milliseconds=500)


@pytest.mark.parametrize("daemons", [1, 2, 3, 10])
def test_each_daemon_takes_its_part_of_what_comes_in(daemons):
    throttle, now, sent, vm = Throttle(), EPOCH, 0, 0
    throttle.divide(daemons, now)
    while now < WARM + minutes(10):
        vm += 1
        until = throttle.take((Call.SUBMIT,), a_target(vm % 3_000), now)
        sent += until is None and now >= WARM
        now = until or now
    assert sent == pytest.approx(600 * RATES[Call.SUBMIT] / daemons, rel=0.02)


def test_a_daemon_that_is_alone_again_has_it_all_again():
    throttle = Throttle()
    throttle.divide(2, EPOCH)
    throttle.divide(1, EPOCH + minutes(1))
    later = EPOCH + minutes(30)
    sent = sum(throttle.take((Call.SUBMIT,), a_target(vm), later) is None for vm in range(1_000))
    assert sent == 152


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (5, 3)])
def test_a_429_stays_as_long_as_it_was_when_the_shares_change(numbers):
    throttle, target = Throttle(), a_target(1)
    throttle.divide(numbers[0], EPOCH)
    throttle.refused(Call.SUBMIT, target, minutes(5), EPOCH)
    throttle.divide(numbers[1], EPOCH + minutes(1))
    assert throttle.take((Call.SUBMIT,), target, EPOCH + minutes(1)) == EPOCH + minutes(5)
    assert throttle.take((Call.SUBMIT,), target, EPOCH + minutes(5)) is None


# --------------------------------------------------------------------------- with other tools

heard = st.tuples(
    st.just("heard"),
    st.sampled_from([(Pool.PATCHES, 600), (Pool.ARM_WRITES, 200)]),
    st.integers(0, 700),
)
asked = st.tuples(st.just("asked"), st.just((Pool.PATCHES, 0)), st.integers(1, 50))
waited = st.tuples(st.just("waited"), st.just((Pool.PATCHES, 0)), st.integers(0, 100))


@given(st.lists(heard | asked | waited, max_size=40))
def test_headers_only_lower_what_we_believe(steps):
    """A twin that hears nothing is never behind the one that hears."""
    hears, deaf, now, vms = Throttle(), Throttle(), EPOCH, count()
    for what, (pool, _), number in steps:
        if what == "waited":
            now += timedelta(seconds=number)
        elif what == "heard":
            before = dict(hears.tokens(now))
            hears.heard(Call.SUBMIT, HERE, Left(shared=((pool, number),)), now)
            assert all(left <= before[name] for name, left in hears.tokens(now))
        else:
            for vm in (next(vms) for _ in range(number)):
                if hears.take((Call.SUBMIT,), a_target(vm), now) is None:
                    assert deaf.take((Call.SUBMIT,), a_target(vm), now) is None


@pytest.mark.parametrize("call", [Call.SUBMIT, Call.LOOK, Call.POLL])
def test_our_own_use_in_a_header_costs_nothing(call):
    deaf, hears = [sent_with_headers(call, listens=listens) for listens in (False, True)]
    assert hears >= 0.97 * deaf


def sent_with_headers(call: Call, *, listens: bool) -> int:
    throttle, azure, now, sent = Throttle(reserve=0), AzureBuckets(), EPOCH, 0
    pool = {Call.SUBMIT: Pool.PATCHES, Call.LOOK: Pool.CHEAP_READS, Call.POLL: Pool.OPERATIONS}
    for tick in range(6_000):
        now = EPOCH + tick * 10 * TICK / 2
        target = a_target(tick % 4_000)
        while throttle.take((call,), target, now) is None:
            assert not azure.refuses(call, target, now)
            sent += 1
            target = a_target((tick + sent) % 4_000)
            if listens:
                left = Left(shared=((pool[call], azure.left(call, target, now)),))
                throttle.heard(call, HERE, left, now)
    return sent


@pytest.mark.parametrize("reserve", [0.1, 0.2, 0.5])
def test_another_tool_that_takes_no_more_than_the_reserve_is_never_refused(reserve):
    refusals = beside_another_tool(reserve, 200 / 60 * reserve)
    assert refusals == Counter(ours=0, theirs=0)


@pytest.mark.parametrize("theirs", [1.0, 1.5, 2.0])
def test_a_tool_that_takes_more_than_the_reserve_is_made_room_for(theirs):
    refusals = beside_another_tool(0.2, theirs)
    assert refusals == Counter(ours=0, theirs=0)


def beside_another_tool(reserve: float, per_second: float) -> Counter[str]:
    """Start all we may for an hour while somebody else starts so many a second."""
    throttle, azure, now = Throttle(reserve), AzureBuckets(), EPOCH
    refusals, theirs, vms = Counter(ours=0, theirs=0), 0, count()
    while now < EPOCH + minutes(60):
        while theirs < (now - EPOCH).total_seconds() * per_second:
            refusals["theirs"] += azure.refuses(Call.SUBMIT, a_target(10_000 + theirs), now)
            theirs += 1
        target = a_target(next(vms))
        if throttle.take((Call.SUBMIT,), target, now) is None:
            refusals["ours"] += azure.refuses(Call.SUBMIT, target, now)
            left = azure.left(Call.SUBMIT, target, now)
            throttle.heard(Call.SUBMIT, HERE, Left(shared=((Pool.PATCHES, left),)), now)
        now += timedelta(milliseconds=100)
    return refusals


def after_hearing(throttle: Throttle, call: Call, pool: Pool, count: int, place: Place) -> bool:
    """Tell whether a request may go right after that was heard."""
    throttle.heard(call, place, Left(shared=((pool, count),)), EPOCH)
    return throttle.take((call,), a_target(1), EPOCH) is None


@pytest.mark.parametrize(
    ("call", "pool"),
    [
        (Call.SUBMIT, Pool.PATCHES),
        (Call.SUBMIT, Pool.ARM_WRITES),
        (Call.POLL, Pool.OPERATIONS),
        (Call.LOOK, Pool.CHEAP_READS),
        (Call.LOOK, Pool.ARM_READS),
        (Call.TRACE, Pool.QUERIES),
    ],
)
def test_what_is_left_of_the_reserve_is_not_ours(call, pool):
    throttle, whole = Throttle(), int(AZURE.shared[pool].capacity)
    assert throttle.take((call,), a_target(1), EPOCH) is None  # its place is known now
    assert after_hearing(throttle, call, pool, whole - 1, HERE)
    assert not after_hearing(throttle, call, pool, round(0.2 * whole), HERE)


def test_a_bucket_smaller_than_we_believe_is_used_as_far_as_it_goes():
    throttle = Throttle()
    throttle.take((Call.SUBMIT,), a_target(1), EPOCH)
    # A fifth of what was ever heard is left to others: of 11, not of the 600 we believe in.
    assert after_hearing(throttle, Call.SUBMIT, Pool.PATCHES, 10, HERE)


def test_a_header_of_one_region_says_nothing_about_another():
    throttle, north = Throttle(), a_target(2, "northeurope")
    throttle.take((Call.SUBMIT,), a_target(1), EPOCH)
    throttle.take((Call.SUBMIT,), north, EPOCH)
    assert not after_hearing(throttle, Call.SUBMIT, Pool.PATCHES, 0, HERE)
    assert throttle.take((Call.SUBMIT,), north, EPOCH) is None


def test_a_header_about_a_vm_is_about_the_region_where_it_was_asked():
    throttle, north = Throttle(), a_target(2, "northeurope")
    throttle.take((Call.SUBMIT,), a_target(1), EPOCH)
    throttle.take((Call.SUBMIT,), north, EPOCH)
    of_the_vm = Place(subscription=SUBSCRIPTION, vm_id=a_target(1).vm_id)
    assert not after_hearing(throttle, Call.SUBMIT, Pool.PATCHES, 0, of_the_vm)
    assert throttle.take((Call.SUBMIT,), north, EPOCH) is None


@pytest.mark.parametrize(
    "place",
    [
        Place(),
        Place(subscription="another", region="westeurope"),
        Place(subscription=SUBSCRIPTION, region="mars"),
        Place(subscription=SUBSCRIPTION, vm_id="/subscriptions/x/nobody/asked"),
    ],
)
def test_a_header_about_a_place_that_nobody_asked_about_is_passed_over(place):
    throttle = Throttle()
    throttle.take((Call.SUBMIT,), a_target(1), EPOCH)
    assert after_hearing(throttle, Call.SUBMIT, Pool.PATCHES, 0, place)
    assert throttle.remembered == 2


def test_a_429_whose_headers_name_the_empty_bucket_closes_no_other():
    throttle, north = Throttle(), a_target(2, "northeurope")
    throttle.take((Call.SUBMIT,), a_target(1), EPOCH)
    throttle.take((Call.SUBMIT,), north, EPOCH)
    empty = Left(shared=((Pool.ARM_WRITES, 150), (Pool.PATCHES, 0)), empty_for=minutes(2))
    throttle.heard(Call.SUBMIT, HERE, empty, EPOCH)
    told = EPOCH + timedelta(milliseconds=300)
    throttle.refused(Call.SUBMIT, a_target(1), minutes(2), told)
    assert throttle.take((Call.SUBMIT,), a_target(3), told) == EPOCH + minutes(2)
    assert throttle.take((Call.SUBMIT,), north, told) is None  # ARM's bucket is open


def test_a_429_on_the_vms_own_bucket_closes_only_that_vm():
    throttle, vm = Throttle(), a_target(1)
    throttle.take((Call.LOOK,), vm, EPOCH)
    place = Place(subscription=SUBSCRIPTION, vm_id=vm.vm_id)
    empty = Left(of_one=((Pool.CHEAP_READS, 0),), empty_for=minutes(2))
    throttle.heard(Call.LOOK, place, empty, EPOCH)
    throttle.refused(Call.LOOK, vm, minutes(2), EPOCH)
    assert throttle.take((Call.LOOK,), vm, EPOCH) == EPOCH + minutes(2)
    assert throttle.take((Call.LOOK,), a_target(2), EPOCH) is None


def test_queries_wait_until_resource_graph_counts_anew():
    throttle, vm = Throttle(), a_target(1)
    throttle.take((Call.TRACE,), vm, EPOCH)
    quota = Left(shared=((Pool.QUERIES, 0),), empty_for=timedelta(seconds=4))
    throttle.heard(Call.TRACE, Place(), quota, EPOCH)
    until = throttle.take((Call.TRACE,), vm, EPOCH)
    assert until >= EPOCH + timedelta(seconds=4)


def test_lists_draw_from_arms_reads_and_from_a_bucket_of_their_own():
    throttle = Throttle()
    place = Place(subscription=SUBSCRIPTION)
    for _ in range(100):
        throttle.heard(Call.LIST, place, Left(shared=((Pool.ARM_READS, 249),)), EPOCH)
    left = dict(throttle.tokens(EPOCH))
    assert left[f"arm reads/{SUBSCRIPTION}"] == pytest.approx(180 - 100)
    assert left[f"high cost get/{SUBSCRIPTION}"] == pytest.approx(480 - 100)


def test_a_429_of_a_list_holds_reads_when_it_was_arms():
    throttle = Throttle()
    empty = Left(shared=((Pool.ARM_READS, 0),), empty_for=minutes(1))
    throttle.heard(Call.LIST, Place(subscription=SUBSCRIPTION), empty, EPOCH)
    assert throttle.take((Call.POLL,), a_target(1), EPOCH) == EPOCH + minutes(1)
    assert throttle.take((Call.SUBMIT,), a_target(1), EPOCH) is None
