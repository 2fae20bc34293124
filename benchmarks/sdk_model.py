"""azure-mgmt-compute in a race: a *model* of the SDK in virtual time, not the SDK itself, whose CPU
for a million requests nobody would wait for.

It does what azure-core 1.41 does by default: three retries of a status, after its Retry-After where
there is one, of a POST also after 500, 503 and 504; polls after the Retry-After or 30 s; a poll
that fails after its retries raises, although the installation goes on; at the end one more GET of
the Location. Around it stands the script that people write: `gather` over all VMs, a semaphore
around each begin.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

from benchmarks.virtual import ENDPOINT, Finish, Wires, seconds
from orchestrator.arm.exchange import HttpReply, Request
from orchestrator.simulator.machines import Machine
from tests.simulation.loop import pause

AT_ONCE: Final = 100
"""How many begins the script's semaphore lets through."""
_BACKOFFS_S: Final = (0.0, 1.6, 3.2, None)
"""Before each of the three retries of a status, where no Retry-After says otherwise."""
POLL_S: Final = 30.0
_REPEATED: Final = {"GET": {408, 429, 500, 502, 503, 504}, "POST": {500, 503, 504}}
_BODY: Final = json.dumps(
    {
        "maximumDuration": "PT1H30M",
        "rebootSetting": "IfRequired",
        "linuxParameters": {"classificationsToInclude": ["Critical", "Security"]},
    }
).encode()


class GaveUpError(Exception):
    """What the SDK raises as `HttpResponseError`."""


async def raced(wires: Wires, machines: Sequence[Machine]) -> Finish:
    """Patch the machines of a simulated Azure, as a script does."""
    semaphore = asyncio.Semaphore(AT_ONCE)
    noticed: dict[str, float] = {}

    async def install(machine: Machine) -> None:
        async with semaphore:
            begun = await _send(wires, "POST", f"{ENDPOINT}{machine.vm_id}/installPatches")
        await _result(wires, begun)
        noticed[machine.key] = seconds()

    came = await asyncio.gather(*(install(one) for one in machines), return_exceptions=True)
    unexpected = [each for each in came if each is not None and not isinstance(each, GaveUpError)]
    if unexpected:
        raise RuntimeError("the model of the SDK is broken") from unexpected[0]
    return Finish(noticed, len(machines) - len(noticed), seconds())


async def _result(wires: Wires, begun: HttpReply) -> None:
    """Poll as `AsyncLROBasePolling` does until the operation has ended, then get its result."""
    url, answer = begun.headers.get("azure-asyncoperation", ""), begun
    while True:
        await pause(_retry_after(answer) or POLL_S)
        answer = await _send(wires, "GET", url)
        status = _status(answer)
        if status == "Succeeded":
            await _send(wires, "GET", begun.headers["location"])
            return
        if status in {"Failed", "Canceled"}:
            return


async def _send(wires: Wires, method: str, url: str) -> HttpReply:
    """Send a request through the retry policy; a status that is none of 200, 201, 202 and 204
    raises."""
    query = "" if "?" in url else "?api-version=2025-04-01"
    headers = {"authorization": "Bearer token", "content-type": "application/json"}
    body = _BODY if method == "POST" else b""
    request = Request(method=method, url=f"{url}{query}", headers=headers, body=body, timeout=300.0)
    for backoff in _BACKOFFS_S:
        came = await wires.exchange(request)
        if isinstance(came, HttpReply) and came.status in {200, 201, 202, 204}:
            return came
        if backoff is None or not _is_repeated(method, came):
            raise GaveUpError(f"{method}: {came!r}")
        wait = _retry_after(came) if isinstance(came, HttpReply) else None
        await pause(wait or backoff)
    raise RuntimeError("after the last time there is none")


def _is_repeated(method: str, came: object) -> bool:
    """Tell whether the retry policy sends a request again: an answer with a Retry-After always, a
    lost connection only of a GET."""
    if not isinstance(came, HttpReply):
        return method == "GET"
    return _retry_after(came) is not None or came.status in _REPEATED[method]


def _retry_after(reply: HttpReply) -> float | None:
    value = reply.headers.get("retry-after")
    return float(value) if value else None


def _status(reply: HttpReply) -> str:
    try:
        return str(json.loads(reply.body)["status"])
    except (ValueError, KeyError, TypeError):
        raise GaveUpError("the status could not be read") from None
