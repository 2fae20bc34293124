"""The one POST against the simulated Azure: proof or doubt, in memory and over real sockets."""

import pytest

from orchestrator.domain.answer import (
    Conflicted,
    Gone,
    InDoubt,
    NotSent,
    Rejected,
    Taken,
    Throttled,
    Unauthenticated,
    Unreadable,
)
from orchestrator.domain.model import AttemptId, LinuxPatches, Patches, WindowsPatches, vm_id
from orchestrator.domain.states import Conflict
from orchestrator.simulator.tempers import PostFault
from tests.contract.arm.stages import PATIENCE, SECURITY, SOON, a_machine, behaving


@pytest.mark.parametrize(
    ("fault", "kind", "started"),
    [
        (PostFault.THROTTLED, Throttled, 0),
        (PostFault.EXPIRED, Unauthenticated, 0),
        (PostFault.CLAIMS_CHALLENGE, Unauthenticated, 0),
        (PostFault.FORBIDDEN, Rejected, 0),
        (PostFault.LOCKED, Conflicted, 0),
        (PostFault.CUT, InDoubt, 0),
        (PostFault.SILENT, InDoubt, 0),
        (PostFault.ERROR_500, InDoubt, 0),
        (PostFault.ERROR_503, InDoubt, 0),
        (PostFault.ERROR_504, InDoubt, 0),
        (PostFault.PROXY_PAGE, InDoubt, 0),
        (PostFault.TAKEN_CUT, InDoubt, 1),
        (PostFault.TAKEN_SILENT, InDoubt, 1),
        (PostFault.TAKEN_500, InDoubt, 1),
        (PostFault.TAKEN_503, InDoubt, 1),
        (PostFault.TAKEN_504, InDoubt, 1),
        (PostFault.TAKEN_PROXY_PAGE, InDoubt, 1),
        (PostFault.TAKEN_BARE, InDoubt, 1),
        (PostFault.TAKEN_FOREIGN_URL, InDoubt, 1),
        (PostFault.FINE, Taken, 1),
    ],
)
async def test_only_what_proves_a_refusal_is_one_and_the_post_is_sent_once(
    stage, fault, kind, started
):
    on = await stage(behaving(posts=(fault,)))
    silent = fault in {PostFault.SILENT, PostFault.TAKEN_SILENT}
    assert isinstance(await on.install(timeout=SOON if silent else PATIENCE), kind)
    assert on.posts() == 1
    assert len(on.installations()) == started


async def test_a_doubt_with_a_request_id_names_the_installation(stage):
    on = await stage(behaving(posts=(PostFault.TAKEN_BARE,)))
    answer = await on.install()
    assert isinstance(answer, InDoubt)
    assert answer.activity == on.installations()[0]["activity_id"]


async def test_a_taken_request_without_an_answer_is_seen_by_a_look(stage):
    on = await stage(behaving(posts=(PostFault.TAKEN_CUT,)))
    assert isinstance(await on.install(), InDoubt)
    on.clock.wait(120)
    seen = await on.seen()
    assert seen.last is not None
    assert seen.last.activity == on.installations()[0]["activity_id"]


async def test_a_locked_machine_says_so(stage):
    on = await stage(behaving(every_post=PostFault.LOCKED))
    answer = await on.install()
    assert isinstance(answer, Conflicted)
    assert answer.conflict is Conflict.LOCKED


@pytest.mark.parametrize(
    ("power", "conflict"),
    [
        ("stopped", Conflict.NOT_RUNNING),
        ("deallocated", Conflict.NOT_RUNNING),
        ("deallocating", Conflict.BUSY),
    ],
)
async def test_a_machine_that_is_off_says_so(stage, power, conflict):
    on = await stage(a_machine(power=power))
    answer = await on.install()
    assert isinstance(answer, Conflicted)
    assert answer.conflict is conflict
    assert (await on.seen()).power == power


async def test_a_second_request_meets_a_busy_machine(stage):
    on = await stage(a_machine())
    await on.taken()
    answer = await on.install(attempt=AttemptId("00000000-0000-4000-8000-000000000002"))
    assert isinstance(answer, Conflicted)
    assert answer.conflict is Conflict.BUSY
    assert len(on.installations()) == 1


async def test_a_bad_order_is_rejected_with_azures_reason(stage):
    on = await stage(a_machine(os="Windows"))
    bad = Patches(windows=WindowsPatches(kb_include=("KBx",)))
    answer = await on.install(patches=bad)
    assert isinstance(answer, Rejected)
    assert answer.code == "InvalidParameter"
    assert "KB4512508" in answer.message


async def test_every_field_that_can_be_configured_is_taken(stage):
    on = await stage(a_machine(os="Windows"), a_machine("vm-2", os="Linux"))
    patches = Patches(
        windows=WindowsPatches(
            classifications=SECURITY,
            kb_include=("4512508",),
            kb_exclude=("KB5031364",),
            exclude_kbs_requiring_reboot=True,
            max_publish_date=on.clock.now(),
            name_masks_include=("*Defender*",),
            name_masks_exclude=("*Preview*",),
        ),
        linux=LinuxPatches(
            classifications=SECURITY,
            package_masks_include=("openssl*",),
            package_masks_exclude=("kernel*",),
            maintenance_run_id=on.clock.now().isoformat(),
        ),
    )
    for machine in on.machines:
        assert isinstance(await on.install(machine, patches=patches), Taken)


async def test_a_machine_that_does_not_exist_is_rejected_and_gone(stage):
    on = await stage(a_machine())
    nobody = a_machine("nobody")
    assert isinstance(await on.install(nobody), Rejected)
    assert isinstance(await on.arm.look(vm_id(nobody.vm_id)), Gone)


async def test_a_request_whose_time_is_over_never_arrives(stage):
    on = await stage(a_machine())
    answer = await on.install(send_by=on.clock.monotonic() - 0.001)
    assert isinstance(answer, NotSent)
    assert answer.abandoned
    assert on.posts() == 0


async def test_a_wrong_token_is_unauthenticated(stage):
    on = await stage(a_machine(), token="wrong")
    on.azure._token = "right"
    assert isinstance(await on.install(), Unauthenticated)
    assert isinstance(await on.look(), Unreadable)
    assert on.installations() == []
