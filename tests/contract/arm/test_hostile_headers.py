"""Ten thousand header values and more: none makes us fail, none makes us wait too short or too
long (reliability F21)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from orchestrator.arm import headers, views, wire
from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import custom
from orchestrator.arm.exchange import HttpReply, fold
from orchestrator.arm.token import FixedToken
from orchestrator.arm.transport import AiohttpTransport
from orchestrator.domain.answer import Running, Seen, Taken, Throttled, Tracker, Unreadable
from tests.contract.arm import servers
from tests.contract.arm.bench import (
    EVENING,
    OPERATION,
    OPERATIONS,
    PUBLIC,
    STATUS_URL,
    SUBSCRIPTION,
    VM,
    Clock,
    Memory,
    recorded,
)
from tests.contract.arm.hostile_headers import (
    ANY,
    DEFAULT,
    FAMILIES,
    LONG,
    LONGEST,
    SHORTEST,
    Case,
    cases,
)

EVERY = [*FAMILIES, *LONG]
RUNNING = recorded("running.json")
SEEN = recorded("vm_with_view.json")
OPERATION_URL = f"{OPERATIONS}{OPERATION}?api-version=2025-04-01"


def test_there_are_more_than_ten_thousand_values_in_fifty_families():
    assert len(EVERY) >= 50
    assert sum(len(cases(name)) for name in EVERY) >= 10_000
    different = {tuple(case.headers.items()) for name in EVERY for case in cases(name)}
    assert len(different) >= 8_000


def fits(wait: timedelta | None, case: Case) -> bool:
    """Tell whether a wait is the one that was asked for."""
    if wait is None or case.wait is None:
        return wait is None and case.wait is None
    if case.wait == ANY:
        return SHORTEST <= wait.total_seconds() <= LONGEST
    return wait == timedelta(seconds=case.wait)


@pytest.mark.parametrize("name", EVERY)
def test_a_value_is_the_wait_that_it_asks_for_or_the_default(name):
    drawn = cases(name)
    assert [case for case in drawn if not fits(headers.retry_after(case.headers), case)] == []


def answer(case: Case, status: int, body: bytes = b"", **lines: str) -> HttpReply:
    """Make an answer with these headers, as they come off a socket: in any case, folded."""
    given = ((name.title(), value) for name, value in {**case.headers, **lines}.items())
    return HttpReply(status=status, headers=fold(given), body=body)


def waits(case: Case) -> Iterator[timedelta | None]:
    """Yield the wait that each way of reading an answer makes of a case."""
    taken = wire.submitted(answer(case, 202, location=OPERATION_URL), PUBLIC, SUBSCRIPTION)
    assert isinstance(taken, Taken)
    yield taken.retry_after
    for running in (
        wire.polled(answer(case, 202), STATUS_URL),
        wire.polled(answer(case, 200, RUNNING), STATUS_URL),
        wire.located(answer(case, 202)),
    ):
        assert isinstance(running, Running), running
        yield running.retry_after
    for unread in (
        wire.polled(answer(case, 503), STATUS_URL),
        wire.located(answer(case, 500)),
        views.looked(answer(case, 502), VM, EVENING),
    ):
        assert isinstance(unread, Unreadable)
        yield unread.retry_after


def throttles(case: Case) -> Iterator[timedelta]:
    """Yield the wait that each way of reading a 429 makes of a case: there always is one."""
    reply = answer(case, 429)
    for throttled in (
        wire.submitted(reply, PUBLIC, SUBSCRIPTION),
        wire.polled(reply, STATUS_URL),
        wire.located(reply),
        views.looked(reply, VM, EVENING),
    ):
        assert isinstance(throttled, Throttled)
        yield throttled.retry_after


@pytest.mark.parametrize("name", EVERY)
def test_every_answer_of_azure_is_read_the_same_way(name):
    for case in cases(name):
        assert all(fits(wait, case) for wait in waits(case)), case
        always = case if case.wait is not None else Case(case.headers, DEFAULT)
        assert all(fits(wait, always) for wait in throttles(case)), case


@pytest.mark.parametrize("name", EVERY)
def test_no_clock_of_azures_takes_us_further_than_a_day(name):
    for case in cases(name):
        seen = views.looked(answer(case, 200, SEEN), VM, EVENING)
        assert isinstance(seen, Seen)
        assert abs(seen.skew) <= headers.CLOCK_RANGE


@pytest.mark.parametrize("name", EVERY)
async def test_a_value_that_comes_off_a_socket_makes_no_other_wait(name):
    case = cases(name)[0]
    lines = [f"{key}: {value}" for key, value in case.headers.items()]
    said = "".join(f"{line}\r\n" for line in ["HTTP/1.1 429 X", *lines, "Content-Length: 0", ""])

    async with (
        servers.listening(servers.saying(said.encode("utf-8", "surrogatepass"))) as azure,
        AiohttpTransport(Clock().monotonic) as transport,
    ):
        arm = ArmClient(transport, FixedToken("a-token"), custom(azure.url), Clock(), Memory())
        path = STATUS_URL.partition(".com")[2]
        heard = await arm.poll(Tracker(status_url=azure.url + path))
    assert isinstance(heard, Throttled | Unreadable), heard
    assert heard.retry_after is None or SHORTEST <= heard.retry_after.total_seconds() <= LONGEST
