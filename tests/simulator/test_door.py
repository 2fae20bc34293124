"""What ARM checks before anything else: token, api-version, route; and our own pages."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest

from orchestrator.simulator.exchange import Request
from orchestrator.simulator.fleetfile import machines_from_json
from tests.simulator.kit import EVENING, VERSION, Client, decoded, refusal, replied, vm


def jwt(**claims):
    payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


def status_with(client, authorization):
    headers = {"authorization": authorization}
    return client.ask("GET", f"{client.machine.vm_id}?api-version={VERSION}", b"", headers)


@pytest.mark.parametrize(
    "authorization", ["Basic abc", "Bearer", "Bearer two words", "Bearer a.%%.b", "Bearer a.b.c"]
)
def test_a_bad_token_is_refused_with_a_challenge(authorization):
    reply = replied(status_with(Client(vm()), authorization))
    assert refusal(reply)[:2] == (401, "InvalidAuthenticationToken")
    assert (reply.header("www-authenticate") or "").startswith("Bearer ")


def test_a_missing_token_is_refused():
    client = Client(vm())
    answer = client.azure.respond(client_request(client.machine.vm_id), client.now)
    assert refusal(answer)[:2] == (401, "AuthenticationFailed")


def client_request(path):
    return Request("GET", f"{path}?api-version={VERSION}", {})


def test_a_wanted_token_is_the_only_one_accepted():
    client = Client(vm(), token="secret-token")
    assert replied(status_with(client, "Bearer other")).status == 401
    assert replied(status_with(client, "bearer secret-token")).status == 200


def test_a_jwt_ends_on_the_worlds_clock():
    client = Client(vm())
    ends = (EVENING + timedelta(hours=1)).timestamp()
    assert replied(status_with(client, f"Bearer {jwt(oid='me', exp=ends)}")).status == 200
    client.wait(hours=1)
    refused = status_with(client, f"Bearer {jwt(oid='me', exp=ends)}")
    assert refusal(refused)[:2] == (401, "ExpiredAuthenticationToken")


def test_a_renewed_jwt_is_the_same_principal():
    client = Client(vm())
    replies = [replied(status_with(client, f"Bearer {jwt(oid='me', n=n)}")) for n in range(2)]
    left = [reply.header("x-ms-ratelimit-remaining-subscription-reads") for reply in replies]
    assert left == ["249", "248"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=latest", "InvalidApiVersionParameter"),
        ("?api-version=2025-4-1", "InvalidApiVersionParameter"),
        ("?api-version=2020-06-01", "NoRegisteredProviderFound"),
    ],
)
def test_an_api_version_is_required_and_checked(query, code):
    client = Client(vm())
    answer = client.ask("POST", f"{client.machine.vm_id}/installPatches{query}", b"{}")
    assert refusal(answer)[:2] == (400, code)
    assert client.installations() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "{vm}/assessPatches"),
        ("POST", "{vm}/start"),
        ("POST", "{vm}/deallocate"),
        ("POST", "{vm}/runCommand"),
        (
            "POST",
            "{sub}/resourceGroups/x/providers/Microsoft.HybridCompute/machines/m/installPatches",
        ),
        ("GET", "{sub}/providers/microsoft.insights/eventtypes/management/values"),
    ],
)
def test_what_is_not_simulated_says_so(method, path):
    client = Client(vm())
    url = path.format(vm=client.machine.vm_id, sub=f"/subscriptions/{client.machine.subscription}")
    status, code, message = refusal(client.ask(method, f"{url}?api-version={VERSION}"))
    assert (status, code) == (501, "NotSimulated")
    assert url in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("DELETE", "{vm}"),
        ("PUT", "{vm}"),
        ("GET", "{vm}/installPatches"),
        ("GET", "/_sim/no"),
    ],
)
def test_what_azure_has_not_is_404(method, path):
    client = Client(vm())
    url = f"{path.format(vm=client.machine.vm_id)}?api-version={VERSION}"
    assert refusal(client.ask(method, url))[:2] == (404, "NotFound")


def test_every_answer_of_azure_carries_its_common_headers():
    client = Client(vm())
    for url in (f"{client.machine.vm_id}?api-version={VERSION}", "/nothing", "/x?api-version=1"):
        names = {name for name, _ in client.get(url).headers}
        assert {
            "cache-control",
            "pragma",
            "expires",
            "date",
            "content-type",
            "strict-transport-security",
            "x-content-type-options",
            "x-cache",
            "x-msedge-ref",
            "x-ms-request-id",
            "x-ms-correlation-request-id",
            "x-ms-routing-request-id",
        } <= names


def test_our_own_pages_need_no_token():
    client = Client(vm(temper="warns"), vm("vm-two", "Windows"))
    client.run()
    ledger, machines = (
        client.azure.respond(client_request(f"/_sim/{page}"), client.now)
        for page in ("ledger", "machines")
    )
    assert decoded(replied(ledger)) == client.ledger()
    assert machines_from_json(replied(machines).body.decode()) == (
        vm(temper="warns"),
        vm("vm-two", "Windows"),
    )
