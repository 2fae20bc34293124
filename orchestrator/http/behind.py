"""What stands behind the door, as the door sees it. No behaviour."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from orchestrator.domain.model import RunId
from orchestrator.domain.record import Act, Emergency, SafeMode
from orchestrator.ports import Clock, Observer
from orchestrator.service import Asked, NotOpened, Opened


class Acts(Protocol):
    """What a person may ask. Every method may raise `StoreUnavailableError`."""

    async def open_runs(self) -> Sequence[RunId]:
        """Name the runs that are not closed."""

    async def act(self, act: Act, /) -> Asked | Opened | NotOpened:
        """Write an act (`Service.act`).

        Raises `LookupError` when there is no such run, `InventoryError` when Azure would not list.
        """

    async def halt_all(self, actor: str, because: str, /) -> str:
        """Halt everything (`Service.halt_all`); return a sentence about what came of it."""

    async def resume_all(self, actor: str, because: str, /) -> str:
        """Lift the fleet-wide halt (`Service.resume_all`), likewise."""

    async def confirm(self, actor: str, because: str, /) -> str:
        """End the database's safe mode (`Service.confirm`), likewise."""

    async def disable_schedule(
        self, plan: str, until: datetime | None, actor: str, because: str, /
    ) -> str:
        """Let a plan's schedule rest (`Service.disable_schedule`). Raises `LookupError` when no
        plan of this name has one."""

    async def enable_schedule(self, plan: str, actor: str, because: str, /) -> str:
        """End that rest (`Service.enable_schedule`), likewise."""

    async def open(
        self, plan: str, actor: str, emergency: Emergency | None = None, /
    ) -> Opened | NotOpened:
        """Open a run of a configured plan now.

        Raises `LookupError` when there is no such plan, `InventoryError` when Azure would not list.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where the probes look."""

    scanned_at: Callable[[], datetime | None]
    """When the engine last looked at the open runs (`Conductor.scanned_at`)."""
    started_at: datetime
    """Until the first scan, that long ago is what counts."""
    ask_database: Callable[[], Awaitable[object]]
    """Reads something small; raises `StoreUnavailableError` when the database does not answer."""
    safe_mode: Callable[[], SafeMode | None] = lambda: None
    """Whether a person must confirm the database first (`Conductor.safe_mode`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the door waits, in seconds, and for how many."""

    request: float = 10.0
    """For a whole request to come in."""
    answer: float = 30.0
    """For the database."""
    opening: float = 600.0
    """For a run to be opened: Azure lists the whole fleet."""
    linger: float = 2.0
    """For what a refused visitor still sends, so that the refusal can be read."""
    closing: float = 10.0
    """For requests in hand when the door is closed."""
    connections: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """All that the door needs."""

    acts: Acts
    health: Health
    metrics: Callable[[], bytes]
    """The metrics in Prometheus' text format 0.0.4."""
    token: str = field(repr=False)
    nudge: Callable[[RunId], None]
    """Called after a written act or an opened run, so that its driver looks at once."""
    clock: Clock
    observer: Observer
    new_id: Callable[[], str]
    """Makes the UUID of an act that came without one."""
    patience: Patience = Patience()
