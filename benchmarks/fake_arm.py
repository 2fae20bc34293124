"""A very cheap Azure Resource Manager in a process of its own: compiled, started, asked, ended.

`fake_arm.c` says what it answers. It never becomes what is measured: a request costs it a few
microseconds on the other core. It is no simulator: it refuses nothing.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from typing import Final

from benchmarks.fleet import Member

AT_EPOCH: Final = 0xFFFFFFFFFFFF
"""An operation with this begin runs from the instant at which `FakeArm.epoch` was last called."""
MOST_VMS: Final = 200_000
_SOURCE: Final = Path(__file__).with_name("fake_arm.c")
_SIGNED: Final = f"t=638992800000000000&c={'M' * 2800}&s={'S' * 342}&h={'H' * 43}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as its 202 named it."""

    activity: str
    status_url: str
    location_url: str


@dataclass(frozen=True, slots=True)
class FakeArm:
    """A running server: where it is, and what it counted."""

    url: str

    def epoch(self, *, takes_s: float, retry_s: int = 1, held: bool = False) -> None:
        """Count everything anew, and begin the operations of `operation_urls` now. What is asked
        for from now on takes as long, and with `held` begins at the next epoch."""
        pace = f"takes={round(takes_s * 1000)}&retry={retry_s}&held={held:d}"
        self._ask("POST", f"/_fake/epoch?{pace}")

    def stats(self) -> Mapping[str, int]:
        """Return what was counted since the last epoch: requests by kind, VMs that were asked for
        twice, and how late polls came after the Retry-After of the answer before, in ms."""
        found: Mapping[str, int] = json.loads(self._ask("GET", "/_fake/stats"))
        return found

    def _ask(self, method: str, path: str) -> bytes:
        host = self.url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def serving(*, takes_s: float = 4.0, retry_s: int = 1) -> Iterator[FakeArm]:
    """Run a server; it ends with this process at the latest."""
    command = [_program(), str(round(takes_s * 1000)), str(retry_s), str(MOST_VMS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        try:
            port = int(process.stdout.readline())
            yield FakeArm(f"http://127.0.0.1:{port}")
        finally:
            process.stdin.close()
            process.wait(10)


def operation_urls(origin: str, vm: Member, takes_s: float, begin: int = AT_EPOCH) -> Operation:
    """Return what a 202 would have said for this VM: its id, the status URL and the location."""
    digits = f"{vm.number:08x}{begin:012x}{round(takes_s * 1000):012x}"
    guid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    place = f"{origin}/subscriptions/{vm.subscription}/providers/Microsoft.Compute/locations"
    start = f"{place}/westeurope/operations/{guid}?p=1"
    rest = f"&api-version=2025-04-01&{_SIGNED}"
    return Operation(guid, f"{start}{rest}", f"{start}&monitor=true{rest}")


@cache
def _program() -> str:
    """Compile the server into a folder that goes with this process."""
    compiler = which("gcc") or which("cc")
    if compiler is None:
        raise RuntimeError("the load tests need a C compiler (Debian: apt-get install gcc)")
    folder = tempfile.TemporaryDirectory(prefix="fake-arm-")
    _kept.append(folder)
    program = Path(folder.name) / "fake_arm"
    subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return str(program)


_kept: list[tempfile.TemporaryDirectory[str]] = []
"""The folder lives as long as the process."""
