"""Listing VMs and subscriptions, page by page (azure-facts 1.7)."""

import json

import pytest

from orchestrator.arm import inventory
from orchestrator.ports import InventoryError
from tests.contract.arm.bench import (
    LOST,
    OPERATION,
    SUBSCRIPTION,
    UNCONNECTED,
    VM,
    Bench,
    recorded,
    reply,
)

HOST = "https://management.azure.com"
LIST = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
NEXT = f"{HOST}{LIST}?api-version=2025-04-01&$skiptoken="


def vms(*names, following=None):
    entries = [{"id": VM.replace("vm-1", name), "name": name} for name in names]
    return reply(200, json.dumps({"value": entries, "nextLink": following}))


async def machines(bench, group=None):
    return await bench.client.list_machines(SUBSCRIPTION, group)


async def test_all_pages_of_a_subscription_are_read_in_order():
    bench = Bench(vms("a", "b", following=NEXT + "1"), vms("c", following=NEXT + "2"), vms("d"))
    assert [machine.name for machine in await machines(bench)] == ["a", "b", "c", "d"]
    assert [request.url for request in bench.transport.asked] == [
        f"{HOST}{LIST}?api-version=2025-04-01",
        NEXT + "1",
        NEXT + "2",
    ]
    assert bench.observer.answered == [("list", "200")] * 3
    assert bench.transport.asked[0].limit == 32 << 20


async def test_a_resource_group_is_listed_by_its_own_path():
    bench = Bench(vms("a"))
    await machines(bench, "rg (ö)")
    assert bench.transport.asked[0].url == (
        f"{HOST}/subscriptions/{SUBSCRIPTION}/resourceGroups/rg%20(%C3%B6)"
        "/providers/Microsoft.Compute/virtualMachines?api-version=2025-04-01"
    )


async def test_a_recorded_page_is_read():
    bench = Bench(reply(200, recorded("vm_list.json")), vms())
    found = await machines(bench)
    assert [(m.name, m.region, m.os) for m in found] == [
        ("vm-1", "westeurope", "Windows"),
        ("VM-2", "westeurope", "Linux"),
    ]


async def test_a_vm_on_two_pages_is_one_vm():
    bench = Bench(vms("a", "b", following=NEXT + "1"), vms("b", "c"))
    assert [machine.name for machine in await machines(bench)] == ["a", "b", "c"]


async def test_an_entry_that_is_no_vm_is_left_out_and_told():
    body = json.dumps({"value": [{"id": "/nonsense"}, {"id": VM}, 7]})
    bench = Bench(reply(200, body))
    assert [machine.vm_id for machine in await machines(bench)] == [VM]
    ((where, reason),) = bench.observer.troubles
    assert where == "inventory"
    assert SUBSCRIPTION in reason


@pytest.mark.parametrize(
    "heard",
    [
        LOST,
        UNCONNECTED,
        reply(500),
        reply(503),
        reply(408),
        reply(401),
        reply(429, retry_after="9"),
    ],
)
async def test_a_page_that_could_not_be_had_is_asked_for_again(heard):
    bench = Bench(heard, heard, vms("a"))
    assert [machine.name for machine in await machines(bench)] == ["a"]
    assert len({request.url for request in bench.transport.asked}) == 1
    asked_to = getattr(heard, "headers", {}).get("retry-after")
    assert bench.clock.slept == ([9, 9] if asked_to else [1, 2])


async def test_a_page_is_not_asked_for_without_end():
    bench = Bench(*[reply(503)] * 5)
    with pytest.raises(InventoryError) as told:
        await machines(bench)
    assert str(told.value) == (
        f"Azure did not list the virtual machines of subscription {SUBSCRIPTION}: "
        "Azure answered 503"
    )


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (
            reply(403, '{"error": {"code": "AuthorizationFailed", "message": "No."}}'),
            "Azure answered 403 AuthorizationFailed: No. (the identity needs to read there)",
        ),
        (reply(404, recorded("error_404_gateway.json")), "Azure answered 404 ResourceNotFound"),
        (reply(200, b"<html>"), "its answer is no list"),
        (reply(200, b'{"value": 7}'), "its answer is no list"),
        (reply(307), "Azure answered 307"),
    ],
)
async def test_a_refusal_is_told_at_once(heard, said):
    bench = Bench(heard)
    with pytest.raises(InventoryError) as told:
        await machines(bench, "rg-web")
    assert f"resource group rg-web: {said}" in str(told.value)
    assert len(bench.transport.asked) == 1


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example" + LIST,
        NEXT.replace("https", "http"),
        NEXT.replace(SUBSCRIPTION, OPERATION),
        LIST,
        f"{HOST}/subscriptions?api-version=2022-12-01",
    ],
)
async def test_a_next_page_that_may_not_be_asked_ends_the_list_with_an_error(following):
    bench = Bench(vms("a", following=following))
    with pytest.raises(InventoryError):
        await machines(bench)
    assert len(bench.transport.asked) == 1
    assert [where for where, _ in bench.observer.troubles] == ["arm"]
    assert bench.clock.slept == []


async def test_a_list_that_goes_in_a_circle_ends():
    bench = Bench(vms("a", following=NEXT + "1"), vms("b", following=NEXT + "1"))
    with pytest.raises(InventoryError, match="does not end: 2 pages"):
        await machines(bench)


async def test_a_list_has_a_last_page(monkeypatch):
    monkeypatch.setattr(inventory, "MOST_PAGES", 3)
    bench = Bench(*[vms("a", following=f"{NEXT}{number}") for number in range(4)])
    with pytest.raises(InventoryError, match="does not end: 3 pages"):
        await machines(bench)


@pytest.mark.parametrize("group", ["..", "a/b", "a?b=c", "a%2fb"])
async def test_a_group_that_is_another_path_is_not_asked(group):
    bench = Bench()
    with pytest.raises(InventoryError):
        await machines(bench, group)
    assert bench.transport.asked == []


async def test_subscriptions_are_listed_sorted_without_the_dead():
    first = {
        "value": [
            {"subscriptionId": OPERATION.upper(), "state": "Enabled"},
            {"subscriptionId": "dead", "state": "Disabled"},
        ],
        "nextLink": f"{HOST}/subscriptions?api-version=2022-12-01&%24skiptoken=x",
    }
    second = {"value": [{"subscriptionId": SUBSCRIPTION, "state": "Warned"}]}
    bench = Bench(reply(200, json.dumps(first)), reply(200, json.dumps(second)))
    assert await bench.client.list_subscriptions() == [SUBSCRIPTION, OPERATION]
    assert bench.transport.asked[0].url == f"{HOST}/subscriptions?api-version=2022-12-01"


async def test_subscriptions_that_could_not_be_listed_are_an_error():
    with pytest.raises(InventoryError, match="did not list the subscriptions: Azure answered 403"):
        await Bench(reply(403)).client.list_subscriptions()
