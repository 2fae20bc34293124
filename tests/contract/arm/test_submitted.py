"""What the answer to the one POST means: proof or doubt (design 5.4)."""

from datetime import timedelta

import pytest

from orchestrator.arm import wire
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import (
    Conflicted,
    InDoubt,
    Rejected,
    Taken,
    Throttled,
    Tracker,
    Unauthenticated,
)
from orchestrator.domain.states import Conflict
from tests.contract.arm.bench import (
    LOCATION_URL,
    OPERATION,
    PUBLIC,
    STATUS_URL,
    SUBSCRIPTION,
    recorded,
    reply,
)

BY_ARM = {"x_ms_request_id": OPERATION}
FOREIGN = STATUS_URL.replace("management.azure.com", "management.azure.com.evil.example")


def submitted(answer):
    return wire.submitted(answer, PUBLIC, SUBSCRIPTION)


def arm_error(status, code, message="", **headers):
    body = f'{{"error": {{"code": "{code}", "message": "{message}"}}}}'
    return submitted(reply(status, body, **(BY_ARM | headers)))


def test_a_202_with_both_urls_is_taken_and_named_by_its_request_id():
    answer = reply(202, azure_asyncoperation=STATUS_URL, location=LOCATION_URL, **BY_ARM)
    assert submitted(answer) == Taken(
        tracker=Tracker(status_url=STATUS_URL, location_url=LOCATION_URL),
        activity=OPERATION,
        retry_after=None,
    )


def test_an_operation_url_of_16_kb_is_kept_whole():
    long_url = STATUS_URL.ljust(16_384, "c")
    answer = submitted(reply(202, azure_asyncoperation=long_url))
    assert isinstance(answer, Taken)
    assert answer.tracker.status_url == long_url


def test_a_202_may_say_how_long_to_wait():
    answer = submitted(reply(202, azure_asyncoperation=STATUS_URL, retry_after="10"))
    assert isinstance(answer, Taken)
    assert answer.retry_after == timedelta(seconds=10)


def test_without_a_request_id_the_urls_own_id_names_the_activity():
    answer = submitted(reply(202, location=LOCATION_URL))
    assert answer == Taken(
        tracker=Tracker(status_url="", location_url=LOCATION_URL), activity=OPERATION
    )


@pytest.mark.parametrize("asynchronous", [FOREIGN, "/relative", "", STATUS_URL + " "])
def test_a_bad_status_url_leaves_the_good_location(asynchronous):
    answer = submitted(reply(202, azure_asyncoperation=asynchronous, location=LOCATION_URL))
    assert isinstance(answer, Taken)
    assert answer.tracker == Tracker(status_url="", location_url=LOCATION_URL)


def test_a_bad_location_leaves_the_good_status_url():
    answer = submitted(reply(202, azure_asyncoperation=STATUS_URL, location=FOREIGN))
    assert isinstance(answer, Taken)
    assert answer.tracker == Tracker(status_url=STATUS_URL, location_url="")


@pytest.mark.parametrize(
    "urls",
    [
        {},
        {"azure_asyncoperation": FOREIGN},
        {"azure_asyncoperation": FOREIGN, "location": FOREIGN},
        {"location": "/subscriptions/x"},
        {"location": f"{LOCATION_URL}, {STATUS_URL}"},
        {"azure_asyncoperation": STATUS_URL.replace(SUBSCRIPTION, OPERATION)},
    ],
)
def test_a_202_without_a_usable_url_is_doubt_with_its_request_id(urls):
    answer = submitted(reply(202, **urls, **BY_ARM))
    assert isinstance(answer, InDoubt)
    assert (answer.http_status, answer.activity) == (202, OPERATION)
    assert "sig" not in answer.reason
    assert "t=6386" not in answer.reason


def test_a_429_is_throttled_whatever_its_body():
    answer = submitted(reply(429, recorded("error_429_compute.json"), retry_after="1200"))
    assert isinstance(answer, Throttled)
    assert answer.retry_after == timedelta(minutes=20)
    assert answer.reason.startswith("Azure answered 429 OperationNotAllowed: The server rejected")
    assert submitted(reply(429)) == Throttled(
        retry_after=timedelta(seconds=30), reason="Azure answered 429"
    )


def test_a_401_is_unauthenticated():
    answer = arm_error(401, "ExpiredAuthenticationToken", "The access token expiry is over.")
    assert answer == Unauthenticated(
        reason="Azure answered 401 ExpiredAuthenticationToken: The access token expiry is over."
    )


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (
            "OperationNotAllowed",
            "The operation requires the VM to be running (or set to run).",
            Conflict.NOT_RUNNING,
        ),
        (
            "OperationNotAllowed",
            "Cannot modify extensions in the VM when the VM is not running.",
            Conflict.NOT_RUNNING,
        ),
        (
            "OperationNotAllowed",
            "Operation 'x' is not allowed on y since the VM is either deallocated or marked to be",
            Conflict.NOT_RUNNING,
        ),
        (
            "OperationNotAllowed",
            "Operation 'x' is not allowed on VM 'y' since another operation is in progress.",
            Conflict.BUSY,
        ),
        (
            "OperationNotAllowed",
            "An ongoing operation is changing power state of Virtual Machine y to deallocated.",
            Conflict.BUSY,
        ),
        (
            "Conflict",
            "The request failed due to conflict with a concurrent request.",
            Conflict.BUSY,
        ),
        (
            "OperationNotAllowed",
            "Operation 'x' is not allowed on VM 'y' since the VM is marked for deletion.",
            Conflict.LOCKED,
        ),
        (
            "OperationNotAllowed",
            "Operation 'x' is not allowed on VM 'y' since the VM is generalized.",
            Conflict.LOCKED,
        ),
        ("ScopeLocked", "The scope cannot perform write operation.", Conflict.LOCKED),
        ("ReadOnlyDisabledSubscription", "The subscription is disabled.", Conflict.LOCKED),
        ("MissingSubscriptionRegistration", "Not registered.", Conflict.LOCKED),
        ("Anything", "", Conflict.BUSY),
    ],
)
def test_a_409_says_which_kind_it_is(code, message, kind):
    assert arm_error(409, code, message) == Conflicted(conflict=kind, code=code, message=message)


def test_a_409_that_says_nothing_is_busy():
    answer = submitted(reply(409, "<html>"))
    assert answer == Conflicted(conflict=Conflict.BUSY, code="", message="")


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 410, 412, 413, 415, 422, 451, 499])
def test_a_4xx_of_arms_is_rejected(status):
    assert arm_error(status, "Code", "Why.") == Rejected(
        http_status=status, code="Code", message="Why."
    )


def test_a_recorded_refusal_is_read():
    answer = submitted(reply(400, recorded("error_400_kb.json"), **BY_ARM))
    assert isinstance(answer, Rejected)
    assert answer.code == "InvalidParameter"
    assert answer.message.endswith("It must be a KBID such as KB4512508.")


@pytest.mark.parametrize("status", [400, 403, 404, 407])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"error": {"code": "Forbidden", "message": "by a proxy"}}', {}),
        ("<html>blocked</html>", BY_ARM),
        ("", BY_ARM),
        ("{}", BY_ARM),
        ('{"error": "no"}', BY_ARM),
        ('{"error": {"code": 403}}', BY_ARM),
        ("[]", BY_ARM),
    ],
)
def test_a_4xx_that_does_not_prove_to_be_arms_is_doubt(status, body, headers):
    answer = submitted(reply(status, body, **headers))
    assert isinstance(answer, InDoubt)
    assert answer.http_status == status


@pytest.mark.parametrize(
    "status", [200, 201, 203, 204, 206, 300, 301, 302, 303, 307, 308, 408, 500, 502, 503, 504, 599]
)
def test_everything_else_is_doubt_even_in_arms_own_words(status):
    answer = arm_error(
        status, "ServerTimeout", "Gone.", location=LOCATION_URL, azure_asyncoperation=STATUS_URL
    )
    assert isinstance(answer, InDoubt)
    assert (answer.http_status, answer.activity) == (status, None)  # a gateway's id names nothing
    assert answer.reason == (
        f"Azure answered {status} ServerTimeout: Gone.; it may have taken the request"
    )


def test_a_retry_after_makes_no_503_a_refusal():
    assert isinstance(arm_error(503, "Busy", retry_after="5"), InDoubt)


def test_a_request_id_that_is_no_guid_names_nothing():
    answer = submitted(reply(500, x_ms_request_id="westeurope:1"))
    assert isinstance(answer, InDoubt)
    assert answer.activity is None


def test_a_broken_body_does_not_take_a_202_back():
    headers = {"azure-asyncoperation": STATUS_URL}
    assert isinstance(submitted(HttpReply(status=202, headers=headers, whole=False)), Taken)


def test_a_message_from_outside_is_short_and_holds_no_controls():
    answer = arm_error(400, "Bad", "a\\u001b[2J\\r\\nb\\ud800\\u202ec\\u0000" + "x" * 5000)
    assert isinstance(answer, Rejected)
    assert answer.message.startswith("a [2J b c x")
    assert len(answer.message) == 1000
    assert answer.message.isprintable()
