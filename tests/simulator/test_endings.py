"""How runs end, in all three layers, and what befalls a machine on the way."""

from datetime import timedelta

import pytest

from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.tempers import Ending, Mishap, Temper
from tests.simulator.kit import Client, refusal, vm


@pytest.mark.parametrize("os", SYSTEMS)
def test_a_failure_in_the_body_hides_in_a_succeeded_operation(os):
    document = Client(vm(os=os, temper="fails")).run()
    found = document["properties"]["output"]
    assert document["status"] == "Succeeded"
    assert "error" not in document
    assert (found["status"], found["failedPatchCount"]) == ("Failed", 1)
    assert found["patches"][0]["installationState"] == "Failed"
    assert found["error"]["code"] == ("1" if os == "Linux" else "Failed")
    assert len(found["error"]["details"]) == 1


def test_a_failure_of_the_operation_has_an_error_and_no_result():
    client = Client(vm(temper="operation_fails"))
    started = client.start()
    client.wait(hours=3)
    document = started.status()
    assert list(document) == ["startTime", "endTime", "status", "error", "name"]
    assert document["status"] == "Failed"
    assert document["error"]["code"] == "VMExtensionProvisioningError"
    assert "LinuxPatchExtension" in document["error"]["message"]
    assert refusal(client.get(started.location))[:2] == (409, "VMExtensionProvisioningError")
    assert client.summary()["status"] == "Failed"


def test_an_operation_can_be_canceled():
    document = Client(vm(temper="canceled")).run()
    assert (document["status"], document["error"]["code"]) == ("Canceled", "OperationCanceled")


def test_a_failure_can_be_for_once():
    client = Client(vm(temper="fails_once"))
    assert client.run()["properties"]["output"]["status"] == "Failed"
    again = client.run()["properties"]["output"]
    assert (again["status"], again["installedPatchCount"]) == ("Succeeded", 1)


@pytest.mark.parametrize(
    ("temper", "os", "status", "code"),
    [
        ("warns", "Linux", "CompletedWithWarnings", "UA_ESM_REQUIRED"),
        ("warns", "Windows", "CompletedWithWarnings", "0x8024001E"),
        ("truncated", "Linux", "CompletedWithWarnings", "PACKAGE_LIST_TRUNCATED"),
        ("unknown", "Linux", "Unknown", None),
        ("reboot_fails", "Windows", "Failed", None),
        ("superseded", "Linux", "Failed", "NEWER_OPERATION_SUPERSEDED"),
        ("nothing_to_do", "Windows", "Succeeded", None),
    ],
)
def test_the_body_tells_how_it_went(temper, os, status, code):
    document = Client(vm(os=os, temper=temper)).run()
    found = document["properties"]["output"]
    assert (document["status"], found["status"]) == ("Succeeded", status)
    details = [detail["code"] for detail in found["error"]["details"]]
    assert details == ([] if code is None else [code])


def test_a_truncated_list_is_shorter_than_its_counts_and_ends_in_a_tombstone():
    found = Client(vm(temper="truncated")).run()["properties"]["output"]
    assert found["installedPatchCount"] == 12
    assert len(found["patches"]) == 4
    assert found["patches"][-1]["patchId"] == "Truncated_patch_list_id"


def test_details_are_at_most_five_of_at_most_128_characters():
    temper = Temper(ending=Ending.FAILS, failing_patches=9, patches=9)
    error = Client(vm(temper=temper)).run()["properties"]["output"]["error"]
    assert len(error["details"]) == 5
    assert error["message"].startswith("9 error/s reported. The latest 5 error/s are shared")
    assert all(len(detail["message"]) <= 128 for detail in error["details"])


def test_a_succeeded_operation_can_come_without_a_result():
    document = Client(vm(temper="no_result")).run()
    assert list(document) == ["startTime", "endTime", "status", "name"]


def test_an_overrun_leaves_half_of_the_patches_pending():
    found = Client(vm(temper="overruns")).run()["properties"]["output"]
    assert (found["status"], found["maintenanceWindowExceeded"]) == ("Failed", True)
    assert (found["installedPatchCount"], found["pendingPatchCount"]) == (3, 3)


def test_a_run_that_hangs_never_ends():
    client = Client(vm(temper="hang"))
    started = client.start()
    client.wait(hours=24 * 365)
    assert started.status()["status"] == "InProgress"
    assert client.summary()["status"] == "InProgress"
    assert client.installations()[0]["ends_at"] is None


def test_while_a_machine_reboots_its_agent_is_not_ready_and_the_operation_in_progress():
    client = Client(vm(temper=Temper(needs_reboot=True, takes=timedelta(minutes=40))))
    started = client.start()

    def seen():
        view = client.view()
        agent = view["vmAgent"]["statuses"][0]["displayStatus"]
        return agent, view["statuses"][1]["code"], started.status()["status"]

    client.wait(minutes=20)
    assert seen() == ("Ready", "PowerState/running", "InProgress")
    client.wait(minutes=15)
    assert seen() == ("Not Ready", "PowerState/running", "InProgress")
    client.wait(minutes=5)
    assert seen() == ("Ready", "PowerState/running", "Succeeded")


def test_a_machine_lost_in_its_reboot_stays_not_ready():
    client = Client(vm(temper="reboot_loop"))
    found = client.run()["properties"]["output"]
    assert (found["status"], found["rebootStatus"]) == ("Succeeded", "Started")
    client.wait(hours=24)
    assert client.view()["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"


def test_a_machine_stopped_in_mid_run_fails_its_operation_and_takes_no_more():
    client = Client(vm(temper=Temper(mishap=Mishap.STOPPED, takes=timedelta(hours=1))))
    started = client.start()
    client.wait(minutes=29)
    assert started.status()["status"] == "InProgress"
    client.wait(minutes=1)
    document = started.status()
    assert (document["status"], document["error"]["code"]) == ("Failed", "OperationPreempted")
    view = client.view()
    assert view["statuses"][1]["code"] == "PowerState/deallocated"
    assert "vmAgent" not in view
    assert refusal(client.post())[:2] == (409, "OperationNotAllowed")


def test_a_machine_deleted_in_mid_run_is_gone_but_its_operation_is_not():
    client = Client(vm(temper="deleted"), vm("vm-two"))
    document = client.run()
    assert (document["status"], document["error"]["code"]) == ("Failed", "VMNotFound")
    gone = client.get(f"{client.machine.vm_id}?api-version=2025-04-01")
    assert refusal(gone)[:2] == (404, "ResourceNotFound")
    listed = client.read(
        f"{client.machine.vm_id.partition('/providers')[0]}/providers/"
        "Microsoft.Compute/virtualMachines"
    )
    assert [one["name"] for one in listed["value"]] == ["vm-two"]


def test_a_dead_agent_is_given_up_after_a_long_wait():
    client = Client(vm(temper="agent_dies"))
    started = client.start()
    client.wait(minutes=80)
    assert started.status()["status"] == "InProgress"
    assert client.view()["vmAgent"]["statuses"][0]["displayStatus"] == "Not Ready"
    client.wait(minutes=60)
    assert started.status()["error"]["code"] == "VMAgentStatusCommunicationError"


def test_a_superseding_run_of_azure_is_told_by_the_view_and_by_the_ledger():
    client = Client(vm(temper="superseded"))
    started = client.start()
    client.wait(hours=3)
    assert client.summary()["installationActivityId"] != started.id
    assert [one["started_by"] for one in client.installations()] == ["User", "Platform"]
