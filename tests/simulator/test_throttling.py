"""Which requests cost what, and how a 429 looks."""

import json

import pytest

from orchestrator.simulator.limits import Limit, Limits, Policy
from orchestrator.simulator.moods import Mood
from tests.simulator.kit import VERSION, Client, an_order, decoded, refusal, replied, vm

REMAINING = "x-ms-ratelimit-remaining-resource"


def left(reply, policy):
    pairs = (pair.split(";") for pair in (reply.header(REMAINING) or "").split(","))
    return {name.removeprefix("Microsoft.Compute/"): int(value) for name, value in pairs}[policy]


def throttled_error(reply):
    """Return the error of a 429 in either of its shapes."""
    document = json.loads(reply.body)
    return document.get("error", document)


def test_a_machine_takes_six_requests_at_once_and_two_a_minute():
    client = Client(vm())
    client.start()
    statuses = [replied(client.post()).status for _ in range(6)]
    assert statuses == [409] * 5 + [429]
    refused = replied(client.post())
    assert refused.header("retry-after") == "60"
    assert throttled_error(refused)["details"][0]["target"] == "VMGuestPatchOperationResource"
    client.wait(seconds=60)
    assert [replied(client.post()).status for _ in range(3)] == [409, 409, 429]


def test_a_refused_body_costs_a_token():
    client = Client(vm(os="Windows"))
    bad = an_order("Windows", windowsParameters={"kbNumbersToInclude": ["1111"]})
    reply = replied(client.post(order=bad))
    assert reply.status == 400
    assert left(reply, "VMGuestPatchOperationResource") == 5
    assert left(reply, "VMGuestPatchOperationSubscriptionMaximum") == 599


def test_the_subscriptions_bucket_holds_per_region():
    small = Limits(patching=Policy("VMGuestPatchOperation", subscription=Limit(2, 1)))
    machines = [vm(f"vm-{number}") for number in range(3)]
    client = Client(*machines, mood=Mood(limits=small))
    statuses = [replied(client.post(machine)).status for machine in machines]
    assert statuses == [202, 202, 429]
    assert len(client.installations()) == 2


def test_each_operation_has_a_bucket_of_its_own():
    client = Client(vm(), vm("vm-two"))
    one, two = client.start(), client.start(vm("vm-two"))
    assert [left(one.poll(), "GetOperationResource") for _ in range(2)] == [44, 43]
    assert left(two.poll(), "GetOperationResource") == 44
    assert left(client.get(two.location), "GetOperationSubscriptionMaximum") == 14_996
    statuses = [one.poll().status for _ in range(44)]
    assert statuses[-2:] == [200, 429]


@pytest.mark.parametrize(
    ("path", "policy", "remaining"),
    [
        ("{vm}", "LowCostGetResource", 35),
        ("{vm}/instanceView", "LowCostGetResource", 35),
        ("{vm}", "LowCostGetSubscriptionMaximum", 23_999),
        ("{list}", "HighCostGetSubscriptionMaximum", 899),
    ],
)
def test_reads_pay_from_their_own_buckets(path, policy, remaining):
    client = Client(vm())
    lists = (
        f"/subscriptions/{client.machine.subscription}/providers/Microsoft.Compute/virtualMachines"
    )
    reply = client.get(path.format(vm=client.machine.vm_id, list=lists) + f"?api-version={VERSION}")
    assert left(reply, policy) == remaining
    assert reply.header("x-ms-ratelimit-remaining-subscription-reads") == "249"
    assert reply.header("x-ms-ratelimit-remaining-subscription-global-reads") == "3749"


def test_reads_are_refused_when_their_bucket_is_empty():
    tiny = Limits(
        cheap_reads=Policy("LowCostGet", Limit(1, 1)),
        costly_reads=Policy("HighCostGet", Limit(1, 1)),
    )
    client = Client(vm(), mood=Mood(limits=tiny))
    group = client.machine.vm_id.removesuffix("/vm-one")
    for path in (client.machine.vm_id, group):
        statuses = [client.get(f"{path}?api-version={VERSION}").status for _ in range(2)]
        assert statuses == [200, 429]


def test_the_front_door_counts_each_principal_and_all_of_them():
    narrow = Limits(arm_writes=Limit(2, 1, every=1), principals=2)
    machines = [vm(f"vm-{number}") for number in range(8)]
    client = Client(*machines, mood=Mood(limits=narrow))

    def statuses(token, some):
        client.token = token
        return [replied(client.post(machine)).status for machine in some]

    assert statuses("one", machines[:3]) == [202, 202, 429]
    assert statuses("two", machines[3:5]) == [202, 202]
    assert statuses("three", machines[5:6]) == [429]  # 2 x 2 for all of them together
    client.wait(seconds=1)
    assert statuses("three", machines[5:6]) == [202]


def test_the_front_doors_429_has_its_own_words_and_costs_compute_nothing():
    client = Client(vm(), mood=Mood(limits=Limits(arm_writes=Limit(1, 1, every=6))))
    client.start()
    reply = replied(client.post())
    status, code, message = refusal(reply)
    assert (status, code) == (429, "SubscriptionRequestsThrottled")
    assert (
        "operation 'POST/SUBSCRIPTIONS/RESOURCEGROUPS/PROVIDERS/MICROSOFT.COMPUTE/"
        "VIRTUALMACHINES/INSTALLPATCHES' exceeded the backend storage limit. "
        "Please try again after '6' seconds."
    ) in message
    assert reply.header("retry-after") == "6"
    assert reply.header(REMAINING) is None


def test_computes_429_comes_in_both_shapes():
    tiny = Limits(operations=Policy("GetOperation", Limit(9, 9), resource=Limit(1, 1)))
    client = Client(vm(), mood=Mood(limits=tiny))
    started = client.start()
    started.poll()
    documents = [json.loads(started.poll().body) for _ in range(20)]
    wrapped = [document["error"] for document in documents if "error" in document]
    bare = [document for document in documents if "code" in document]
    assert wrapped
    assert bare
    assert len(wrapped) + len(bare) == 20
    assert wrapped[0]["innererror"] == {"internalErrorCode": "TooManyRequestsReceived"}
    for error in wrapped + bare:
        assert error["code"] == "OperationNotAllowed"
        detail = error["details"][0]
        assert (detail["code"], detail["target"]) == ("TooManyRequests", "GetOperationResource")
        assert json.loads(detail["message"])["allowedRequestCount"] == 1


def test_a_throttled_poll_does_not_end_the_operation():
    tiny = Limits(operations=Policy("GetOperation", Limit(9, 9), resource=Limit(1, 1)))
    client = Client(vm(), mood=Mood(limits=tiny))
    started = client.start()
    started.poll()
    assert started.poll().status == 429
    client.wait(hours=3)
    assert started.status()["status"] == "Succeeded"


def test_the_speed_refills_the_buckets_and_shortens_retry_after():
    client = Client(vm(), speed=60)
    for _ in range(6):
        client.post()
    assert replied(client.post()).header("retry-after") == "1"
    client.wait(seconds=1)
    assert replied(client.post()).status != 429


def test_a_request_without_a_token_costs_nothing():
    client = Client(vm())
    for _ in range(300):
        client.ask(
            "GET", f"{client.machine.vm_id}?api-version={VERSION}", b"", {"authorization": ""}
        )
    assert decoded(client.get(f"{client.machine.vm_id}?api-version={VERSION}"))
