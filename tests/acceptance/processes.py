"""The real processes: a simulated Azure, the daemon, and the command line, each by its own pid."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.clock import WallClock
from orchestrator.ports import StoreUnavailableError
from orchestrator.simulator.fleetfile import machine_to_json
from orchestrator.simulator.machines import Machine
from orchestrator.store.opening import open_reading

ROOT = Path(__file__).parents[2]
TOKEN = {"ACCEPTANCE_TOKEN": "a-token"}
PATIENCE_S = 110.0
_LOOK_EVERY_S = 0.1


@dataclass
class Stage:
    """A folder with a configuration, and how to start processes in it."""

    folder: Path
    azure: str
    environ: Mapping[str, str]
    port: int
    database: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; the stage ends it by its pid if nobody else does."""
        with (self.folder / f"stderr-{len(self.started)}.txt").open("w") as errors:
            process = subprocess.Popen(
                self._command(arguments),
                cwd=self.folder,
                env=dict(self.environ),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.started.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        """Start the daemon and wait until it is ready."""
        daemon = self.start("serve")
        wait_for(lambda: self.ready() or daemon.poll() is not None, "the daemon to be ready")
        assert daemon.poll() is None, self.errors()
        return daemon

    def ready(self) -> bool:
        """Ask the daemon's probe."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as got:
                return bool(got.status == 200)
        except OSError:
            return False

    def rows(self, view: str = "v_runs", **where: str) -> list[Any]:
        """Read a public view; nothing while there is no database yet."""

        async def read() -> list[Any]:
            async with open_reading(self.database, clock=WallClock(), attempts=1) as store:
                return list(await store.rows(view, **where))

        try:
            return asyncio.run(read())
        except StoreUnavailableError:
            return []

    def newest(self) -> Any:
        """Read the newest run's row of `v_runs`; zeros while there is none."""
        return next(iter(self.rows()[::-1]), Counter())

    def ledger(self) -> Any:
        """Read the truth from the simulated Azure."""
        with urllib.request.urlopen(f"{self.azure}/_sim/ledger", timeout=10) as got:
            return json.load(got)

    def installations(self) -> dict[str, int]:
        """Return how often an installation was really started, by VM id."""
        found: dict[str, int] = {}
        for each in self.ledger()["installations"]:
            found[each["vm_id"]] = found.get(each["vm_id"], 0) + 1
        return found

    def errors(self) -> str:
        """Return what the started processes said on stderr."""
        files = sorted(self.folder.glob("stderr-*.txt"))
        return "\n".join(file.read_text() for file in files)

    def _command(self, arguments: Iterable[str]) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "orchestrator", *arguments]


def wait_for(holds: Any, what: str, seconds: float = PATIENCE_S) -> None:
    """Look again and again until something holds; fail when it takes too long."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited too long for {what}"
        time.sleep(_LOOK_EVERY_S)


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def staged(
    folder: Path, fleet: Iterable[Machine], plans: str, speed: float = 60, database: str = ""
) -> Iterator[Stage]:
    """Start a simulated Azure with this fleet, and write a configuration with these plans."""
    database = database if "postgres" in database else f"sqlite:///{folder}/status.db"
    path = folder / "fleet.json"
    path.write_text(json.dumps([machine_to_json(machine) for machine in fleet]))
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR")},
        **TOKEN,
        "PYTHONPATH": str(ROOT),
        "DATABASE": database.replace("+asyncpg", ""),
    }
    stage = Stage(folder, "", environ, free_port(), database)
    try:
        options = ("--fleet", str(path), "--speed", str(speed), "--listen", "127.0.0.1:0")
        simulator = stage.start("simulate", *options)
        assert simulator.stdout is not None
        stage.azure = simulator.stdout.readline().split()[-1]
        stage.folder.joinpath("orchestrator.yaml").write_text(_config(stage, plans, database))
        yield stage
    finally:
        for process in stage.started:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """End a process that we started, by its pid."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()


def _config(stage: Stage, plans: str, database: str) -> str:
    where = "${DATABASE}" if "postgres" in database else "sqlite:///status.db"
    return f"""\
azure:
  cloud: {{endpoint: "{stage.azure}"}}
  credential: {{fixed_token: ACCEPTANCE_TOKEN}}
database: "{where}"
http: {{listen: "127.0.0.1:{stage.port}"}}
tracking: {{poll: 3s, settle: 4s, send_within: 2s, request_timeout: 3s}}
plans:
{plans}"""
