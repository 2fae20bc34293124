"""The course of one installation as a value: how long, how it ends, and the result it leaves.

Only the nouns; `guest.py` settles a course at its start, `endings.py` how it goes wrong.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.simulator.patches import Patch
from orchestrator.simulator.tempers import Mishap


@dataclass(frozen=True, slots=True)
class Detail:
    """A code and a message: one entry of `error.details`, or the error of an operation."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result body: the words of the API, and the patches by their final state."""

    status: str = "Succeeded"
    reboot_status: str = "NotNeeded"
    exceeded: bool = False
    failed: tuple[Patch, ...] = ()
    installed: tuple[Patch, ...] = ()
    pending: tuple[Patch, ...] = ()
    excluded: tuple[Patch, ...] = ()
    not_selected: tuple[Patch, ...] = ()
    details: tuple[Detail, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A run from its acceptance to its end, in nominal time (the world divides it by its speed).

    `lasts` None: for ever · `status` of the operation, with its `error` where that is not Succeeded
    · `without_result` the operation brings no body · `quiet` when the agent does not answer, as
    offsets from the acceptance (until None: for ever) · `mishap` what befell it at the end.
    """

    lasts: timedelta | None
    outcome: Outcome = field(default=Outcome())
    status: str = "Succeeded"
    error: Detail | None = None
    without_result: bool = False
    quiet: tuple[timedelta, timedelta | None] | None = None
    mishap: Mishap | None = None
