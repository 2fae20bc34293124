"""The vocabulary of these tests: what was written, moves, hostile words, errors."""

import io
import json
from typing import Any

from orchestrator.domain.model import AttemptId
from orchestrator.domain.operation import Accepted, Broke, transition
from orchestrator.domain.record import Move
from orchestrator.domain.states import FailureClass, Preparing, Submitting, Why
from tests.kit.rows import EPOCH, an_operation

ATTEMPT = AttemptId("6f9619ff-8b86-4011-b42d-00c04fc964ff")
CANARY = "CaNaRy0123456789"
HOSTILE = "vm\x1b[2J\r\n{}\u202etxt\u2028\x00\x9b"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Lines:
    """What was written, read back."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def raw(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().split("\n")[:-1]]

    @property
    def only(self) -> dict[str, Any]:
        [line] = self.all
        return line


def accepted() -> Move:
    before = an_operation(state=Submitting(ATTEMPT, EPOCH, None), attempt=2)
    event = Accepted(EPOCH, None, EPOCH, tracked=True)
    return Move(before=before, after=transition(before, event), event=event, actor="daemon")


def broken(text: str = "KB5068861 failed with 0x80070643") -> Move:
    before = an_operation(state=Preparing(EPOCH))
    event = Broke(EPOCH, FailureClass.GUEST, Why("guest", text))
    return Move(before=before, after=transition(before, event), event=event, actor="daemon")


def throw(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def caught(error: Exception) -> Exception:
    """Return the error with a traceback."""
    try:
        throw(error)
    except Exception as thrown:  # noqa: BLE001 - it is what we threw
        return thrown
    return error
