"""What a move of an operation may say, held against the attempt's row, the log of acts, and the
simulated Azure's truth at that instant. It sees commits only, never the engine's own reasons."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from tests.simulation.world import World

_NO_TRACE: Final = {"unknown>queued", "unknown>failed", "unknown>skipped"}
_NO_REFUSAL: Final = {None, 401, 408, 409, 429}
_ENDED: Final = {"in_progress>verifying", "unknown>verifying"}
_REFUSED: Final = 409
"""The one answer that speaks against us where a new installation shows."""
_GRANTS: Final = {"failed>queued": "retry", "needs_human>queued": "not_started"}
_NO_GRANT: Final = ("nobody granted attempt", "may have taken attempt")
"""How the intent's transaction refuses a number that it should never have been asked for."""
Wrong = tuple[str, str]


class Conclusions:
    """Remembers what each driver could know, and says what is wrong with a move."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._received: dict[str, float] = {}
        self._claimed: dict[str, float] = {}
        self._reopened: Counter[str] = Counter()
        self.mistaken: dict[tuple[str, str], str] = {}
        """The installations of Azure's own that became the success of an operation because nobody
        could tell, by (run, VM)."""

    def received(self, attempt: str) -> None:
        """A 202 was written down."""
        self._received.setdefault(attempt, self._world.seconds())

    def taken_over(self, run_id: str) -> None:
        """A daemon has claimed a run: it can read everything that was written before."""
        self._claimed[run_id] = self._world.seconds()

    def reopened(self, run_id: str, asked: int) -> Iterator[Wrong]:
        """Yield what is wrong with a run that goes on: each resume of a person's does it once."""
        self._reopened[run_id] += 1
        if self._reopened[run_id] > asked:
            yield "INV-6", f"{run_id} goes on oftener than the {asked} times that people asked"

    def succeeded(
        self, raw: sqlite3.Connection, run_id: str, vm_id: str, attempt: str | None
    ) -> None:
        """An operation ended well: remember whose installation that was, where it was Azure's."""
        self.mistaken.pop((run_id, vm_id), None)
        if (activity := self._untold(raw, attempt)) is not None:
            self.mistaken[run_id, vm_id] = activity

    def wrong(
        self, raw: sqlite3.Connection, run_id: str, key: str, facts: dict[str, Any]
    ) -> Iterator[Wrong]:
        """Yield (invariant, sentence) for what a move should not have said."""
        attempt = facts["attempt"]
        if key == "submitting>in_progress" and not facts["receipts"]:
            yield "INV-9", f"attempt {attempt} is accepted, and its 202 is not on disk"
        if key == "submitting>unknown" and self._knew(run_id, attempt):
            yield "INV-9", f"attempt {attempt} is called unknown in spite of its receipt"
        if key == "submitting>failed" and _status(raw, attempt) in _NO_REFUSAL:
            yield "INV-22", f"attempt {attempt} failed by {_status(raw, attempt)}, no refusal"
        if (key in _NO_TRACE or facts["code"] == "no_trace") and self._early(facts["settle_at"]):
            yield "INV-22", f"attempt {attempt} was given up before {facts['settle_at']}: {key}"
        if (kind := _GRANTS.get(key)) and not _asked_for(kind, facts):
            yield "INV-1", f"a VM of {run_id} went {key} oftener than anybody asked for it"
        if key == "preparing>queued" and any(said in facts["reason"] for said in _NO_GRANT):
            yield "INV-1", f"an intent beyond the grants was tried: {facts['reason']}"
        if key.startswith("rebooting>"):
            yield from self._of_restart(run_id, key, facts)
        if key in _ENDED and self._runs(attempt) and self._untold(raw, attempt) is None:
            yield "INV-22", f"attempt {attempt} ended in the database and runs in Azure: {key}"

    def _of_restart(self, run_id: str, key: str, facts: dict[str, Any]) -> Iterator[Wrong]:
        """Yield what is wrong with the end of a restart."""
        attempt = facts["attempt"]
        made = [one for one in self._restarts() if one["client_request_id"] == attempt]
        if key == "rebooting>reboot_queued" and made:
            yield "INV-25", f"restart {attempt} is to be sent again, and Azure has made it"
        if key == "rebooting>succeeded" and not made:
            yield "INV-10", f"restart {attempt} is a success, and Azure has made none"
        if facts["code"] == "restart_doubtful" and self._knew(run_id, attempt):
            yield "INV-9", f"restart {attempt} is doubted in spite of its receipt"

    def _knew(self, run_id: str, attempt: str) -> bool:
        """Tell whether the receipt was there when the run was last taken over."""
        claimed = self._claimed.get(run_id)
        return claimed is not None and self._received.get(attempt, claimed) < claimed

    def _early(self, settle_at: str | None) -> bool:
        """Tell whether the settle instant is still to come, by every daemon's clock."""
        if settle_at is None:
            return False
        fastest = max(self._world.weather.skews)
        return self._world.now().timestamp() + fastest < _instant(settle_at)

    def _runs(self, attempt: str) -> bool:
        return any(
            one["client_request_id"] == attempt and one["ended_at"] is None
            for one in self._installations()
        )

    def _untold(self, raw: sqlite3.Connection, attempt: str | None) -> str | None:
        """Return the installation that an attempt was given, where it is one of Azure's own that
        nobody could tell from ours (`docs/guarantees.md`, what we assume): our answer was lost, and
        Resource Graph has not told of it yet, or for less than two looks."""
        given = "SELECT activity_id, http_status FROM attempt WHERE id = ?"
        activity, status = raw.execute(given, (attempt,)).fetchone() or (None, None)
        if activity is None or status == _REFUSED:
            return None
        weather = self._world.weather
        trails = timedelta(seconds=weather.graph_lag) + 2 * weather.tracking.poll
        untold = any(
            one["activity_id"] == activity
            and one["started_by"] == "Platform"
            and self._world.now() < datetime.fromisoformat(one["accepted_at"]) + trails
            for one in self._installations()
        )
        return activity if untold else None

    def _restarts(self) -> list[dict[str, Any]]:
        ledger: Any = self._world.azure.ledger(self._world.now())
        made: list[dict[str, Any]] = ledger["restarts"]
        return made

    def _installations(self) -> list[dict[str, Any]]:
        ledger: Any = self._world.azure.ledger(self._world.now())
        found: list[dict[str, Any]] = ledger["installations"]
        return found


def _asked_for(kind: str, facts: dict[str, Any]) -> bool:
    """Tell whether there were more acts of a kind than grants that came of them, before this."""
    given: int = facts["given"].count(kind)
    return given < int(facts["asked"][kind])


def _status(raw: sqlite3.Connection, attempt: str) -> int | None:
    row = raw.execute("SELECT http_status FROM attempt WHERE id = ?", (attempt,)).fetchone()
    return None if row is None else row[0]


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
