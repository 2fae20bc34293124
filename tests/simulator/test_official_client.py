"""The official client of Azure, unchanged, runs against the simulator over a real socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import models
from azure.mgmt.compute.aio import ComputeManagementClient

from orchestrator.simulator.app import serving
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import PollFault, Temper
from orchestrator.simulator.world import Azure
from tests.simulator.kit import EVENING, SUBSCRIPTION, vm

WINDOWS = models.WindowsParameters(classifications_to_include=["Critical", "Security"])
LINUX = models.LinuxParameters(classifications_to_include=["Critical", "Security"])


class PlainToken(SansIOHTTPPolicy[Any, Any]):
    """Azure's own policy sends no token over plain http; this one does."""

    def on_request(self, request):
        request.http_request.headers["Authorization"] = "Bearer a-token"


class NoCredential:
    """Never asked, because the policy above does not ask."""

    async def get_token(self, *_: object, **__: object) -> AccessToken:
        raise AssertionError("no token is needed")

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def ticking() -> Callable[[], datetime]:
    """Give a clock that each request moves on by five minutes."""
    instants = (EVENING + timedelta(minutes=5) * step for step in range(10_000))
    return lambda: next(instants)


@asynccontextmanager
async def official(*machines: Machine) -> AsyncIterator[Any]:
    azure = Azure(machines)
    async with (
        serving(azure, ticking()) as server,
        ComputeManagementClient(
            NoCredential(),
            SUBSCRIPTION,
            base_url=server.url,
            authentication_policy=PlainToken(),
            polling_interval=0,
            retry_total=0,
        ) as client,
    ):
        yield client.virtual_machines


def parameters(machine: Machine) -> models.VirtualMachineInstallPatchesParameters:
    return models.VirtualMachineInstallPatchesParameters(
        maximum_duration=timedelta(hours=2),
        reboot_setting="IfRequired",
        windows_parameters=WINDOWS if machine.os == "Windows" else None,
        linux_parameters=LINUX if machine.os == "Linux" else None,
    )


async def install(machines: Any, machine: Machine) -> Any:
    poller = await machines.begin_install_patches(
        machine.resource_group, machine.name, parameters(machine)
    )
    result = await poller.result()
    assert isinstance(result, models.VirtualMachineInstallPatchesResult)
    return result


async def test_it_installs_on_windows_and_reads_the_typed_result():
    machine = vm(os="Windows", temper=Temper(patches=4, needs_reboot=True))
    async with official(machine) as machines:
        result = await install(machines, machine)
    assert (result.status, result.reboot_status) == ("Succeeded", "Completed")
    assert (result.installed_patch_count, result.failed_patch_count) == (4, 0)
    assert result.error is not None
    assert result.error.code == "Success"
    patch = result.patches[0]
    assert (patch.installation_state, patch.classifications) == ("Installed", ["Security"])
    assert patch.kb_id.isdigit()
    assert timedelta(0) < result.start_date_time - EVENING < timedelta(seconds=3)


async def test_it_installs_on_linux_and_reads_the_typed_result():
    machine = vm(temper=Temper(patches=3, needs_reboot=False))
    async with official(machine) as machines:
        result = await install(machines, machine)
    assert (result.status, result.reboot_status) == ("Succeeded", "NotNeeded")
    assert [patch.installation_state for patch in result.patches] == ["Installed"] * 3
    assert all(patch.version for patch in result.patches)
    assert result.error is not None
    assert result.error.code == "0"


async def test_a_failed_body_is_returned_like_a_success():
    machine = vm(temper="fails")
    async with official(machine) as machines:
        result = await install(machines, machine)
    assert (result.status, result.failed_patch_count) == ("Failed", 1)
    assert result.error is not None
    assert result.error.details is not None
    assert result.error.details[0].code == "PACKAGE_MANAGER_FAILURE"


async def test_a_failed_operation_raises_its_code():
    machine = vm(temper="operation_fails")
    async with official(machine) as machines:
        with pytest.raises(HttpResponseError) as raised:
            await install(machines, machine)
    assert raised.value.error is not None
    assert raised.value.error.code == "VMExtensionProvisioningError"


async def test_a_machine_that_does_not_run_raises_409():
    machine = vm(power="deallocated")
    async with official(machine) as machines:
        with pytest.raises(ResourceExistsError) as raised:
            await install(machines, machine)
    assert raised.value.status_code == 409
    assert "OperationNotAllowed" in raised.value.message


async def test_a_bad_kb_raises_400():
    machine = vm(os="Windows")
    async with official(machine) as machines:
        order = parameters(machine)
        order.windows_parameters = models.WindowsParameters(kb_numbers_to_include=["1111"])
        with pytest.raises(HttpResponseError) as raised:
            await machines.begin_install_patches(machine.resource_group, machine.name, order)
    assert raised.value.status_code == 400
    assert "It must be a KBID such as KB4512508." in raised.value.message


async def test_it_dies_of_a_poll_that_fails_though_the_operation_goes_on():
    machine = vm(temper=Temper(polls=(PollFault.FINE, PollFault.NOT_FOUND)))
    async with official(machine) as machines:
        with pytest.raises(HttpResponseError):
            await install(machines, machine)
        view = await machines.instance_view(machine.resource_group, machine.name)
    assert view.patch_status.last_patch_installation_summary.status in {"InProgress", "Succeeded"}


async def test_it_lists_machines_by_pages_and_reads_one():
    fleet = [vm(f"vm-{number:03d}", "Windows" if number % 2 else "Linux") for number in range(250)]
    async with official(*fleet) as machines:
        listed = [one async for one in machines.list_all()]
        in_group = [one.name async for one in machines.list("rg-Mixed")]
        one = await machines.get("rg-Mixed", "vm-001", expand="instanceView")
    assert [found.name for found in listed] == in_group == [machine.name for machine in fleet]
    assert listed[0].storage_profile.os_disk.os_type == "Linux"
    assert listed[0].tags == {"ring": "canary"}
    assert one.instance_view.statuses[1].code == "PowerState/running"
    assert one.instance_view.vm_agent.statuses[0].display_status == "Ready"


@pytest.mark.parametrize(
    "name", ["warns", "truncated", "unknown", "overruns", "nothing_to_do", "reboot_fails"]
)
@pytest.mark.parametrize("os", ["Windows", "Linux"])
async def test_it_reads_every_other_result_too(name, os):
    machine = vm(os=os, temper=TEMPERS[name])
    async with official(machine) as machines:
        result = await install(machines, machine)
    assert result.status in {"CompletedWithWarnings", "Unknown", "Failed", "Succeeded"}
    assert result.installation_activity_id


async def test_the_official_client_restarts_a_machine_and_waits_for_it():
    machine = vm()
    async with official(machine) as machines:
        poller = await machines.begin_restart(machine.resource_group, machine.name)
        assert await poller.result() is None
        assert poller.status() == "Succeeded"
