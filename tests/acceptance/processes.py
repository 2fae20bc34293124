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
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.clock import WallClock
from orchestrator.http.client import Declined, Sent, Unreachable, send
from orchestrator.http.token import read_token
from orchestrator.ports import StoreUnavailableError
from orchestrator.simulator.fleetfile import machine_to_json
from orchestrator.simulator.machines import Machine
from orchestrator.store.opening import open_reading
from orchestrator.store.sql import SqlStore

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
TOKEN = {"ACCEPTANCE_TOKEN": "a-token"}
FIRST = "orchestrator"
"""The configuration that is found without being named."""
TRACKING = "poll: 1s, settle: 4s, send_within: 5s, request_timeout: 5s"
"""Short where something ends by it, and not so short that a busy machine is late."""
_CONFIG = """\
azure:
  cloud: {{endpoint: "{endpoint}"}}
  credential: {{fixed_token: ACCEPTANCE_TOKEN}}
database: "{database}"
http: {{listen: "127.0.0.1:{port}"}}
tracking: {{{tracking}}}
plans:
{plans}"""
NOBODY = "http://127.0.0.1:1"
"""Where no Azure ever is."""
PATIENCE_S = 110.0
_LOOKS_S = (0.1, 0.5)
"""How long to wait between two looks, less at first than later: each costs a connection."""


@dataclass
class Stage:
    """A folder with a configuration, and how to start processes in it."""

    folder: Path
    azure: str
    environ: dict[str, str]
    database: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    """Where the daemon of each configuration listens."""

    def configure(
        self,
        plans: str,
        *,
        name: str = FIRST,
        endpoint: str = "",
        database: str = "",
        tracking: str = TRACKING,
    ) -> None:
        """Write a configuration for a daemon of its own port.

        `endpoint` and `database` are where the daemon believes Azure and its database to be, when
        something stands between (a PostgreSQL URL goes through the environment: it holds a
        password).
        """
        where, variable = database or self.database, f"DATABASE_{name}"
        where = where.replace(f"{self.folder}/", "")
        if "postgres" in where:
            self.environ[variable] = where.replace("+asyncpg", "")
            where = f"${{{variable}}}"
        self.ports.setdefault(name, free_port())
        text = _CONFIG.format(
            endpoint=endpoint or self.azure,
            database=where,
            port=self.ports[name],
            tracking=tracking,
            plans=plans,
        )
        (self.folder / f"{name}.yaml").write_text(text)

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

    def launch(self, name: str = FIRST) -> subprocess.Popen[str]:
        """Start the daemon of a configuration, and do not wait for it."""
        return self.start("serve", "--config", f"{name}.yaml")

    def serve(self, name: str = FIRST) -> subprocess.Popen[str]:
        """Start the daemon of a configuration and wait until it is ready."""
        daemon = self.launch(name)
        wait_for(lambda: self.ready(name) or daemon.poll() is not None, "the daemon to be ready")
        assert daemon.poll() is None, self.errors()
        return daemon

    def ready(self, name: str = FIRST) -> bool:
        """Ask a daemon's probe."""
        try:
            with urllib.request.urlopen(f"{self.door(name)}/readyz", timeout=5) as got:
                return bool(got.status == 200)
        except OSError:
            return False

    def door(self, name: str = FIRST) -> str:
        """Return the address of a daemon's HTTP door."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def ask(self, name: str = FIRST, **body: Any) -> Sent | Declined | Unreachable:
        """Send one act through a daemon's door, as the command line does."""
        token = read_token(self.folder / "orchestrator.token")
        return asyncio.run(send(self.door(name), token, body))

    def rows(self, view: str = "v_runs", **where: str) -> list[Any]:
        """Read a public view; nothing while there is no database yet."""
        try:
            return list(self.read(lambda store: store.rows(view, **where)))
        except StoreUnavailableError:
            return []

    def read(self, ask: Callable[[SqlStore], Awaitable[T]]) -> T:
        """Read the database beside whoever works with it. Raises StoreUnavailableError."""

        async def read() -> T:
            async with open_reading(self.database, clock=WallClock(), attempts=1) as store:
                return await ask(store)

        return asyncio.run(read())

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
    since, (least, most) = time.monotonic(), _LOOKS_S
    while not holds():
        waited = time.monotonic() - since
        assert waited < seconds, f"waited too long for {what}"
        time.sleep(min(max(least, waited / 10), most))


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def staged(
    folder: Path,
    fleet: Iterable[Machine],
    plans: str,
    speed: float = 60,
    database: str = "",
    tracking: str = TRACKING,
) -> Iterator[Stage]:
    """Start a simulated Azure with this fleet, and write a configuration with these plans."""
    with bare(folder, database) as stage:
        path = folder / "fleet.json"
        path.write_text(json.dumps([machine_to_json(machine) for machine in fleet]))
        options = ("--fleet", str(path), "--speed", str(speed), "--listen", "127.0.0.1:0")
        simulator = stage.start("simulate", *options)
        assert simulator.stdout is not None
        said = simulator.stdout.readline().split()
        assert said, stage.errors()
        stage.azure = said[-1]
        stage.configure(plans, tracking=tracking)
        yield stage


@contextmanager
def bare(folder: Path, database: str = "") -> Iterator[Stage]:
    """Give a stage without an Azure and a configuration; what is started on it ends with it."""
    database = database if "postgres" in database else f"sqlite:///{folder}/status.db"
    ours = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR")}
    stage = Stage(folder, NOBODY, {**ours, **TOKEN, "PYTHONPATH": str(ROOT)}, database)
    try:
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
