"""Answers lost, late or wrong: of the POST and of the polls."""

import pytest

from orchestrator.simulator.exchange import HangUp, Reply
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.submitting import SILENCE
from orchestrator.simulator.tempers import PollFault, PostFault, Temper
from tests.simulator.kit import Client, is_cut, refusal, replied, vm

TWINS = [
    ("swallowed_request", "swallowed_reply"),
    ("refused_500", "accepted_then_500"),
    ("refused_503", "accepted_then_503"),
    ("refused_504", "accepted_then_504"),
    ("proxy_page", "accepted_then_proxy_page"),
    ("silence", "accepted_in_silence"),
]


@pytest.mark.parametrize(("not_taken", "taken"), TWINS)
def test_a_lost_answer_looks_the_same_whether_or_not_it_started(not_taken, taken):
    extra = {"accepted_then_proxy_page": Temper(posts=(PostFault.TAKEN_PROXY_PAGE,))}
    clients = [Client(vm(temper={**TEMPERS, **extra}[name])) for name in (not_taken, taken)]
    answers = [client.post() for client in clients]

    def shape(answer):
        if isinstance(answer, HangUp):
            return answer
        # what remains in the provider's buckets would give it away; a gateway does not know it
        return answer.status, answer.body, sorted(name for name, _ in answer.headers)

    assert shape(answers[0]) == shape(answers[1])
    assert [len(client.installations()) for client in clients] == [0, 1]
    assert clients[1].installations()[0]["answered"] is False
    assert all(client.ledger()["posts"] == {client.machine.key: 1} for client in clients)


def test_a_silent_answer_outlasts_any_client():
    answer = Client(vm(temper="silence")).post()
    assert answer == HangUp(delay=SILENCE)
    assert SILENCE > 60


def test_after_a_lost_answer_the_view_tells_which_run_it_was():
    client = Client(vm(temper="swallowed_reply"))
    assert is_cut(client.post(headers={"x-ms-client-request-id": "mine"}))
    assert client.summary() is None
    client.wait(seconds=21)
    [started] = client.installations()
    assert client.summary()["installationActivityId"] == started["activity_id"]
    assert started["client_request_id"] == "mine"
    assert refusal(client.post())[0] == 409


def test_an_acceptance_can_come_without_urls_or_with_foreign_ones():
    bare = replied(Client(vm(temper="accepted_without_url")).post())
    assert (bare.status, bare.header("location"), bare.header("azure-asyncoperation")) == (
        202,
        None,
        None,
    )
    foreign = replied(Client(vm(temper="accepted_elsewhere")).post())
    assert (foreign.header("azure-asyncoperation") or "").startswith(
        "http://management.example.invalid/"
    )


@pytest.mark.parametrize(
    ("temper", "status", "code"),
    [
        ("throttled", 429, "OperationNotAllowed"),
        ("expired_token", 401, "ExpiredAuthenticationToken"),
        ("claims_challenge", 401, "InvalidAuthenticationToken"),
    ],
)
def test_a_start_refused_once_starts_nothing_and_passes_the_second_time(temper, status, code):
    client = Client(vm(temper=temper))
    assert refusal(client.post())[:2] == (status, code)
    assert client.installations() == []
    assert replied(client.post()).status == 202


@pytest.mark.parametrize(
    ("temper", "status", "code"),
    [("denied", 403, "AuthorizationFailed"), ("locked", 409, "ScopeLocked")],
)
def test_a_forbidden_start_stays_forbidden(temper, status, code):
    client = Client(vm(temper=temper))
    assert {refusal(client.post())[:2] for _ in range(3)} == {(status, code)}
    assert client.installations() == []


def test_azures_own_run_can_come_first():
    client = Client(vm(temper="platform_first"))
    assert refusal(client.post())[:2] == (409, "OperationNotAllowed")
    assert [one["started_by"] for one in client.installations()] == ["Platform"]
    client.wait(minutes=1)
    assert client.summary()["status"] == "InProgress"


def test_a_claims_challenge_says_which_claims():
    header = replied(Client(vm(temper="claims_challenge")).post()).header("www-authenticate") or ""
    assert 'error="insufficient_claims"' in header
    assert 'claims="' in header


def test_no_trouble_with_polls_ends_the_operation():
    client = Client(vm(temper="flaky_polls"))
    started = client.start()
    kinds = set()
    for _ in TEMPERS["flaky_polls"].polls:
        answer = client.ask("GET", started.url)
        kinds.add(
            (answer.status, answer.header("content-type")) if isinstance(answer, Reply) else "cut"
        )
        client.wait(seconds=10)
    json_type = "application/json; charset=utf-8"
    errors = {(status, json_type) for status in (401, 403, 404, 429, 500, 502, 503, 504)}
    good = {(200, json_type), (200, "text/html"), (200, "text/plain"), (200, None)}
    assert kinds == errors | good | {"cut"}
    client.wait(hours=3)
    assert started.status()["status"] == "Succeeded"


def test_polls_can_be_forbidden_while_the_view_is_not():
    client = Client(vm(temper="forbidden_polls"))
    started = client.start()
    status, code, message = refusal(client.get(started.url))
    assert (status, code) == (403, "AuthorizationFailed")
    assert "'Microsoft.Compute/locations/operations/read'" in message
    assert f"'/subscriptions/{client.machine.subscription}'" in message
    client.wait(hours=3)
    assert client.summary()["status"] == "Succeeded"


def test_a_forgotten_operation_is_404_while_the_view_still_knows():
    client = Client(vm(temper="forgotten"))
    started = client.start()
    assert started.status()["status"] == "InProgress"
    client.wait(hours=3)
    assert refusal(client.get(started.url))[0] == 404
    assert client.summary()["installationActivityId"] == started.id


def test_a_status_can_have_a_word_that_is_no_end():
    client = Client(vm(temper=Temper(polls=(PollFault.ODD_WORD,))))
    started = client.start()
    assert started.status()["status"] == "Updating"
    assert started.status()["status"] == "InProgress"
