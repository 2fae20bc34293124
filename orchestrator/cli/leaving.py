"""When `run --no-wait` leaves a run that stays open, and what it says then."""

from orchestrator.cli.progress import Row, in_flight, to_start
from orchestrator.cli.text import say
from orchestrator.cli.viewing import view_of
from orchestrator.clock import WallClock
from orchestrator.domain.foreign import harmless
from orchestrator.domain.model import RunId
from orchestrator.domain.standstill import standstill
from orchestrator.domain.waits import Hold
from orchestrator.ports import Store


class Leave:
    """Whether a follower that does not wait may go, by what the run waits for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hold: Hold | None = None

    async def may(self, run: Row) -> bool:
        """Tell whether nothing of a run is in flight and nothing of it moves by itself soon.

        Its row is cheap and the whole run is not: that is read only where the row allows it.
        """
        if in_flight(run) == 0:
            now = WallClock().now()
            view = await view_of(self._store, RunId(run["run_id"]), now)
            self._hold = standstill(view, now)
        return self._hold is not None

    def told(self, run: Row) -> None:
        """Say what a run that is left open waits for, what ends that, and who goes on with it."""
        if self._hold is None or run["closed_at"] is not None:
            return
        for line in (
            f"run {run['run_id']} stays open: {self._hold.text}",
            f"      ends: {self._hold.ends}",
            f"a daemon takes care of it; where none runs, {to_start(run)}",
        ):
            say(harmless(line), to_stderr=True)
