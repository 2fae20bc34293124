"""The client: polls and looks, and what they tell (design 6)."""

import uuid

import pytest

from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import (
    Collapsed,
    Finished,
    Gone,
    Running,
    Seen,
    Throttled,
    Tracker,
    Unreadable,
    Untrackable,
)
from tests.contract.arm.bench import (
    EVIL,
    LOCATION_URL,
    LOST,
    STATUS_URL,
    TRACKER,
    UNCONNECTED,
    VM,
    VM_URL,
    Bench,
    recorded,
    reply,
)

# -------------------------------------------------------------------------------------------- poll


async def test_a_result_in_the_status_answer_needs_no_second_request():
    bench = Bench(reply(200, recorded("succeeded_linux.json")))
    answer = await bench.client.poll(TRACKER)
    assert isinstance(answer, Finished)
    assert answer.report is not None
    assert [request.url for request in bench.transport.asked] == [STATUS_URL]
    (request,) = bench.transport.asked
    assert request.method == "GET"
    assert request.send_by is None
    uuid.UUID(request.headers["x-ms-client-request-id"])


async def test_a_result_elsewhere_is_fetched_once():
    bench = Bench(
        reply(200, recorded("succeeded_bare.json")),
        reply(200, recorded("result_failed_linux.json")),
    )
    answer = await bench.client.poll(TRACKER)
    assert isinstance(answer, Finished)
    assert answer.report is not None
    assert answer.report.result.status == "Failed"
    assert [request.url for request in bench.transport.asked] == [STATUS_URL, LOCATION_URL]
    assert bench.observer.answered == [("poll", "200"), ("poll", "200")]


async def test_a_result_that_is_nowhere_is_a_finish_without_a_report():
    bench = Bench(reply(200, recorded("succeeded_bare.json")))
    answer = await bench.client.poll(Tracker(status_url=STATUS_URL))
    assert answer == Finished(report=None)


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (LOST, Unreadable),
        (reply(503), Unreadable),
        (reply(429), Throttled),
        (reply(404), Untrackable),
        (reply(202), Running),
        (HttpReply(status=200, whole=False), Unreadable),
        (reply(204), Finished),
    ],
)
async def test_a_result_that_could_not_be_read_is_not_lost(second, kind):
    bench = Bench(reply(200, recorded("succeeded_bare.json")), second)
    assert isinstance(await bench.client.poll(TRACKER), kind)


async def test_a_tracker_without_a_status_url_asks_its_location():
    tracker = Tracker(status_url="", location_url=LOCATION_URL)
    bench = Bench(reply(202), reply(200, recorded("result_failed_linux.json")))
    assert await bench.client.poll(tracker) == Running()
    assert isinstance(await bench.client.poll(tracker), Finished)
    assert [request.url for request in bench.transport.asked] == [LOCATION_URL] * 2


@pytest.mark.parametrize(
    "tracker",
    [
        Tracker(status_url=EVIL, location_url=LOCATION_URL),
        Tracker(status_url="", location_url=EVIL),
        Tracker(status_url=""),
    ],
)
async def test_a_url_that_may_not_be_asked_is_untrackable_and_reported(tracker):
    bench = Bench()
    assert isinstance(await bench.client.poll(tracker), Untrackable)
    assert bench.transport.asked == []
    assert len(bench.observer.troubles) == 1


async def test_an_evil_location_is_not_asked_for_the_result():
    bench = Bench(reply(200, recorded("succeeded_bare.json")))
    tracker = Tracker(status_url=STATUS_URL, location_url=EVIL)
    assert isinstance(await bench.client.poll(tracker), Untrackable)
    assert len(bench.transport.asked) == 1


@pytest.mark.parametrize("heard", [LOST, UNCONNECTED])
async def test_a_poll_that_was_not_answered_tells_nothing(heard):
    bench = Bench(heard)
    assert await bench.client.poll(TRACKER) == Unreadable(reason=heard.reason)


async def test_a_failed_operation_is_told_as_it_is():
    bench = Bench(reply(200, recorded("failed.json")))
    assert isinstance(await bench.client.poll(TRACKER), Collapsed)


# -------------------------------------------------------------------------------------------- look


async def test_a_look_is_one_read_with_the_instance_view():
    bench = Bench(reply(200, recorded("vm_with_view.json")))
    answer = await bench.client.look(VM)
    assert isinstance(answer, Seen)
    (request,) = bench.transport.asked
    assert request.url == f"{VM_URL}?$expand=instanceView&api-version=2025-04-01"
    assert bench.observer.answered == [("look", "200")]


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        (LOST, Unreadable),
        (UNCONNECTED, Unreadable),
        (reply(404, recorded("error_404_gateway.json")), Gone),
        (reply(429), Throttled),
        (reply(403), Unreadable),
    ],
)
async def test_a_look_that_fails_says_how(heard, kind):
    assert isinstance(await Bench(heard).client.look(VM), kind)
