"""The command line in this process, on configurations and databases that are wrong."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.cli import run, wishing
from orchestrator.clock import WallClock
from tests.contract.canary.birds import DSN, MARK, PASSWORD, TOKEN, VARIABLES, Here, Way
from tests.contract.canary.impostors import Babbler, Mute, Parrot, Teller, listening

PLANS = "plans: [{name: m, waves: [{name: a, select: {tags: {ring: x}}}]}]\n"
AZURE = (
    'azure: {cloud: {endpoint: "%s"}, credential: {fixed_token: CANARY_TOKEN},'
    " subscriptions: [0de30000-0000-4000-8000-000000000001]}\n"
)
_NOWHERE = "http://127.0.0.1:1"

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "status json": ("status", "--json"),
    "watch": ("status", "m-1", "--watch"),
    "run": ("run", "m"),
    "serve": ("serve",),
    "pause": ("pause", "m-1"),
    "halt": ("halt", "--because", "x"),
    "retry": ("retry", "m-1", "vm-1", "--because", "x"),
    "resolve": ("resolve", "--because", "x", "--as", "failed"),
    "db upgrade": ("db", "upgrade"),
    "db check": ("db", "check"),
    "debug": ("--debug", "status"),
}
"""Every command that opens the database."""


def go(here: Here, config: str, *command: str) -> None:
    """Run a command on a configuration, without its patience."""
    file = here.folder / "orchestrator.yaml"
    file.write_text(config, encoding="utf-8")
    for name, value in VARIABLES.items():
        here.patch.setenv(name, value)
    here.patch.setenv("ORCHESTRATOR_DEBUG", "0")
    patiently = WallClock.sleep

    async def briefly(self: WallClock, seconds: float) -> None:
        await patiently(self, min(seconds, 0.001))

    here.patch.setattr(WallClock, "sleep", briefly)
    here.patch.setattr(wishing, "_WAIT_S", 0.0)
    at = 1 if command[0].startswith("--") else 0
    words = [*command[: at + 1], *command[at + 1 :], "-c", str(file)]
    assert run(words) != 0, "this is no error path"


# ------------------------------------------------------------------------------ configurations

_WRONG: Mapping[str, str] = {
    "a DSN": f"database: {DSN}",
    "a DSN in a list": f"database: [{DSN}]",
    "a DSN in a mapping": f'database: {{url: "{DSN}"}}',
    "a DSN in two keys": f'database: "{DSN}"\ndatabase: "{DSN}"',
    "a DSN as a key": f'"{DSN}": 1',
    "a DSN as a plan": f'plans: ["{DSN}"]',
    "a DSN in a text of lines": f"database: |\n  {DSN}",
    "a DSN with a broken quote": f'database: "{DSN}',
    "a DSN behind a tab": f"database:\t{DSN}\n\t- x",
    "a DSN with a colon": f"database: postgresql://kim: {MARK}@h/f",
    "a DSN with a control": f'database: "postgresql://kim:{MARK}\x07@h/f"',
    "a DSN of SQLite": f'database: "sqlite:///x.db?password={MARK}"',
    "a DSN as the door": f'http: {{listen: "kim:{MARK}@127.0.0.1:80"}}',
    "a password": f"password: {MARK}",
    "a password in a mapping": f"database: {{password: {MARK}}}",
    "a password that is an alias": f"database: *{MARK}",
    "a password that is a tag": f"database: !{MARK} x",
    "a password that is a global tag": f"database: !<tag:{MARK}> x",
    "a password that is an anchor": f"database: &{MARK} x\nx: *{MARK}",
    "a password in a reference": f'database: "${{{MARK}}}"',
    "a password for a reference": 'database: "postgresql://kim@h:${CANARY_PASSWORD}/f"',
    "a password for a scheme": 'database: "${CANARY_PASSWORD}"',
    "a password for a host": 'database: "postgresql://${CANARY_PASSWORD}:${CANARY_PASSWORD}/f"',
    "a password from a file": 'database: "${file:secret.txt}"',
    "a token": f"azure: {{token: {TOKEN}}}",
    "a token for a variable": f"azure: {{credential: {{fixed_token: {TOKEN}}}}}",
    "a word for a variable": f"azure: {{credential: {{fixed_token: {MARK}0123}}}}",
    "a token for a credential": f"azure: {{credential: {TOKEN}}}",
    "a bearer": f'azure: {{cloud: "Bearer {TOKEN}"}}',
    "a secret of a client": f"azure: {{credential: {{client_secret: {MARK}}}}}",
    "an endpoint with a user": f'azure: {{cloud: {{endpoint: "https://kim:{MARK}@h"}}}}',
    "an endpoint with a signature": f'azure: {{cloud: {{endpoint: "https://h/?sig={MARK}"}}}}',
    "an authority with a user": f'azure: {{cloud: {{authority: "https://kim:{MARK}@h"}}}}',
    "an audience with a user": f'azure: {{cloud: {{audience: "https://kim:{MARK}@h"}}}}',
    "the door's token": f"http: {{token: {MARK}}}",
    "a key of an API": f"plans: [{{name: m, api_key: {MARK}}}]",
    "a gate with a user": f"plans: [{{name: m, waves: [{{select: {{tags: {{a: b}}}},"
    f' check: [{{http: "https://kim:{MARK}@x/"}}]}}]}}]',
    "a gate with a token": f"plans: [{{name: m, waves: [{{select: {{tags: {{a: b}}}},"
    f' check: [{{http: "ftp://x/?token={MARK}"}}]}}]}}]',
    "a wave's hook": f'defaults: {{before: [{{http: "https://x/?token={MARK}"}}]}}',
    "nothing but a secret": MARK,
    "an environment": f"env: {{AZURE_CLIENT_SECRET: {MARK}}}",
}


def _configurations() -> Iterator[Way]:
    for name, wrong in _WRONG.items():
        config = wrong if "plans" in wrong or wrong == MARK else f"{wrong}\n{PLANS}"
        for command in (("validate",), ("validate", "--json"), ("db", "check"), ("run", "m")):

            def walk(here: Here, config: str = config, command: tuple[str, ...] = command) -> None:
                here.folder.joinpath("secret.txt").write_text(PASSWORD)
                go(here, config, *command)

            yield Way(f"config · {name} · {' '.join(command)}", walk)


# ---------------------------------------------------------------------------------- databases

_DSNS: Mapping[str, str] = {
    "nobody there": DSN,
    "an at in it": f"postgresql://kim:p@{MARK}@127.0.0.1:1/fleet",
    "an at and a colon in it": f"postgresql://kim:p@ss:{MARK}@127.0.0.1/fleet",
    "a hash in it": f"postgresql://kim:#{MARK}@127.0.0.1:1/fleet",
    "a slash in it": f"postgresql://kim:a/{MARK}@127.0.0.1:1/fleet",
    "a space in it": f"postgresql://kim:{MARK} x@127.0.0.1:1/fleet",
    "a broken escape in it": f"postgresql://kim:%zz{MARK}@127.0.0.1:1/fleet",
    "for a port": f"postgresql://kim@127.0.0.1:{MARK}/fleet",
    "for a user": f"postgresql://:{MARK}@127.0.0.1:1/fleet",
    "another database": f"mysql://kim:{MARK}@127.0.0.1/fleet",
    "no scheme": f"kim:{MARK}@127.0.0.1/fleet",
    "in the query": f"postgresql://kim@127.0.0.1:1/fleet?password={MARK}",
    "in an unknown key": f"postgresql://kim@127.0.0.1:1/fleet?passwort={MARK}",
    "for the mode of TLS": f"postgresql://kim:{MARK}@127.0.0.1:1/fleet?sslmode={MARK}",
    "half an address": f"postgresql://kim:{MARK}@[::1/fleet",
    "a port too high": f"postgresql://kim:{MARK}@127.0.0.1:99999/fleet",
    "no database": f"postgresql://kim:{MARK}@127.0.0.1:1",
    "a socket": f"postgresql://kim:{MARK}@/fleet?host=/nonexistent",
    "a server that tells it": f"postgresql://kim:{MARK}-in-clear@127.0.0.1:%d/fleet",
    "a server that is none": f"postgresql://kim:{MARK}@127.0.0.1:%d/fleet",
    "a server that hangs up": f"postgresql://kim:{MARK}@127.0.0.1:%d/fleet",
}
_SERVERS = {
    "a server that tells it": Teller,
    "a server that is none": Babbler,
    "a server that hangs up": Mute,
}


def _databases() -> Iterator[Way]:
    config = f'{AZURE % _NOWHERE}database: "${{CANARY_DSN}}"\n{PLANS}'
    for name, dsn in _DSNS.items():
        for title, command in COMMANDS.items():

            def walk(
                here: Here,
                name: str = name,
                dsn: str = dsn,
                command: tuple[str, ...] = command,
            ) -> None:
                here.patch.setitem(VARIABLES, "CANARY_DSN", dsn)
                if name not in _SERVERS:
                    go(here, config, *command)
                    return
                with listening(_SERVERS[name]) as port:
                    here.patch.setitem(VARIABLES, "CANARY_DSN", dsn % port)
                    go(here, config, *command)

            yield Way(f"database · {name} · {title}", walk)


def _corrupt(file: Path) -> None:
    file.write_bytes(os.urandom(8192))


def _foreign(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
        other.execute("INSERT INTO alembic_version VALUES ('9999')")
    other.close()


_FILES = {"a folder": Path.mkdir, "noise": _corrupt, "a newer schema": _foreign}


def _files() -> Iterator[Way]:
    """A SQLite file knows no password; the token is in the environment all the same."""
    for name, make in _FILES.items():
        for title, command in COMMANDS.items():

            def walk(here: Here, make: object = make, command: tuple[str, ...] = command) -> None:
                assert callable(make)
                make(here.folder / "status.db")
                go(here, f"{AZURE % _NOWHERE}database: sqlite:///status.db\n{PLANS}", *command)

            yield Way(f"file · {name} · {title}", walk)


# -------------------------------------------------------------------------------------- Azure

_STATUSES = (200, 202, 307, 400, 401, 403, 404, 429, 500, 503)
_FORMS = ("error", "code", "detail", "nested", "page", "redirect", "headers", "next", "cut")


def _azures() -> Iterator[Way]:
    """`run` lists the fleet of an Azure that repeats whatever it is told."""
    for status in _STATUSES:
        for form in _FORMS:

            def walk(here: Here, status: int = status, form: str = form) -> None:
                here.patch.setattr(Parrot, "status", status)
                here.patch.setattr(Parrot, "form", form)
                with listening(Parrot) as port:
                    azure = AZURE % f"http://127.0.0.1:{port}"
                    go(here, f'{azure}database: "{here.database()}"\n{PLANS}', "run", "m")
                here.keep(*(file.read_bytes() for file in here.folder.glob("status.db*")))

            yield Way(f"Azure · {status} {form} · run", walk)


def ways() -> Iterator[Way]:
    """Return every way of the command line."""
    yield from _configurations()
    yield from _databases()
    yield from _files()
    yield from _azures()
