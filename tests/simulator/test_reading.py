"""Machines as they are shown: one, its instance view, lists."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Temper
from tests.simulator.kit import SUBSCRIPTION, VERSION, Client, decoded, refusal, vm

LISTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
GROUP = vm().vm_id.removesuffix("/vm-one")


@pytest.mark.parametrize("os", SYSTEMS)
def test_a_machine_has_its_id_place_tags_and_system(os):
    client = Client(vm(os=os))
    found = client.read(client.machine.vm_id)
    assert found["id"] == client.machine.vm_id
    assert (found["name"], found["location"]) == ("vm-one", "westeurope")
    assert found["tags"] == {"ring": "canary"}
    assert found["properties"]["storageProfile"]["osDisk"]["osType"] == os
    assert found["properties"]["osProfile"]["allowExtensionOperations"] is True
    assert "instanceView" not in found["properties"]


def test_a_path_is_the_same_in_any_case():
    client = Client(vm())
    assert client.read(client.machine.vm_id.upper())["name"] == "vm-one"


def test_both_ways_to_the_instance_view_show_the_same():
    client = Client(vm())
    client.run()
    expanded = client.read(client.machine.vm_id, "&$expand=instanceView")
    assert expanded["properties"]["instanceView"] == client.view()


def test_a_fresh_machine_has_power_and_agent_and_no_patch_status():
    view = Client(vm()).view()
    assert "patchStatus" not in view
    assert view["statuses"][0]["code"] == "ProvisioningState/succeeded"
    assert view["statuses"][1] == {
        "code": "PowerState/running",
        "level": "Info",
        "displayStatus": "VM running",
    }
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(seconds=50), timedelta(minutes=20)])
def test_the_view_trails_the_operation_by_its_lag_at_both_ends(lag):
    temper = Temper(takes=timedelta(minutes=30), view_lag=lag)
    client = Client(vm(temper=temper))
    started = client.start()
    began = client.now
    instants = {
        lag - timedelta(seconds=1): None,
        lag: "InProgress",
        timedelta(minutes=30) + lag - timedelta(seconds=1): "InProgress",
        timedelta(minutes=30) + lag: "Succeeded",
    }
    for offset, status in instants.items():
        if offset >= timedelta(0):
            client.now = began + offset
            summary = client.summary()
            assert (summary and summary["status"]) == status
    assert client.summary()["installationActivityId"] == started.id


def test_the_summary_has_counts_and_times_but_neither_patches_nor_reboot():
    client = Client(vm(temper=Temper(patches=4)))
    client.run()
    summary = client.summary()
    assert summary["installedPatchCount"] == 4
    assert summary["startTime"] < summary["lastModifiedTime"]
    assert not {"patches", "rebootStatus"} & summary.keys()


def test_after_a_run_the_view_tells_what_is_left_and_whether_a_reboot_is():
    machine = vm(temper=Temper(patches=24, needs_reboot=True))
    client = Client(machine)
    client.run(rebootSetting="Never")
    left = client.view()["patchStatus"]["availablePatchSummary"]
    assert left["rebootPending"] is True
    assert (left["criticalAndSecurityPatchCount"], left["otherPatchCount"]) == (0, 7)
    client.start()
    client.wait(seconds=30)
    assert "availablePatchSummary" not in client.view()["patchStatus"]


def test_a_second_run_replaces_the_first_in_the_view():
    client = Client(vm())
    first = client.start()
    client.wait(hours=3)
    second = client.start()
    assert client.summary()["installationActivityId"] == first.id
    client.wait(seconds=20)
    assert client.summary()["installationActivityId"] == second.id


def test_a_blind_view_never_tells():
    client = Client(vm(temper="blind_view"))
    client.run()
    assert client.summary() is None


def test_the_speed_shortens_the_lag():
    client = Client(vm(temper="late_view"), speed=1200)
    client.start()
    client.wait(seconds=0.9)
    assert client.summary() is None
    client.wait(seconds=0.1)
    assert client.summary() is not None


def pages(client, url):
    found = []
    while url:
        document = decoded(client.get(url))
        found.append([one["name"] for one in document["value"]])
        url = document.get("nextLink")
    return found


def test_lists_come_by_pages_and_name_each_machine_once():
    machines = [vm(f"vm-{number}") for number in range(7)]
    client = Client(*machines, mood=Mood(page_size=3))
    found = pages(client, f"{LISTS}?api-version={VERSION}")
    assert [len(page) for page in found] == [3, 3, 1]
    assert [name for page in found for name in page] == [one.name for one in machines]


def test_a_next_link_keeps_the_query_and_begins_with_the_base():
    client = Client(*(vm(f"vm-{number}") for number in range(3)), mood=Mood(page_size=2))
    first = client.read(LISTS, "&$expand=instanceView")
    assert first["nextLink"].startswith("https://azure.test/subscriptions/")
    [last] = decoded(client.get(first["nextLink"]))["value"]
    assert last["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/running"


def test_status_only_shows_the_instance_view_too():
    [found] = Client(vm()).read(LISTS, "&statusOnly=true")["value"]
    assert "instanceView" in found["properties"]


def test_a_list_covers_its_subscription_group_or_location_only():
    machines = (
        vm("vm-a"),
        vm("vm-b", group="rg-Other"),
        vm("vm-c", subscription="another"),
        replace(vm("vm-d"), region="northeurope"),
    )
    client = Client(*machines)
    located = LISTS.replace("/virtualMachines", "/locations/NorthEurope/virtualMachines")
    names = {
        url: [one["name"] for one in client.read(url)["value"]] for url in (LISTS, GROUP, located)
    }
    assert names == {LISTS: ["vm-a", "vm-b", "vm-d"], GROUP: ["vm-a", "vm-d"], located: ["vm-d"]}


def test_lists_shout_the_resource_group():
    [found] = Client(vm()).read(LISTS)["value"]
    assert "/resourceGroups/RG-MIXED/" in found["id"]


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        (LISTS.replace(SUBSCRIPTION, "nobody"), 404, "SubscriptionNotFound"),
        (GROUP.replace("rg-Mixed", "rg-none"), 404, "ResourceGroupNotFound"),
        (f"{LISTS}?$skiptoken=!!", 400, "InvalidParameter"),
    ],
)
def test_a_list_of_nothing_known_is_refused(url, status, code):
    joint = "&" if "?" in url else "?"
    answer = Client(vm()).get(f"{url}{joint}api-version={VERSION}")
    assert refusal(answer)[:2] == (status, code)


def test_the_subscriptions_that_have_machines_are_listed():
    found = Client(vm()).read("/subscriptions")["value"]
    assert [(each["subscriptionId"], each["state"]) for each in found] == [
        (SUBSCRIPTION.lower(), "Enabled")
    ]
