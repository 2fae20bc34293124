"""A real daemon and real commands beside it, on an Azure that repeats what it is told."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.contract.canary.birds import VARIABLES, Here, Way
from tests.contract.canary.commands import AZURE, PLANS
from tests.contract.canary.impostors import Parrot, listening

_ROOT = Path(__file__).parents[3]
_PATIENCE_S = 60.0


def _command(*words: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "orchestrator", *words]


def _environ(**more: str) -> dict[str, str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("ORCHESTRATOR", "AZURE"))}
    return {**plain, **VARIABLES, "PYTHONPATH": str(_ROOT), **more}


def _serve(here: Here) -> None:
    """Start a daemon, ask it for what it cannot do, look at its door, stop it."""
    here.patch.setattr(Parrot, "status", 403)
    with listening(Parrot) as port:
        config = f"{AZURE % f'http://127.0.0.1:{port}'}database: sqlite:///status.db\n"
        here.folder.joinpath("orchestrator.yaml").write_text(
            f'{config}http: {{listen: "127.0.0.1:0"}}\n{PLANS}'
        )
        serve = subprocess.Popen(
            _command("serve"),
            cwd=here.folder,
            env=_environ(ORCHESTRATOR_DEBUG="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert serve.stderr is not None
            ready = next(line for line in serve.stderr if " serves " in line)
            _visit(here, ready.split()[-1])
            serve.send_signal(signal.SIGTERM)
            here.keep(ready, *serve.communicate(timeout=_PATIENCE_S))
        finally:
            serve.kill()
            serve.wait()
    _search(here)


def _visit(here: Here, address: str) -> None:
    """Post acts with the right token and with a wrong one; read what anybody may read."""
    token = here.folder.joinpath("orchestrator.token").read_text().strip()
    wish = b'{"act": "run", "plan": "m"}'
    for given in (token, token[:-1], ""):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {given}"}
        _ask(here, urllib.request.Request(f"{address}/api/v1/acts", wish, headers))  # noqa: S310 - our own server
    for path in ("livez", "readyz", "metrics", token):
        _ask(here, urllib.request.Request(f"{address}/{path}"))  # noqa: S310 - our own server


def _ask(here: Here, request: urllib.request.Request) -> None:
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as reply:  # noqa: S310 - likewise ours
            here.keep(reply.read(), str(reply.headers))
    except urllib.error.HTTPError as error:
        here.keep(error.read(), str(error.headers))


def _search(here: Here) -> None:
    """Keep every file, and see that the local token lies in its own and nowhere else."""
    files = {file.name: file.read_bytes() for file in here.folder.iterdir() if file.is_file()}
    token = files.pop("orchestrator.token").strip()
    here.keep(*files.values())
    assert not [each for each in here.heard if token in each]


def _run(here: Here) -> None:
    """Run a plan without a daemon, with every trace that there is."""
    here.patch.setattr(Parrot, "status", 403)
    with listening(Parrot) as port:
        config = f"{AZURE % f'http://127.0.0.1:{port}'}database: sqlite:///status.db\n{PLANS}"
        here.folder.joinpath("orchestrator.yaml").write_text(config)
        ran = subprocess.run(
            _command("--debug", "run", "m"),
            cwd=here.folder,
            env=_environ(PYTHONASYNCIODEBUG="1"),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    assert ran.returncode == 6, ran.stderr
    here.keep(ran.stdout, ran.stderr)
    here.keep(*(file.read_bytes() for file in here.folder.glob("status.db*")))


def ways() -> Iterator[Way]:
    """Return the ways through real processes."""
    yield Way("process · serve", _serve)
    yield Way("process · run", _run)
