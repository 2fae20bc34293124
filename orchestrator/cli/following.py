"""Following a run on a terminal: a live picture on a TTY, plain lines elsewhere. It steers
nothing."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.cli.events import event_line
from orchestrator.cli.progress import (
    Row,
    headline,
    in_flight,
    nobody_drives,
    waiting,
    wave_line,
)
from orchestrator.cli.text import say
from orchestrator.domain.foreign import harmless
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Brake, SafeMode
from orchestrator.ports import Clock, Store

if TYPE_CHECKING:
    from rich.live import Live

EVERY_S: Final = 0.5
_EVENTS_AT_ONCE: Final = 500
_GRACE: Final = timedelta(seconds=45)
"""How long after the end of its lease, three lease lengths, a run counts as driven by nobody: a
daemon that restarts or recovers takes it up sooner."""
_EVENTS_SHOWN: Final = 12


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, run: Row, waves: Sequence[Row], lines: Sequence[str]) -> None:
        """Show how a run stands, and the event lines that are new."""


class PlainScreen:
    """One line per event, and one per wave whose standing changed."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def show(self, run: Row, waves: Sequence[Row], lines: Sequence[str]) -> None:
        """Print what is new."""
        for line in lines:
            say(line)
        if self._last.get("run") != run["status"]:
            self._last["run"] = run["status"]
            say(headline(run, waves))


class LiveScreen:
    """The waves as bars with the newest events below, redrawn in place."""

    def __init__(self, live: "Live") -> None:
        self._live = live
        self._lines: list[str] = []

    def show(self, run: Row, waves: Sequence[Row], lines: Sequence[str]) -> None:
        """Draw the picture anew."""
        from rich.text import Text

        self._lines = [*self._lines, *lines][-_EVENTS_SHOWN:]
        picture = [headline(run, waves), *(wave_line(wave) for wave in waves), "", *self._lines]
        drawn = "\n".join(harmless(line) for line in picture)
        self._live.update(Text(drawn, no_wrap=True, overflow="ellipsis"))


class NoScreen:
    """Shows nothing: for output that programs read."""

    def show(self, run: Row, waves: Sequence[Row], lines: Sequence[str]) -> None:
        """Show nothing."""


@contextmanager
def screen() -> Iterator[Screen]:
    """Give the screen that fits standard output."""
    if not sys.stdout.isatty():
        yield PlainScreen()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), refresh_per_second=4) as live:
        yield LiveScreen(live)


async def follow(
    store: Store,
    run_id: RunId,
    clock: Clock,
    shown: Screen,
    done: Callable[[Row], Awaitable[bool]],
) -> None:
    """Show a run until it is `done`, or until it waits for the whole fleet to be let go on.

    Raises `LookupError` when there is no such run.
    """
    seen, said = 0, ""
    while True:
        run, waves = await read(store, run_id)
        events = await store.events(run_id, seen, _EVENTS_AT_ONCE)
        seen = max((int(event["seq"]) for event in events), default=seen)
        lines = [line for event in events if (line := event_line(event))]
        before, said = said, (await undriven(store, [run])).get(run_id, "")
        if said and not before:
            lines.append(said)
        shown.show(run, waves, lines)
        waits = waiting(run) > 0 and in_flight(run) == 0
        if await done(run) or (waits and await held(store) is not None):
            return
        await clock.sleep(EVERY_S)


async def held(store: Store) -> SafeMode | Brake | None:
    """Return what keeps the whole fleet from starting anything, if there is such a thing."""
    return await store.safe_mode() or await store.brake()


async def undriven(store: Store, runs: Sequence[Row]) -> Mapping[str, str]:
    """Say of each open run that nobody drives that it is so, and what to do."""
    if all(row["closed_at"] is not None for row in runs):
        return {}
    since = await store.undriven(_GRACE)
    return {
        row["run_id"]: nobody_drives(row, since[row["run_id"]])
        for row in runs
        if row["closed_at"] is None and row["run_id"] in since
    }


async def read(store: Store, run_id: RunId) -> tuple[Row, Sequence[Row]]:
    """Read a run's row and its waves' rows. Raises `LookupError` when there is no such run."""
    runs = await store.rows("v_runs", run_id=run_id)
    if not runs:
        message = f"there is no run {run_id}"
        raise LookupError(message)
    return runs[0], await store.rows("v_waves", run_id=run_id)


async def troubled(store: Store, run_id: RunId, most: int = 20) -> Sequence[Row]:
    """Read the VMs of a run that did not simply succeed, worst first, at most so many."""
    found: list[Row] = []
    for where in (
        {"state": "needs_human"},
        {"state": "failed"},
        {"outcome": "warned"},
        {"state": "skipped"},
    ):
        found += await store.rows("v_operations", run_id=run_id, **where)
    return found[:most]
