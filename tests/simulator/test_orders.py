"""What an order may say, and what the guest makes of it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.simulator import durations, orders
from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.tempers import Temper
from tests.simulator.kit import Client, an_order, refusal, replied, vm

REBOOTS = Temper(patches=4, needs_reboot=True)


def result(client, **members):
    return client.run(**members)["properties"]["output"]


def test_a_bad_kb_is_refused_with_the_recorded_words():
    client = Client(vm(os="Windows"))
    reply = replied(
        client.post(order=an_order("Windows", windowsParameters={"kbNumbersToInclude": ["1111"]}))
    )
    assert reply.status == 400
    assert reply.body == (
        b'{\r\n  "error": {\r\n    "code": "InvalidParameter",\r\n    "message": "The entry in '
        b"'kbNumbersToInclude' with value '1111' is not valid. It must be a KBID such as "
        b'KB4512508.",\r\n    "target": "windowsParameters.kbNumbersToInclude"\r\n  }\r\n}'
    )
    assert len(reply.body) == 232  # as recorded


@pytest.mark.parametrize(
    ("os", "order", "target"),
    [
        ("Linux", {}, "rebootSetting"),
        ("Linux", {"rebootSetting": "NeverReboot"}, "rebootSetting"),
        ("Linux", {"rebootSetting": 7}, "rebootSetting"),
        ("Linux", {"rebootSetting": "Never", "maximumDuration": "4h"}, "maximumDuration"),
        ("Linux", {"rebootSetting": "Never", "maximumDuration": "PT"}, "maximumDuration"),
        ("Linux", {"rebootSetting": "Never", "maxDuration": "PT4H"}, "maxDuration"),
        (
            "Linux",
            {
                "rebootSetting": "Never",
                "linuxParameters": {"classificationsToInclude": ["Updates"]},
            },
            "linuxParameters.classificationsToInclude",
        ),
        (
            "Linux",
            {"rebootSetting": "Never", "linuxParameters": {"packageMasks": []}},
            "linuxParameters.packageMasks",
        ),
        (
            "Linux",
            {"rebootSetting": "Never", "windowsParameters": {"kbNumbersToInclude": []}},
            "windowsParameters",
        ),
        (
            "Windows",
            {"rebootSetting": "Never", "windowsParameters": {"maxPatchPublishDate": "soon"}},
            "windowsParameters.maxPatchPublishDate",
        ),
        (
            "Windows",
            {"rebootSetting": "Never", "windowsParameters": {"patchNameMasksToInclude": ["a-b"]}},
            "windowsParameters.patchNameMasksToInclude",
        ),
        (
            "Windows",
            {"rebootSetting": "Never", "windowsParameters": {"kbNumbersToExclude": [" "]}},
            "windowsParameters.kbNumbersToExclude",
        ),
    ],
)
def test_what_the_api_does_not_know_is_refused_by_name(os, order, target):
    client = Client(vm(os=os))
    reply = replied(client.post(order=order))
    assert refusal(reply)[:2] == (400, "InvalidParameter")
    assert f'"target": "{target}"'.encode() in reply.body
    assert client.installations() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body):
    client = Client(vm())
    url = f"{client.machine.vm_id}/installPatches?api-version=2025-04-01"
    assert refusal(client.ask("POST", url, body))[:2] == (400, "InvalidRequestContent")


def test_a_body_that_is_not_called_json_is_refused():
    client = Client(vm())
    assert refusal(client.post(headers={"content-type": "text/plain"}))[0] == 415


def test_an_empty_block_of_the_other_system_and_odd_case_are_accepted():
    client = Client(vm())
    order = {
        "rebootSetting": "ifrequired",
        "windowsParameters": {},
        "linuxParameters": {"classificationsToInclude": ["critical"]},
    }
    assert replied(client.post(order=order)).status == 202


def test_a_linux_order_of_one_urgent_class_means_both():
    client = Client(vm(temper=Temper(patches=4)))
    assert (
        result(client, linuxParameters={"classificationsToInclude": ["Critical"]})[
            "installedPatchCount"
        ]
        == 4
    )


@pytest.mark.parametrize("os", SYSTEMS)
def test_only_the_classes_ordered_are_installed(os):
    temper = Temper(patches=8 if os == "Windows" else 24)
    found = result(Client(vm(os=os, temper=temper)))
    states: dict[str, set[str]] = {}
    for patch in found["patches"]:
        states.setdefault(patch["installationState"], set()).update(patch["classifications"])
    assert states["Installed"] <= {"Critical", "Security"}
    assert not states["NotSelected"] & {"Critical", "Security"}


def test_an_order_that_names_nothing_installs_everything():
    found = result(Client(vm(temper=Temper(patches=24))), linuxParameters={})
    assert (found["installedPatchCount"], found["notSelectedPatchCount"]) == (24, 0)


def test_kbs_are_included_and_excluded():
    kbs = {
        patch["kbId"]: patch["classifications"]
        for patch in result(Client(vm(os="Windows", temper=Temper(patches=8))))["patches"]
    }
    definition = next(kb for kb, classes in kbs.items() if classes == ["Definition"])
    security = next(kb for kb, classes in kbs.items() if classes == ["Security"])
    parameters = {
        "classificationsToInclude": ["Security"],
        "kbNumbersToInclude": [f"KB{definition}"],
        "kbNumbersToExclude": [f"kb{security}"],
    }
    found = result(Client(vm(os="Windows", temper=Temper(patches=8))), windowsParameters=parameters)
    states = {patch["kbId"]: patch["installationState"] for patch in found["patches"]}
    assert states[definition] == "Installed"
    assert states[security] == "Excluded"


def test_masks_include_and_exclude_packages_by_name_and_version():
    parameters = {
        "packageNameMasksToInclude": ["curl*"],
        "packageNameMasksToExclude": ["LIB?url4_*"],
    }
    found = result(Client(vm(temper=Temper(patches=24))), linuxParameters=parameters)
    states = {patch["name"]: patch["installationState"] for patch in found["patches"]}
    assert states["curl"] == "Installed"
    assert states["libcurl4"] == "Excluded"
    assert found["installedPatchCount"] == 1


def test_patches_that_reboot_or_are_too_new_can_be_kept_out():
    machine = vm(os="Windows", temper=Temper(patches=8))
    calm = result(Client(machine), windowsParameters={"excludeKbsRequiringReboot": True})
    assert calm["excludedPatchCount"] > 0
    assert calm["rebootStatus"] == "NotNeeded"
    early = {"maxPatchPublishDate": "2026-11-01T00:00:00Z"}
    assert result(Client(machine), windowsParameters=early)["notSelectedPatchCount"] == 8


@pytest.mark.parametrize(
    ("setting", "temper", "status"),
    [
        ("IfRequired", REBOOTS, "Completed"),
        ("IfRequired", Temper(patches=4, needs_reboot=False), "NotNeeded"),
        ("IfRequired", Temper(patches=0), "NotNeeded"),
        ("Always", Temper(patches=0), "Completed"),
        ("Always", Temper(patches=4, needs_reboot=False), "Completed"),
        ("Never", REBOOTS, "Required"),
        ("Never", Temper(patches=4, needs_reboot=False), "NotNeeded"),
    ],
)
@pytest.mark.parametrize("os", SYSTEMS)
def test_the_reboot_setting_is_respected(os, setting, temper, status):
    found = result(Client(vm(os=os, temper=temper)), rebootSetting=setting)
    assert found["rebootStatus"] == status
    withheld = status == "Required" and os == "Linux"
    assert found["status"] == ("CompletedWithWarnings" if withheld else "Succeeded")


def test_a_run_longer_than_its_window_fails_with_patches_pending():
    machine = vm(temper=Temper(patches=10, takes=timedelta(hours=3), needs_reboot=False))
    client = Client(machine)
    started = client.start(maximumDuration="PT1H")
    client.wait(minutes=61)
    found = started.status()["properties"]["output"]
    assert (found["status"], found["maintenanceWindowExceeded"]) == ("Failed", True)
    assert found["installedPatchCount"] > 0
    assert found["pendingPatchCount"] > 0
    assert found["failedPatchCount"] == 0


def test_a_window_too_short_for_anything_leaves_everything_pending():
    found = result(Client(vm(os="Windows", temper=Temper(patches=5))), maximumDuration="PT20M")
    assert (found["installedPatchCount"], found["pendingPatchCount"]) == (0, 5)


@pytest.mark.parametrize("duration", ["P1D", "PT24H", "PT0.5H", "P1DT1H"])
def test_a_duration_that_only_the_api_reads_fails_on_linux_and_not_on_windows(duration):
    linux, windows = Client(vm()), Client(vm(os="Windows"))
    failed = linux.run(maximumDuration=duration)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "VMExtensionProvisioningError")
    assert "properties" not in failed
    assert windows.run(maximumDuration=duration)["status"] == "Succeeded"


@pytest.mark.parametrize("duration", ["PT4H", "PT90M", "PT01H30M00S", "PT3600S"])
def test_the_durations_clients_send_are_read_on_linux(duration):
    assert Client(vm()).run(maximumDuration=duration)["status"] == "Succeeded"


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(hours=23, minutes=59)))
def test_whole_hours_minutes_and_seconds_read_back(length):
    length -= timedelta(microseconds=length.microseconds)
    seconds = int(length.total_seconds())
    text = f"PT{seconds // 3600}H{seconds % 3600 // 60}M{seconds % 60}S"
    assert durations.parse(text) == length
    assert durations.linux_guest_reads(text)


@given(st.text(alphabet="PTDHMS0123456789.-", max_size=12))
def test_no_text_breaks_the_duration_reader(text):
    length = durations.parse(text)
    assert length is None or length >= timedelta(0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "rebootSetting",
                        "maximumDuration",
                        "linuxParameters",
                        "windowsParameters",
                        "classificationsToInclude",
                        "maxPatchPublishDate",
                        "kbNumbersToInclude",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_breaks_the_order_reader(document):
    for os in SYSTEMS:
        read = orders.read(json.dumps(document).encode(), os)
        assert isinstance(read, orders.Order | orders.Refusal)
