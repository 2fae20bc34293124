"""The vocabulary of these tests: orders, answers, a clock, an observer that remembers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.arm.client import ArmClient
from orchestrator.arm.clouds import CLOUDS, Cloud
from orchestrator.arm.exchange import ConnectFailed, Exchanged, HttpReply, Lost, Request, fold
from orchestrator.arm.token import FixedToken, Tokens
from orchestrator.domain.answer import Taken, Tracker
from orchestrator.domain.model import ActivityId, AttemptId, Patches, Reboot, RunId, VmId
from orchestrator.domain.record import Fact, Move
from orchestrator.ports import Order
from tests.kit.clock import HandClock

PUBLIC = CLOUDS["public"]
EVENING = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SEND_BY = HandClock(EVENING).monotonic() + 5
"""Five seconds after the evening began, on the clock that `Clock.monotonic` reads."""
SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-111111111111"
OPERATION = ActivityId("8d1ed2fc-9d51-4a24-b9c1-5a3c4e5a6b7c")
ATTEMPT = AttemptId("6f9619ff-8b86-d011-b42d-00c04fc964ff")
VM = VmId(
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-web/providers/microsoft.compute"
    "/virtualmachines/vm-1"
)
VM_URL = f"https://management.azure.com{VM}"
OPERATIONS = (
    f"https://management.azure.com/subscriptions/{SUBSCRIPTION}"
    "/providers/Microsoft.Compute/locations/westeurope/operations/"
)
SIGNATURE = "&t=638679223537039916&c=" + "MIIHpTCC" * 320 + "&s=" + "s" * 342 + "&h=" + "h" * 43
STATUS_URL = f"{OPERATIONS}{OPERATION}?p=aaaa&api-version=2025-04-01{SIGNATURE}"
LOCATION_URL = f"{OPERATIONS}{OPERATION}?p=aaaa&monitor=true&api-version=2025-04-01{SIGNATURE}"

_RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> bytes:
    """Return a document as Azure wrote it; pretty outer JSON comes with CRLF (azure-facts 2.5)."""
    return (_RECORDED / name).read_bytes().replace(b"\n", b"\r\n")


def reply(status: int, body: bytes | str = b"", **headers: str) -> HttpReply:
    """Make an answer; `retry_after="5"` is the header `retry-after`."""
    lines = ((name.replace("_", "-"), value) for name, value in headers.items())
    content = body.encode() if isinstance(body, str) else body
    return HttpReply(status=status, headers=fold(lines), body=content)


def an_order(os: str = "Linux", **members: object) -> Order:
    """Make an order that may be sent within the five seconds after the evening began."""
    wanted: dict[str, object] = {
        "vm_id": VM,
        "attempt": ATTEMPT,
        "patches": Patches(),
        "reboot": Reboot.IF_REQUIRED,
        "max_duration": timedelta(minutes=90),
        "timeout": timedelta(seconds=30),
        "send_by": SEND_BY,
    }
    return Order(**(wanted | members), os=os)  # type: ignore[arg-type]  # a test's members


class Clock(HandClock):
    """A hand clock that shows the evening, and remembers how long it was slept on."""

    def __init__(self) -> None:
        super().__init__(EVENING)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)

    def wait(self, seconds: float) -> None:
        self.turn_to(self.now() + timedelta(seconds=seconds))


class Memory:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.answered: list[tuple[str, str]] = []
        self.troubles: list[tuple[str, str]] = []

    def moved(self, move: Move) -> None:
        raise NotImplementedError

    def noted(self, run_id: RunId, fact: Fact) -> None:
        raise NotImplementedError

    def asked(self, kind: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.answered.append((kind, code))

    def late(self, seconds: float) -> None:
        raise NotImplementedError

    def troubled(self, where: str, reason: str) -> None:
        self.troubles.append((where, reason))

    def crashed(self, where: str, error: Exception) -> None:
        raise NotImplementedError


class Script:
    """A transport that answers what it was told to, and keeps what it was asked."""

    def __init__(self, *answers: Exchanged) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []

    async def exchange(self, request: Request) -> Exchanged:
        self.asked.append(request)
        return self._answers.pop(0)


TRACKER = Tracker(status_url=STATUS_URL, location_url=LOCATION_URL)
ACCEPTED = reply(
    202, azure_asyncoperation=STATUS_URL, location=LOCATION_URL, x_ms_request_id=OPERATION
)
TAKEN = Taken(tracker=TRACKER, activity=OPERATION)
EVIL = STATUS_URL.replace("management.azure.com", "evil.example")
LOST = Lost(reason="the connection broke")
UNCONNECTED = ConnectFailed(reason="no connection could be made")


class Bench:
    """A client over a script, with all that it needs."""

    def __init__(
        self, *answers: Exchanged, tokens: Tokens | None = None, cloud: Cloud = PUBLIC
    ) -> None:
        self.clock = Clock()
        self.observer = Memory()
        self.transport = Script(*answers)
        self.client = ArmClient(
            self.transport, tokens or FixedToken("a-token"), cloud, self.clock, self.observer
        )
