"""Short ways to say what a client of Azure does, with a clock turned by hand."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.simulator.exchange import Answer, HangUp, Reply, Request
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine, OperatingSystem
from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure

EVENING = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SUBSCRIPTION = "0B1F6471-1BF0-4DDA-AEC3-111111111111"
VERSION = "2025-04-01"
SECURITY = {"classificationsToInclude": ["Critical", "Security"]}
LONG_ENOUGH = timedelta(hours=3)


def vm(
    name: str = "vm-one",
    os: OperatingSystem = "Linux",
    temper: str | Temper = "steady",
    *,
    group: str = "rg-Mixed",
    power: str = "running",
    subscription: str = SUBSCRIPTION,
    **more: Any,
) -> Machine:
    vm_id = (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Compute/virtualMachines/{name}"
    )
    behaviour = TEMPERS[temper] if isinstance(temper, str) else temper
    return Machine(vm_id, os, power=power, temper=behaviour, **{"tags": {"ring": "canary"}, **more})


def an_order(os: OperatingSystem = "Linux", **members: object) -> dict[str, object]:
    block = "windowsParameters" if os == "Windows" else "linuxParameters"
    return {
        "maximumDuration": "PT2H",
        "rebootSetting": "IfRequired",
        block: SECURITY,
        **members,
    }


class Client:
    """Asks one Azure, at the instant its hand shows."""

    def __init__(self, *machines: Machine, **settings: Any) -> None:
        settings.setdefault("base_url", "https://azure.test")
        self.azure = Azure(machines, **settings)
        self.machine = machines[0]
        self.now = EVENING
        self.token = "a-token"

    def wait(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        self.now += timedelta(seconds=seconds, minutes=minutes, hours=hours)

    def ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        usual = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return self.azure.respond(
            Request(method, url, {**usual, **(headers or {})}, body), self.now
        )

    def get(self, url: str) -> Reply:
        return replied(self.ask("GET", url))

    def read(self, path: str, query: str = "") -> Any:
        return decoded(self.get(f"{path}?api-version={VERSION}{query}"))

    def post(
        self,
        machine: Machine | None = None,
        order: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        asked = machine or self.machine
        body = json.dumps(an_order(asked.os) if order is None else order).encode()
        url = f"{asked.vm_id}/installPatches?api-version={VERSION}"
        return self.ask("POST", url, body, headers)

    def start(self, machine: Machine | None = None, **members: object) -> "Started":
        asked = machine or self.machine
        reply = replied(self.post(asked, an_order(asked.os, **members)))
        assert reply.status == 202, reply.body
        return Started(self, reply)

    def run(self, machine: Machine | None = None, **members: object) -> Any:
        """Install, wait long enough, and return the ended operation's document."""
        started = self.start(machine, **members)
        self.wait(hours=3)
        return started.status()

    def view(self, machine: Machine | None = None) -> Any:
        return self.read(f"{(machine or self.machine).vm_id}/instanceView")

    def summary(self, machine: Machine | None = None) -> Any:
        return self.view(machine).get("patchStatus", {}).get("lastPatchInstallationSummary")

    def ledger(self) -> Any:
        return self.azure.ledger(self.now)

    def installations(self) -> list[Any]:
        return list(self.ledger()["installations"])


class Started:
    """An accepted installation, by the URLs of its 202."""

    def __init__(self, client: Client, reply: Reply) -> None:
        self.client = client
        self.reply = reply
        self.url = reply.header("azure-asyncoperation") or ""
        self.location = reply.header("location") or ""
        self.id = reply.header("x-ms-request-id") or ""

    def poll(self) -> Reply:
        return self.client.get(self.url)

    def status(self) -> Any:
        return decoded(self.poll())


def replied(answer: Answer) -> Reply:
    assert isinstance(answer, Reply), answer
    return answer


def is_cut(answer: Answer) -> bool:
    return isinstance(answer, HangUp)


def decoded(reply: Reply) -> Any:
    assert reply.status == 200, (reply.status, reply.body)
    return json.loads(reply.body)


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Return status, code and message of an error."""
    reply = replied(answer)
    error = json.loads(reply.body)["error"]
    return reply.status, error["code"], error["message"]
