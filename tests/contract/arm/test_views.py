"""VMs as ARM describes them (azure-facts 1.6, 1.7)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.arm import views
from orchestrator.domain.answer import Gone, LastInstallation, Seen, Throttled, Unreadable
from orchestrator.domain.inventory import Machine
from orchestrator.domain.model import ActivityId, VmId
from orchestrator.domain.result import Result
from tests.contract.arm.bench import EVENING, SUBSCRIPTION, VM, recorded, reply


def looked(status, body=b"", **headers):
    return views.looked(reply(status, body, **headers), VM, EVENING)


def seen(**changes):
    """Look at the recorded VM with members of its instance view changed; None takes one out."""
    document = json.loads(recorded("vm_with_view.json"))
    view = document["properties"]["instanceView"]
    for name, value in changes.items():
        view.pop(name, None)
        if value is not None:
            view[name] = value
    answer = looked(200, json.dumps(document))
    assert isinstance(answer, Seen)
    return answer


def last(**summary):
    return seen(patchStatus={"lastPatchInstallationSummary": summary}).last


def test_a_vm_with_its_instance_view_is_seen():
    answer = looked(200, recorded("vm_with_view.json"), date="Sun, 22 Nov 2026 18:00:03 GMT")
    assert answer == Seen(
        vm_id=VM,
        region="westeurope",
        os="Linux",
        power="running",
        agent_ready=True,
        provisioning="succeeded",
        skew=timedelta(seconds=3),
        last=LastInstallation(
            activity=ActivityId("55ab55ab-0000-4000-8000-000000000001"),
            started_at=datetime(2026, 10, 13, 1, 0, 5, 123456, tzinfo=UTC),
            result=Result(
                status="CompletedWithWarnings",
                installed=9,
                failed=0,
                pending=0,
                excluded=0,
                not_selected=5,
                window_exceeded=False,
                error_code="UA_ESM_REQUIRED",
                error_message="4 patches requires Ubuntu Pro for "
                "Infrastructure with Extended Security Maintenance",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("statuses", "power"),
    [
        ([{"code": "PowerState/deallocated"}], "deallocated"),
        ([{"code": "powerstate/Stopped"}], "stopped"),
        ([{"code": "ProvisioningState/updating"}], ""),
        ([{"code": None}, 7, {}], ""),
        ([], ""),
        (None, ""),
        ("running", ""),
    ],
)
def test_the_power_is_the_word_after_power_state(statuses, power):
    assert seen(statuses=statuses).power == power


@pytest.mark.parametrize(
    ("agent", "ready"),
    [
        ({"statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]}, True),
        ({"statuses": [{"code": "ProvisioningState/Unavailable", "level": "Warning"}]}, False),
        ({"statuses": []}, False),
        ({"vmAgentVersion": "Unknown"}, False),
        (None, False),
        ("ready", False),
    ],
)
def test_the_agent_is_ready_when_it_says_so(agent, ready):
    assert seen(vmAgent=agent).agent_ready is ready


@pytest.mark.parametrize("status", [None, {}, {"availablePatchSummary": {}}, [], "none"])
def test_a_vm_that_was_never_patched_has_no_last_installation(status):
    assert seen(patchStatus=status).last is None


@pytest.mark.parametrize("activity", [None, "", 7, {}])
def test_without_an_id_there_was_no_installation(activity):
    assert last(installationActivityId=activity, status="Unknown") is None


def test_an_installation_in_progress_without_an_id_is_no_answer():
    document = json.loads(recorded("vm_with_view.json"))
    document["properties"]["instanceView"]["patchStatus"] = {
        "lastPatchInstallationSummary": {"status": "InProgress"}
    }
    answer = looked(200, json.dumps(document))
    assert isinstance(answer, Unreadable)
    assert "without its id" in answer.reason


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-22T18:00:05Z", datetime(2026, 11, 22, 18, 0, 5, tzinfo=UTC)),
        ("2026-11-22T18:00:05", datetime(2026, 11, 22, 18, 0, 5, tzinfo=UTC)),
        ("2026-11-22T13:00:05.1234567-05:00", datetime(2026, 11, 22, 18, 0, 5, 123456, tzinfo=UTC)),
        ("2026-11-22T23:45:05+05:45", datetime(2026, 11, 22, 18, 0, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("yesterday", None),
        ("", None),
        (1795370405, None),
        (None, None),
    ],
)
def test_a_start_is_read_in_any_offset(written, read):
    found = last(installationActivityId="a", startTime=written)
    assert found is not None
    assert found.started_at == read


@pytest.mark.parametrize(
    ("location", "region"), [("West Europe", "westeurope"), ("EastUS2", "eastus2"), (None, "")]
)
def test_a_region_has_one_spelling(location, region):
    document = json.loads(recorded("vm_with_view.json")) | {"location": location}
    answer = looked(200, json.dumps(document))
    assert isinstance(answer, Seen)
    assert answer.region == region


def test_a_vm_that_azure_does_not_know_is_gone():
    answer = looked(404, recorded("error_404_gateway.json"))
    assert isinstance(answer, Gone)
    assert "ResourceNotFound" in answer.reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]"])
def test_a_404_that_arm_did_not_write_is_no_proof(body):
    assert isinstance(looked(404, body), Unreadable)


def test_a_throttled_look_says_how_long():
    assert looked(429, retry_after="12") == Throttled(
        retry_after=timedelta(seconds=12), reason="Azure answered 429"
    )


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 408, 409, 500, 502, 503, 504])
def test_any_other_status_tells_nothing(status):
    answer = looked(status, recorded("vm_with_view.json"))
    assert isinstance(answer, Unreadable)
    assert answer.http_status == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"properties": null}',
        b'{"properties": {"provisioningState": "Succeeded"}}',
        b'{"properties": {"instanceView": []}}',
        b'{"properties": {"instanceView": {}}}',
    ],
)
def test_an_answer_without_an_instance_view_is_never_no_installation(body):
    assert isinstance(looked(200, body), Unreadable)


def test_an_answer_about_another_vm_tells_nothing():
    other = recorded("vm_with_view.json").replace(b"virtualMachines/vm-1", b"virtualMachines/vm-2")
    answer = looked(200, other)
    assert isinstance(answer, Unreadable)
    assert answer.reason == "Azure answered about another VM"


def test_a_page_of_a_list_becomes_machines_in_lower_case():
    page = views.page(reply(200, recorded("vm_list.json")))
    assert page is not None
    assert page.next_url.endswith("$skiptoken=NEXT")
    assert [views.machine(entry) for entry in page.entries] == [
        Machine(
            vm_id=VM,
            name="vm-1",
            subscription_id=SUBSCRIPTION,
            resource_group="rg-web",
            region="westeurope",
            os="Windows",
            tags={"ring": "canary", "Cost Center": "4711"},
        ),
        Machine(
            vm_id=VmId(VM.replace("vm-1", "vm-2")),
            name="VM-2",
            subscription_id=SUBSCRIPTION,
            resource_group="rg-web",
            region="westeurope",
            os="Linux",
        ),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"id": None},
        {"id": 7},
        {"id": "vm-1"},
        {"id": VM + "/extensions/x"},
        {"id": VM.replace("virtualmachines", "disks")},
        {"id": VM.replace("rg-web", "")},
    ],
)
def test_an_entry_that_is_no_vm_is_no_machine(entry):
    assert views.machine(entry) is None


@pytest.mark.parametrize("tags", [None, [], "x", {"a": None, "b": 7, "c": ["d"]}])
def test_tags_are_words_or_nothing(tags):
    machine = views.machine({"id": VM, "tags": tags})
    assert machine is not None
    assert machine.tags == {}
    assert machine.name == "vm-1"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"value": null}', b'{"value": {}}', b'{"value": [], "nextLink": 7}'],
)
def test_what_is_no_list_is_no_page(body):
    assert views.page(reply(200, body)) is None
    assert views.page(reply(403, b'{"value": []}')) is None


@pytest.mark.parametrize("following", ["", ', "nextLink": null', ', "nextLink": ""'])
def test_the_last_page_has_no_successor(following):
    page = views.page(reply(200, f'{{"value": []{following}}}'))
    assert page is not None
    assert page.next_url == ""


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"subscriptionId": SUBSCRIPTION.upper(), "state": "Enabled"}, SUBSCRIPTION),
        ({"subscriptionId": SUBSCRIPTION, "state": "Warned"}, SUBSCRIPTION),
        ({"subscriptionId": SUBSCRIPTION}, SUBSCRIPTION),
        ({"subscriptionId": SUBSCRIPTION, "state": "Disabled"}, None),
        ({"subscriptionId": SUBSCRIPTION, "state": "Deleted"}, None),
        ({"subscriptionId": None}, None),
        ({}, None),
    ],
)
def test_a_subscription_that_is_switched_off_is_left_out(entry, found):
    assert views.subscription(entry) == found


def an_image(**reference):
    return {"properties": {"storageProfile": {"imageReference": reference}}}


SET = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/availabilitySets/Web"
GALLERY = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/galleries/G/images/Golden"


@pytest.mark.parametrize(
    ("entry", "field", "value"),
    [
        ({"zones": ["1"]}, "zone", "1"),
        ({"zones": []}, "zone", ""),
        ({"zones": "1"}, "zone", ""),
        ({"zones": [1]}, "zone", ""),
        ({}, "zone", ""),
        ({"properties": {"availabilitySet": {"id": SET}}}, "availability_set", SET.lower()),
        ({"properties": {"availabilitySet": SET}}, "availability_set", ""),
        ({"properties": 3}, "availability_set", ""),
        (
            an_image(publisher="Canonical", offer="jammy", sku="22_04", version="latest"),
            "image",
            "canonical:jammy:22_04",
        ),
        (
            an_image(id=f"{GALLERY}/versions/1.2.3"),
            "image",
            "microsoft.compute/galleries/g/images/golden",
        ),
        (an_image(publisher="Canonical"), "image", ""),
        (an_image(id=7), "image", ""),
    ],
)
def test_where_a_machine_is_and_what_it_was_made_from_is_read(entry, field, value):
    found = views.machine({"id": VM, **entry})
    assert found is not None
    assert getattr(found, field) == value
