"""How commands reach a run: in this process when no daemon has the database, through its door
otherwise."""

import asyncio
import getpass
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.lines import write_errors
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.loading import load_access
from orchestrator.config.settings import Access, Settings
from orchestrator.domain.words import command
from orchestrator.http.token import TokenError, read_token, token_path
from orchestrator.ports import StoreUnavailableError
from orchestrator.store.address import parse
from orchestrator.store.opening import open_reading
from orchestrator.store.sql import SqlStore
from orchestrator.store.trouble import DatabaseBusyError

if TYPE_CHECKING:
    from orchestrator.http.client import Declined

LIFT = f"`{command('resume', '--all')}` lifts it."
"""What a person can do about the fleet-wide halt."""
_MOST_WARNED = 10
"""More of what is wrong elsewhere would hide what the command has to say."""


def access_of(config: Path) -> Access:
    """Read what looking and braking need of a configuration. What is wrong elsewhere in it is told
    on stderr and stops nothing: at 03:00 the brake must work."""
    access, problems = load_access(config)
    for problem in problems[:_MOST_WARNED]:
        say(f"warning: {problem}", to_stderr=True)
    if problems:
        left = f"; {len(problems) - _MOST_WARNED} more" if len(problems) > _MOST_WARNED else ""
        say(f"warning: the configuration has errors{left}; this goes on without", to_stderr=True)
    return access


def log(settings: Access) -> None:
    """Write the errors of this process to stderr, without the secrets that the configuration
    names."""
    write_errors(_secrets(settings))


def log_at_once(settings: Access, level: str = "error") -> None:
    """Do the same for what asks Azure: it has an observer that writes lines."""
    from orchestrator.logs import configure

    configure(level, secrets=_secrets(settings))


def _secrets(settings: Access) -> list[str]:
    named = settings.azure.credential.variable if isinstance(settings, Settings) else None
    secrets = [os.environ.get(named or "", "").strip()]
    with suppress(StoreUnavailableError):  # no database URL: who opens it will say so
        secrets += parse(settings.database).secrets
    return secrets


def actor() -> str:
    """Return who is at the keyboard, as the audit log names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


@contextmanager
def signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` at the first SIGINT or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopping.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def reading(settings: Access) -> AsyncIterator[SqlStore]:
    """Open the database beside whoever works with it."""
    async with open_reading(settings.database, clock=WallClock()) as store:
        yield store


def _token(path: Path) -> str:
    try:
        return read_token(path)
    except TokenError as error:
        raise Stop(str(error), Exit.OUT_OF_REACH) from None


async def through_the_door(
    settings: Access, busy: DatabaseBusyError, body: Mapping[str, Any], hint: str = ""
) -> Mapping[str, Any]:
    """Send an act to who holds the database, as `busy` tells, and return the answer.

    `hint` is said after the refusal of a run that is open already.
    """
    from orchestrator.http.client import Declined, Sent, Unreachable, send, stranger

    token = _token(token_path(settings))
    address = f"http://{settings.http_host}:{settings.http_port}"
    if (who := await stranger(address, token)) is not None:
        raise Stop(f"{who} answers at {address}, {_behind(busy)}", Exit.OUT_OF_REACH)
    match await send(address, token, body):
        case Sent(body=answer):
            return answer
        case Declined() as declined:
            raise _refused(declined, hint)
        case Unreachable(reason=reason, maybe_taken=True):
            again = "it may have been taken: look with `orchestrator status`, then ask again"
            raise Stop(f"{reason}; {again}.", Exit.OUT_OF_REACH)
        case Unreachable(reason=reason):
            raise Stop(f"{reason}, {_behind(busy)}", Exit.OUT_OF_REACH)


def _refused(declined: "Declined", hint: str) -> Stop:
    """Return the sentence and the code of a no."""
    message = declined.message
    match declined.code:
        case _ if declined.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return Stop(message, Exit.OUT_OF_REACH)
        case "already_open":
            return Stop(f"{message}. {hint}")
        case "safe_mode":
            return Stop(f"{message}.", Exit.NEEDS_A_PERSON)
        case "halted_all":
            return Stop(f"{message}. {LIFT}", Exit.HALTED)
        case "one_run_only":
            return Stop(f"{message}.", Exit.OUT_OF_REACH)
        case _:
            return Stop(message)


def _behind(busy: DatabaseBusyError) -> str:
    """Say that who has the database cannot be reached, and what a person can do then."""
    pid = "" if busy.pid is None else f", process {busy.pid},"
    return (
        f"and the orchestrator that has the database{pid} cannot be reached there: end it with"
        " Ctrl-C or SIGTERM (its runs stay open and nothing more starts), or free the port, or"
        " give another in `http: {listen: …}`, and start it again."
    )
