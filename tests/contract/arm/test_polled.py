"""What a poll tells: only a terminal word ends an operation (design 6, azure-facts 3)."""

from datetime import timedelta

import pytest

from orchestrator.arm import wire
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import (
    Collapsed,
    Finished,
    Running,
    Throttled,
    Unreadable,
    Untrackable,
)
from tests.contract.arm.bench import OPERATION, STATUS_URL, recorded, reply


def polled(status, body=b"", **headers):
    return wire.polled(reply(status, body, **headers), STATUS_URL)


def located(status, body=b"", **headers):
    return wire.located(reply(status, body, **headers))


def test_an_operation_in_progress_is_running():
    assert polled(200, recorded("running.json")) == Running(retry_after=None)
    assert polled(200, recorded("running.json"), retry_after="50") == Running(
        retry_after=timedelta(seconds=50)
    )


@pytest.mark.parametrize(
    "word", ["InProgress", "Running", "Updating", "Cancelled", "TimedOut", "succeeded.", "Succès"]
)
def test_a_word_that_is_no_end_means_it_still_runs(word):
    assert polled(200, f'{{"status": "{word}"}}') == Running(retry_after=None)


@pytest.mark.parametrize("body", ["{}", '{"status": ""}', '{"status": 7}', '{"status": null}'])
def test_no_word_tells_nothing(body):
    answer = polled(200, body)
    assert answer == Unreadable(reason="Azure's answer has no status", http_status=200)


@pytest.mark.parametrize("word", ["Succeeded", "succeeded", "SUCCEEDED"])
def test_a_success_carries_the_result_that_stands_in_it(word):
    body = recorded("succeeded_windows.json").replace(b'"Succeeded"', f'"{word}"'.encode(), 1)
    answer = polled(200, body)
    assert isinstance(answer, Finished)
    assert answer.report is not None
    assert answer.report.result.status == "Succeeded"
    assert answer.report.raw == body


@pytest.mark.parametrize(
    "body",
    [
        recorded("succeeded_bare.json"),
        b'{"status": "Succeeded", "properties": null}',
        b'{"status": "Succeeded", "properties": {"output": null}}',
        b'{"status": "Succeeded", "properties": {"output": "text"}}',
        b'{"status": "Succeeded", "properties": {"output": {}}}',
    ],
)
def test_a_success_without_its_result_sends_us_to_the_location(body):
    assert polled(200, body) == wire.ResultElsewhere()


def test_a_failed_operation_collapsed_with_azures_error():
    answer = polled(200, recorded("failed.json"))
    assert isinstance(answer, Collapsed)
    assert (answer.status, answer.code) == ("Failed", "VMAgentStatusCommunicationError")
    assert answer.message.startswith("VM 'vm-1' has not reported status")
    assert answer.report is None


@pytest.mark.parametrize("word", ["Canceled", "canceled", "CANCELED"])
def test_a_canceled_operation_collapsed_even_without_an_error(word):
    assert polled(200, f'{{"status": "{word}"}}') == Collapsed(
        status="Canceled", code="", message=""
    )


def test_a_failed_operation_may_still_bring_a_result():
    body = '{"status": "Failed", "properties": {"output": {"status": "Failed"}}, "error": null}'
    answer = polled(200, body)
    assert isinstance(answer, Collapsed)
    assert answer.report is not None
    assert answer.report.result.status == "Failed"


def test_a_detail_speaks_where_the_error_is_silent():
    body = """{"status": "Failed", "error": {"code": "X", "message": null,
               "details": [7, {"code": "Y", "message": "because"}]}}"""
    assert polled(200, body) == Collapsed(status="Failed", code="X", message="because")


def test_an_answer_about_another_operation_tells_nothing():
    other = recorded("succeeded_windows.json").replace(b'7c"\r\n}', b'7d"\r\n}')
    answer = polled(200, other)
    assert answer == Unreadable(reason="Azure answered about another operation", http_status=200)
    assert isinstance(polled(200, other.replace(b'"8d1ed2fc', b'"no-guid')), Finished)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"<html>", b"[]", b"7", b'"Succeeded"', b'{"status": "Succ', b"\xff\xfe"]
)
def test_a_body_that_is_no_object_tells_nothing(body):
    answer = polled(200, body)
    assert isinstance(answer, Unreadable)
    assert answer.reason == "Azure's answer is not a whole JSON object"


def test_a_body_that_broke_off_tells_nothing():
    cut = HttpReply(status=200, body=b"", whole=False)
    assert isinstance(wire.polled(cut, STATUS_URL), Unreadable)
    assert isinstance(wire.located(cut), Unreadable)


@pytest.mark.parametrize("read", [polled, located])
class TestBothUrls:
    """The `Azure-AsyncOperation` URL and the `Location` URL have this in common."""

    def test_202_is_running(self, read):
        assert read(202, retry_after="15") == Running(retry_after=timedelta(seconds=15))

    def test_429_is_throttled(self, read):
        assert read(429, retry_after="9") == Throttled(
            retry_after=timedelta(seconds=9), reason="Azure answered 429"
        )

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_the_url_will_not_tell(self, read, status):
        body = '{"error": {"code": "AuthorizationFailed", "message": "No right."}}'
        assert read(status, body) == Untrackable(
            reason=f"Azure answered {status} AuthorizationFailed: No right.", http_status=status
        )

    @pytest.mark.parametrize("status", [400, 401, 408, 409, 301, 302, 307, 500, 502, 503, 504])
    def test_no_error_of_the_reading_ends_the_operation(self, read, status):
        body = '{"status": "Failed", "error": {"code": "X", "message": "Y"}}'
        answer = read(status, body, retry_after="5")
        assert answer == Unreadable(
            reason=f"Azure answered {status} X: Y",
            http_status=status,
            retry_after=timedelta(seconds=5),
        )


def test_the_location_has_the_bare_result():
    body = recorded("result_failed_linux.json")
    answer = located(200, body)
    assert isinstance(answer, Finished)
    assert answer.report is not None
    assert answer.report.activity == OPERATION
    assert answer.report.raw == body


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b"\r\n"), (204, b"")])
def test_a_location_without_a_body_has_no_result(status, body):
    assert located(status, body) == Finished(report=None)


def test_a_location_with_half_a_body_may_be_asked_again():
    assert isinstance(located(200, b'{"status": "Succ'), Unreadable)
