"""The result of an installation, from Azure's JSON to ours (azure-facts 1.2, reliability A3)."""

import json

import pytest

from orchestrator.arm import results
from orchestrator.domain.result import Patch, Result
from tests.contract.arm.bench import OPERATION, recorded


def output(name):
    return json.loads(recorded(name))["properties"]["output"]


def test_a_windows_result_is_read():
    report = results.report(output("succeeded_windows.json"), b"raw")
    assert report.activity == OPERATION
    assert report.raw == b"raw"
    assert report.result == Result(
        status="Succeeded",
        installed=2,
        failed=0,
        pending=0,
        excluded=0,
        not_selected=1,
        reboot="NotNeeded",
        window_exceeded=False,
    )
    assert report.patches[0] == Patch(
        patch_id="5a9b8d1e-4b3c-4f43-9ea3-3e7c0a2d0f11",
        name="2021-11 Update for Windows Server 2019 (KB4580325)",
        kb_id="KB4580325",
        classifications=("UpdateRollUp",),
        state="Installed",
    )
    assert [patch.state for patch in report.patches] == ["Installed", "Installed", "NotSelected"]


def test_a_linux_result_is_read():
    report = results.report(output("succeeded_linux.json"), b"")
    assert (report.result.installed, report.result.reboot) == (32, "Completed")
    assert report.patches[0] == Patch(
        patch_id="curl_7.81.0-1ubuntu1.19_Ubuntu_22.04",
        name="curl",
        version="7.81.0-1ubuntu1.19",
        classifications=("Security",),
        state="Installed",
    )


@pytest.mark.parametrize("name", ["succeeded_windows.json", "succeeded_linux.json"])
def test_an_error_that_reports_success_leaves_no_trace(name):
    result = results.summary(output(name))
    assert (result.error_code, result.error_message) == ("", "")


def test_a_failed_result_names_the_most_telling_error_and_loses_the_tombstone():
    report = results.report(json.loads(recorded("result_failed_linux.json")), b"")
    assert report.activity == OPERATION
    assert report.result.error_code == "PACKAGE_MANAGER_FAILURE"
    assert report.result.error_message.startswith("Unexpected return code (100)")
    assert report.result.error_message.endswith("on command: apt-get")
    assert [patch.name for patch in report.patches] == ["openssl"]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, "", ""),
        ({}, "", ""),
        ({"code": "Success", "message": "0 error/s reported"}, "", ""),
        ({"code": "success"}, "", ""),
        ({"code": "0", "message": "0 error/s reported."}, "", ""),
        ({"code": 0}, "", ""),
        ({"code": "0x8024402C", "message": "m"}, "0x8024402C", "m"),
        ({"code": "1", "message": "m"}, "1", "m"),
        ({"code": "1", "message": "m", "details": [{"code": "ERROR", "message": "d"}]}, "1", "d"),
        (
            {"code": "X", "message": "m", "details": [{"code": "OPERATION_FAILED"}]},
            "X",
            "m",
        ),
        ({"code": "2", "details": [{"code": "UA_ESM_REQUIRED"}]}, "UA_ESM_REQUIRED", ""),
        ({"code": "X", "details": "all of it", "message": ["m"]}, "X", ""),
    ],
)
def test_an_error_is_read_however_it_is_written(error, code, message):
    result = results.summary({"status": "Failed", "error": error})
    assert (result.error_code, result.error_message) == (code, message)


@pytest.mark.parametrize("status", results.STATUSES)
def test_a_status_is_known_in_any_case(status):
    assert results.summary({"status": status.upper()}).status == status


@pytest.mark.parametrize("status", ["Canceled", "", None, 7, ["Succeeded"], {"a": 1}, True])
def test_a_status_that_nobody_knows_is_unknown(status):
    assert results.summary({"status": status}).status == "Unknown"
    assert results.summary({}).status == "Unknown"


@pytest.mark.parametrize(
    ("given", "reboot"),
    [
        ("notneeded", "NotNeeded"),
        ("Required", "Required"),
        ("Rebooting", "Unknown"),
        ("", "Unknown"),
        (None, None),
        (1, None),
    ],
)
def test_a_reboot_status_is_a_word_of_azures(given, reboot):
    assert results.summary({"rebootStatus": given}).reboot == reboot


@pytest.mark.parametrize(
    "value", [-1, 2**31, 10**30, True, False, "3", 3.0, float("nan"), None, [], {}]
)
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("installedPatchCount", "installed"),
        ("failedPatchCount", "failed"),
        ("pendingPatchCount", "pending"),
        ("excludedPatchCount", "excluded"),
        ("notSelectedPatchCount", "not_selected"),
    ],
)
def test_a_count_that_cannot_be_one_is_missing(name, field, value):
    assert getattr(results.summary({name: value}), field) is None
    assert getattr(results.summary({name: 2**31 - 1}), field) == 2**31 - 1


def test_counts_are_not_made_up_from_the_list():
    patches = [{"patchId": "a", "installationState": "Failed"}] * 3
    report = results.report({"patches": patches, "failedPatchCount": 700}, b"")
    assert report.result.failed == 700
    assert report.result.installed is None
    assert len(report.patches) == 3


@pytest.mark.parametrize(
    ("value", "read"), [(True, True), (False, False), ("true", None), (1, None)]
)
def test_an_exceeded_window_is_said_by_a_boolean(value, read):
    assert results.summary({"maintenanceWindowExceeded": value}).window_exceeded is read


@pytest.mark.parametrize(
    ("given", "kb"),
    [
        ("4580325", "KB4580325"),
        ("KB4580325", "KB4580325"),
        ("kb4580325", "KB4580325"),
        ("", ""),
        (None, ""),
        (4580325, ""),
        ("KB", "KB"),
    ],
)
def test_a_kb_has_one_spelling(given, kb):
    (patch,) = results.report({"patches": [{"kbId": given}]}, b"").patches
    assert patch.kb_id == kb


@pytest.mark.parametrize(
    ("state", "read"), [("installed", "Installed"), ("Melted", "Unknown"), (None, ""), (5, "")]
)
def test_a_patch_state_is_a_word_of_azures(state, read):
    (patch,) = results.report({"patches": [{"installationState": state}]}, b"").patches
    assert patch.state == read


@pytest.mark.parametrize("patches", [None, {}, "all", 7, [None, 1, "x", []]])
def test_a_list_that_is_none_is_empty(patches):
    assert results.report({"patches": patches}, b"").patches == ()


@pytest.mark.parametrize("classes", [None, "Security", {"a": 1}, [None, 7, "Security", ""]])
def test_only_words_are_classifications(classes):
    (patch,) = results.report({"patches": [{"classifications": classes}]}, b"").patches
    assert patch.classifications in {(), ("Security",)}


def test_arcs_error_details_are_read_too():
    result = results.summary({"errorDetails": {"code": "X", "message": "m"}})
    assert (result.error_code, result.error_message) == ("X", "m")


def test_the_first_patches_that_failed_are_named_by_kb_or_package():
    patches = [
        {"kbId": "5034441", "name": "2026-11 update", "installationState": "Failed"},
        {"kbId": "5034441", "name": "again", "installationState": "Failed"},
        {"name": "openssl, the library", "installationState": "Failed"},
        {"name": "curl", "installationState": "Installed"},
        *({"name": f"p{n}", "installationState": "Failed"} for n in range(9)),
    ]
    report = results.report({"patches": patches, "failedPatchCount": 12}, b"")
    assert report.result.culprits == ("KB5034441", "openssl  the library", "p0", "p1", "p2")
