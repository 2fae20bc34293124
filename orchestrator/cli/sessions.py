"""How commands reach a run: in this process when no daemon has the database, through its door
otherwise."""

import asyncio
import getpass
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from orchestrator.cli.exits import Exit, Stop
from orchestrator.clock import WallClock
from orchestrator.config.settings import Settings
from orchestrator.daemon import token_path
from orchestrator.http.client import Declined, Sent, Unreachable, send
from orchestrator.http.token import TokenError, read_token
from orchestrator.store.opening import open_reading
from orchestrator.store.sql import SqlStore


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
async def reading(settings: Settings) -> AsyncIterator[SqlStore]:
    """Open the database beside whoever works with it."""
    async with open_reading(settings.database, clock=WallClock()) as store:
        yield store


def _token(path: Path) -> str:
    try:
        return read_token(path)
    except TokenError as error:
        raise Stop(str(error), Exit.OUT_OF_REACH) from None


async def through_the_door(
    settings: Settings, body: Mapping[str, Any], hint: str = ""
) -> Mapping[str, Any]:
    """Send an act to the daemon that holds the database, and return its answer.

    `hint` is said after the refusal of a run that is open already.
    """
    path: Path = token_path(settings)
    address = f"http://{settings.http_host}:{settings.http_port}"
    match await send(address, _token(path), body):
        case Sent(body=answer):
            return answer
        case Declined(status=HTTPStatus.SERVICE_UNAVAILABLE, message=message):
            raise Stop(message, Exit.OUT_OF_REACH)
        case Declined(code="already_open", message=message):
            raise Stop(f"{message}. {hint}")
        case Declined(message=message):
            raise Stop(message)
        case Unreachable(reason=reason):
            text = (
                f"another orchestrator has the database, and its door {address} is closed: {reason}"
            )
            raise Stop(text, Exit.OUT_OF_REACH)
