"""What users have today: azure-mgmt-compute's asynchronous client, `gather` and a semaphore.

The stock client, but for the three things that a server on loopback needs: its address, a token
over plain http (the SDK sends none there by itself), and no credential to ask. First every
installation is asked for, a hundred at a time; then the clock is set, and all pollers are awaited
together. `python -m benchmarks.rivals.sdk JOB`.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.polling import AsyncLROPoller
from azure.mgmt.compute import models
from azure.mgmt.compute.aio import ComputeManagementClient

from benchmarks.fake_arm import FakeArm
from benchmarks.fleet import Member, fleet
from benchmarks.measure import Figures, Job, Stopwatch, job, peak_rss_bytes, tell


class _PlainToken(SansIOHTTPPolicy[Any, Any]):
    """Azure's own policy sends no token over plain http; this one does."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = "Bearer token"


class _NoCredential:
    """Never asked, because the policy above does not ask."""

    async def get_token(self, *_: object, **__: object) -> AccessToken:
        raise RuntimeError("no token is needed")

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


async def _main(given: Job) -> Figures:
    members = fleet(given.vms)
    client = ComputeManagementClient(
        _NoCredential(),
        members[0].subscription,
        base_url=given.origin,
        authentication_policy=_PlainToken(),
    )
    arm = FakeArm(given.origin)
    async with client:
        arm.epoch(takes_s=given.takes_s, held=True)
        submitting = Stopwatch.started()
        pollers = await _begin_all(client, members, given.workers)
        submitted = submitting.read()
        arm.epoch(takes_s=given.takes_s)
        watch = Stopwatch.started()
        results = await asyncio.gather(*(poller.result() for poller in pollers))
        figures = watch.read()
    if any(result.status != "Succeeded" for result in results):
        raise RuntimeError("an installation did not succeed")
    return {
        **figures,
        "submit_wall_s": submitted["wall_s"],
        "submit_cpu_s": submitted["cpu_s"],
        "peak_rss": peak_rss_bytes(),
    }


async def _begin_all(
    client: ComputeManagementClient, members: Sequence[Member], at_once: int
) -> Sequence[AsyncLROPoller[Any]]:
    semaphore = asyncio.Semaphore(at_once)

    async def begin(vm: Member) -> AsyncLROPoller[Any]:
        async with semaphore:
            parameters = models.VirtualMachineInstallPatchesParameters(
                maximum_duration=timedelta(minutes=90),
                reboot_setting="IfRequired",
                linux_parameters=models.LinuxParameters(classifications_to_include=["Critical"]),
            )
            machines = client.virtual_machines
            return await machines.begin_install_patches("rg-bench", vm.name, parameters)

    return await asyncio.gather(*(begin(vm) for vm in members))


if __name__ == "__main__":
    # The stock loop: uvloop is not what its documentation tells people to use.
    tell({**asyncio.run(_main(job())), "loop": "asyncio"})
