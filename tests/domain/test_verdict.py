"""The table of verdicts: first match wins, the body is the truth, counts beat lists."""

from dataclasses import replace

import pytest

from orchestrator.domain.result import Result
from orchestrator.domain.states import FailureClass, Outcome
from orchestrator.domain.verdict import Bad, Good, Unclear, collapsed, judge


def a_result(status="Succeeded", **given):
    return Result(
        **{
            "status": status,
            "installed": 3,
            "failed": 0,
            "pending": 0,
            "reboot": "NotNeeded",
            **given,
        }
    )


GOOD = [
    (a_result(), Outcome.SUCCEEDED),
    (a_result(error_code="Success", error_message="0 error/s reported"), Outcome.SUCCEEDED),
    (a_result(error_code="0", error_message="0 error/s reported."), Outcome.SUCCEEDED),
    (a_result(pending=2), Outcome.SUCCEEDED),
    (a_result(reboot="Completed"), Outcome.SUCCEEDED),
    (a_result(reboot=None), Outcome.SUCCEEDED),
    (a_result(installed=None, pending=None), Outcome.SUCCEEDED),
    (a_result(installed=0), Outcome.NOTHING_TO_DO),
    (a_result(installed=0, pending=1), Outcome.SUCCEEDED),
    (a_result("CompletedWithWarnings"), Outcome.WARNED),
    (a_result("CompletedWithWarnings", installed=0), Outcome.WARNED),
    (a_result("CompletedWithWarnings", reboot="Required"), Outcome.REBOOT_PENDING),
    (a_result(reboot="Required"), Outcome.REBOOT_PENDING),
]


@pytest.mark.parametrize(("result", "outcome"), GOOD)
def test_a_good_result_has_its_outcome(result, outcome):
    verdict = judge(result, back=True)
    assert isinstance(verdict, Good)
    assert verdict.outcome is outcome


BAD = [
    (a_result("Failed", failed=2), FailureClass.GUEST, "patches_failed"),
    (a_result("Failed"), FailureClass.GUEST, "patches_failed"),
    (a_result("Succeeded", failed=1), FailureClass.GUEST, "patches_failed"),
    (a_result("CompletedWithWarnings", failed=1), FailureClass.GUEST, "patches_failed"),
    (a_result("Succeeded", reboot="Failed"), FailureClass.GUEST, "reboot_failed"),
    (a_result("Failed", window_exceeded=True, pending=4), FailureClass.GUEST, "window_exceeded"),
    (
        a_result("Failed", error_code="PACKAGE_MANAGER_FAILURE"),
        FailureClass.GUEST,
        "PACKAGE_MANAGER_FAILURE",
    ),
    (a_result("Failed", error_code="1"), FailureClass.GUEST, "patches_failed"),
    (a_result("Failed", reboot="Started", failed=1), FailureClass.GUEST, "patches_failed"),
    (
        collapsed("Failed", "InternalOperationError", "x", None),
        FailureClass.PLATFORM,
        "InternalOperationError",
    ),
    (
        collapsed("Failed", "VMAgentStatusCommunicationError", "x", None),
        FailureClass.GUEST,
        "VMAgentStatusCommunicationError",
    ),
    (collapsed("Canceled", "", "", None), FailureClass.PLATFORM, "canceled"),
]


@pytest.mark.parametrize(("result", "failure", "code"), BAD)
def test_a_bad_result_has_its_class_and_its_code(result, failure, code):
    verdict = judge(result, back=True)
    assert isinstance(verdict, Bad)
    assert (verdict.failure, verdict.why.code) == (failure, code)


@pytest.mark.parametrize(
    "result",
    [
        None,
        a_result("Unknown"),
        a_result("InProgress"),
        a_result(""),
        a_result(failed=None),
        a_result("CompletedWithWarnings", failed=None),
        a_result(failed=None, reboot="Required"),
    ],
)
def test_a_result_that_says_nothing_is_unclear_even_when_the_vm_is_well(result):
    assert isinstance(judge(result, back=True), Unclear)


@pytest.mark.parametrize("reboot", ["Started", "Unknown"])
def test_a_reboot_under_way_is_unclear_until_the_vm_is_back(reboot):
    result = a_result(reboot=reboot)
    assert isinstance(judge(result, back=False), Unclear)
    assert isinstance(judge(result, back=True), Good)


@pytest.mark.parametrize(("result", "_outcome"), GOOD)
def test_one_failed_patch_turns_every_good_result_bad(result, _outcome):
    assert isinstance(judge(replace(result, failed=1), back=True), Bad)
