"""What the reason to halt says about the broken VMs: what they share, and how the others fared."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.domain import states as s
from orchestrator.domain.causes import shared
from orchestrator.domain.decisions import HaltRun
from orchestrator.domain.result import Result
from orchestrator.domain.rollout import plan
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_snapshot, a_wave, an_operation, minutes, opened

GOOD = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "3 patches installed"))
OLD, NEW = "microsoft:windows:2016", "microsoft:windows:2022"


def failed(code: str = "0x80070643", *culprits: str) -> s.Failed:
    result = Result(status="Failed", failed=1, error_code=code, culprits=culprits)
    return s.Failed(EPOCH, s.FailureClass.GUEST, s.Why(code, "1 of 3 patches failed"), None, result)


def a_vm(number: int, state: s.State, **target: Any):
    op = an_operation(number, state)
    return replace(op, target=replace(op.target, **target))


def the_halt(*ops, allowed: int = 0) -> HaltRun:
    rows = replace(a_snapshot((a_wave(), len(ops))), operations=ops)
    (halt,) = plan(opened(RunView(rows), allowed=allowed), EPOCH + minutes(1)).decisions
    assert isinstance(halt, HaltRun)
    return halt


def test_one_broken_vm_is_named_with_its_reason():
    halt = the_halt(a_vm(1, failed()), a_vm(2, GOOD))
    assert halt.why.text == (
        "wave canary has 1 bad VM, 0 allowed; vm-0001: 1 of 3 patches failed (0x80070643)"
    )


def test_what_most_broken_vms_share_is_told_with_the_evidence():
    ops = [
        *(a_vm(n, failed("0x80070643", "KB5034441"), image=OLD, os="Windows") for n in range(3)),
        a_vm(3, failed("Timeout"), image=NEW, os="Windows"),
        *(a_vm(n, GOOD, image=NEW, os="Windows") for n in range(4, 8)),
        a_vm(8, GOOD, image=OLD, os="Windows"),
    ]
    assert the_halt(*ops, allowed=3).why.text == (
        "wave canary has 4 bad VMs, 3 allowed; in common: 0x80070643 (3 of 4), "
        f"KB5034441 failed (3 of 4), image {OLD} (3 of 4; bad are 3 of 4 there, 1 of 5 elsewhere)"
    )


@pytest.mark.parametrize(
    ("trait", "bad", "good", "named"),
    [
        ("image", OLD, NEW, f"image {OLD}"),
        ("os", "Windows", "Linux", "system Windows"),
        ("region", "westeurope", "northeurope", "region westeurope"),
    ],
)
def test_each_trait_that_only_broken_vms_have_is_named(trait, bad, good, named):
    """Their errors differ: nothing but the trait is common."""
    common: dict[str, Any] = {"image": "a:b:c", "os": "Linux", "region": "westus"}
    broken = [a_vm(n, failed(f"E{n}"), **{**common, trait: bad}) for n in range(3)]
    well = [a_vm(n, GOOD, **{**common, trait: good}) for n in range(3, 6)]
    told = f"in common: {named} (3 of 3; bad are 3 of 3 there, 0 of 3 elsewhere)"
    assert the_halt(*broken, *well).why.text == f"wave canary has 3 bad VMs, 0 allowed; {told}"


def test_a_trait_that_every_vm_has_tells_nothing():
    ops = [*(a_vm(n, failed(f"E{n}")) for n in range(2)), a_vm(2, GOOD)]
    assert the_halt(*ops).why.text.endswith("nothing in common that is known here")


def test_a_trait_that_fared_better_is_no_cause():
    bad = [a_vm(n, failed(), region="westeurope") for n in range(2)]
    bad += [a_vm(n, failed(), region="northeurope") for n in range(2, 4)]
    good = [a_vm(n, GOOD, region="westeurope") for n in range(4, 8)]
    (found,) = shared(bad, [*bad, *good]) or [None]
    assert found is None or found.value == "northeurope"
    assert [each for each in shared(bad, [*bad, *good]) if each.value == "westeurope"] == []


def test_what_a_resume_accepted_is_no_evidence():
    accepted = [replace(a_vm(n, failed("Old")), forgiven=True) for n in range(9)]
    fresh = [a_vm(n, failed("New")) for n in range(9, 11)]
    text = the_halt(*accepted, *fresh).why.text
    assert "New (2 of 2)" in text
    assert "Old" not in text
