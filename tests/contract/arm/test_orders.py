"""installPatches as we ask for it: every field of the API, in Azure's words (azure-facts 1.1)."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.arm import orders
from orchestrator.domain.model import LinuxPatches, Patches, Reboot, VmId, WindowsPatches
from tests.contract.arm.bench import PUBLIC, SUBSCRIPTION, VM, an_order

EVERY_WINDOWS = WindowsPatches(
    classifications=("Critical", "Security"),
    kb_include=("KB4512508", "5031364"),
    kb_exclude=("KB1",),
    exclude_kbs_requiring_reboot=True,
    max_publish_date=datetime(2026, 11, 10, 2, tzinfo=timezone(timedelta(hours=2))),
    name_masks_include=("*Defender*",),
    name_masks_exclude=("*Preview*",),
)
EVERY_LINUX = LinuxPatches(
    classifications=("Critical", "Security", "Other"),
    package_masks_include=("openssl*",),
    package_masks_exclude=("kernel_5.15*",),
    maintenance_run_id="2026-11-22T18:00:00Z",
)
BOTH = Patches(windows=EVERY_WINDOWS, linux=EVERY_LINUX)


def body(**members):
    return json.loads(orders.install_body(an_order(**members)))


def test_every_windows_field_is_spelled_as_azure_spells_it():
    assert body(os="Windows", patches=BOTH)["windowsParameters"] == {
        "classificationsToInclude": ["Critical", "Security"],
        "kbNumbersToInclude": ["KB4512508", "KB5031364"],
        "kbNumbersToExclude": ["KB1"],
        "excludeKbsRequiringReboot": True,
        "maxPatchPublishDate": "2026-11-10T00:00:00Z",
        "patchNameMasksToInclude": ["*Defender*"],
        "patchNameMasksToExclude": ["*Preview*"],
    }


def test_every_linux_field_is_spelled_as_azure_spells_it():
    assert body(os="Linux", patches=BOTH)["linuxParameters"] == {
        "classificationsToInclude": ["Critical", "Security", "Other"],
        "packageNameMasksToInclude": ["openssl*"],
        "packageNameMasksToExclude": ["kernel_5.15*"],
        "maintenanceRunId": "2026-11-22T18:00:00Z",
    }


@pytest.mark.parametrize(
    ("os", "patches", "blocks"),
    [
        ("Windows", BOTH, {"windowsParameters"}),
        ("linux", BOTH, {"linuxParameters"}),
        ("", BOTH, {"windowsParameters", "linuxParameters"}),
        ("", Patches(linux=EVERY_LINUX), {"linuxParameters"}),
        ("", Patches(), set()),
        ("Linux", Patches(windows=EVERY_WINDOWS), {"linuxParameters"}),
        ("Windows", Patches(), {"windowsParameters"}),
    ],
)
def test_a_vm_gets_the_block_of_its_system(os, patches, blocks):
    assert body(os=os, patches=patches).keys() - {"maximumDuration", "rebootSetting"} == blocks


def test_a_system_without_a_block_gets_none_of_our_filters():
    assert body(os="Linux", patches=Patches(windows=EVERY_WINDOWS))["linuxParameters"] == {}


@pytest.mark.parametrize(
    ("reboot", "word"),
    [(Reboot.IF_REQUIRED, "IfRequired"), (Reboot.NEVER, "Never"), (Reboot.ALWAYS, "Always")],
)
def test_the_reboot_setting_is_azures_word(reboot, word):
    assert body(reboot=reboot)["rebootSetting"] == word


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(hours=4), "PT4H"),
        (timedelta(minutes=45), "PT45M"),
        (timedelta(minutes=44, seconds=1), "PT45M"),
        (timedelta(hours=1, microseconds=1), "PT1H1M"),
        (timedelta(hours=23, minutes=59), "PT23H59M"),
        (timedelta(hours=23, minutes=59, seconds=1), "PT23H59M"),
        (timedelta(hours=24), "PT23H59M"),
        (timedelta(days=3), "PT23H59M"),
        (timedelta(0), "PT1M"),
        (timedelta(seconds=-5), "PT1M"),
    ],
)
def test_a_duration_is_whole_hours_and_minutes_of_less_than_a_day(given, written):
    assert orders.duration(given) == written


@given(st.timedeltas(timedelta(minutes=1), timedelta(hours=23, minutes=59)))
def test_a_duration_never_shrinks_and_never_grows_by_a_minute(given_duration):
    hours, _, rest = orders.duration(given_duration).removeprefix("PT").rpartition("H")
    written = timedelta(hours=int(hours or 0), minutes=int(rest.removesuffix("M") or 0))
    assert timedelta(0) <= written - given_duration < timedelta(minutes=1)


def test_the_url_holds_the_vm_and_the_version_and_nothing_unquoted():
    odd = VmId(VM.replace("rg-web", "rg (ö)"))
    assert orders.vm_url(PUBLIC, odd, "2025-04-01", "/installPatches") == (
        f"https://management.azure.com{VM.replace('rg-web', 'rg%20(%C3%B6)')}"
        "/installPatches?api-version=2025-04-01"
    )
    assert orders.subscription_of(VM) == SUBSCRIPTION
    assert orders.subscription_of(VmId("nonsense")) == ""


def test_a_publish_date_is_written_in_utc():
    late = WindowsPatches(max_publish_date=datetime(2026, 11, 10, 23, 59, 59, tzinfo=UTC))
    block = body(os="Windows", patches=Patches(windows=late))["windowsParameters"]
    assert block == {"maxPatchPublishDate": "2026-11-10T23:59:59Z"}
