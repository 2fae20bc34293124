"""Who watches: triggers in the database and the simulated Azure's ledger, never the engine itself.

Each breach is a sentence that begins with the invariant of `docs/guarantees.md` it breaks.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from orchestrator.arm.exchange import Request
from tests.kit.rows import EPOCH
from tests.simulation.conclusions import Conclusions
from tests.simulation.host import Host
from tests.simulation.weather import NEEDS
from tests.simulation.world import DELTA, World

TRIGGERS: Final = Path(__file__).with_name("triggers.sql").read_text()
_A_COMMIT: Final = 0.5
"""Seconds: the breaker is looked at before an intent, not in its transaction."""
Seen = tuple[str, str, str, str, str]


def joined(windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one window of those that touch."""
    found: list[tuple[int, int]] = []
    for first, last in windows:
        if found and found[-1][1] >= first:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


class Witness:
    """Sees every commit and every POST, and writes down what should not be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent: Counter[str] = Counter()
        self._intended_at: dict[str, float] = {}
        self._halted_at: dict[str, float] = {}
        self._unknown_since: dict[tuple[str, str], float] = {}
        self._stopped_at: dict[str, float] = {}
        self.conclusions = Conclusions(world)
        self.raw: sqlite3.Connection
        self.breaches: list[str] = []
        self.counts: Counter[str] = Counter()
        """What occurred, by name: a campaign tells what it has never met."""

    def breach(self, invariant: str, what: str) -> None:
        """Write a breach down."""
        self.breaches.append(f"{invariant}: {what} (second {self._world.seconds():.3f})")

    # ------------------------------------------------------------------------ the database

    def committed(self, seen: Sequence[Seen]) -> None:
        """Look at what one transaction changed, in its order."""
        for what, run_id, vm_id, key, facts in seen:
            self._world.note(f"{what} {run_id} {vm_id} {key}")
            match what:
                case "attempt":
                    self._intended_at[key] = self._world.seconds()
                    self._intent(run_id, vm_id, json.loads(facts))
                case "start":
                    self._bounded(run_id, vm_id, json.loads(facts))
                case "run":
                    self.counts[f"run {key}"] += 1
                    self._halted(run_id, key)
                    if key.endswith(">open"):
                        resumes = json.loads(facts)["resumes"]
                        self._all(self.conclusions.reopened(run_id, resumes))
                case "passed":
                    self._passed(run_id, key, json.loads(facts))
                case "receipt":
                    self.conclusions.received(key)
                case "lease":
                    self.conclusions.taken_over(run_id)
                case _:
                    self.counts[key] += 1
                    self._doubted(run_id, vm_id, key)
                    known = json.loads(facts)
                    self.counts["held back"] += known["code"] == "quarantined"
                    self._all(self.conclusions.wrong(self.raw, run_id, key, known))
                    if key.endswith((">succeeded", ">reboot_queued")) and key[:6] != "reboot":
                        attempt = known["attempt"]
                        self.conclusions.succeeded(self.raw, run_id, vm_id, attempt)

    def _all(self, breaches: Iterable[tuple[str, str]]) -> None:
        for breach in breaches:
            self.breach(*breach)

    def refused(self, error: IntegrityError) -> None:
        """A trigger or a key of the database had to step in: the code before it did not look."""
        self.breach("INV-11", f"the database refused: {error.orig}")

    def _intent(self, run_id: str, vm_id: str, facts: dict[str, Any]) -> None:
        self.counts["intent"] += 1
        vm = vm_id.rsplit("/", 1)[-1]
        checks = {
            "INV-6 an intent in a run that is not open": facts["run"] != "open" or facts["closed"],
            "INV-4 an intent in a wave that is not open": facts["wave"] != "open",
            "INV-4 an intent before an earlier wave passed": facts["earlier"],
            "INV-6 an intent of a daemon long after it was told to stop": self._stopped(
                facts["holder"]
            ),
            "INV-7 an intent beyond a broken budget": facts["broken"],
            "INV-7 an intent beyond the run's broken budget": self._beyond(facts["bad"]),
            "INV-8 an intent beyond what runs at once": _too_many(facts),
            "INV-26 an intent for a VM of the group that is held back": facts["held"],
            "INV-25 a restart while its wave is not patched": facts["restarts"]
            and facts["unpatched"],
            "INV-13 an intent for a VM that another run holds": facts["elsewhere"],
            "INV-14 an intent outside its window, or without room in it": self._out_of_hours(
                facts["at"], 0 if facts["restarts"] else NEEDS
            ),
            "INV-14 an intent in a freeze": facts["frozen"],
            "INV-15 an intent without the lease": (facts["holder"], facts["epoch"])
            != (facts["lease_holder"], facts["lease_epoch"]),
            "INV-21 an intent while too many are unknown": self._unknown_in(run_id)
            >= self._world.weather.tracking.max_unknown,
        }
        for claim, broken in checks.items():
            if broken:
                invariant, _, what = claim.partition(" ")
                self.breach(invariant, f"{what}: {vm} of {run_id} {facts}")

    def _out_of_hours(self, at: str, needs: int) -> bool:
        """Tell whether an intent came outside the windows of this schedule, by its own clock."""
        windows = joined(self._world.weather.windows)
        minute = (datetime.fromisoformat(at) - EPOCH) / timedelta(minutes=1)
        return bool(windows) and not any(
            first <= minute and minute + needs <= last for first, last in windows
        )

    def _bounded(self, run_id: str, vm_id: str, facts: dict[str, Any]) -> None:
        """Look at what is in flight and what is bad with this start among them."""
        weather = self._world.weather
        whole = weather.run_failures
        self.counts["strict start"] += weather.strict
        self.counts["limited start"] += weather.in_flight is not None or weather.one_of_each
        checks = {
            "INV-23 a start beyond a strict budget": weather.strict
            and facts["risk"] > facts["allowed"] + 1,
            "INV-23 a start beyond the run's strict budget": weather.strict
            and whole is not None
            and facts["run_risk"] > whole + 1,
            "INV-24 a start beyond in_flight": weather.in_flight is not None
            and facts["flying"] > weather.in_flight,
            "INV-24 a second start in a cluster": weather.one_of_each and facts["cluster"] > 1,
        }
        for claim, broken in checks.items():
            if broken:
                invariant, _, what = claim.partition(" ")
                self.breach(invariant, f"{what}: {vm_id} of {run_id} {facts}")

    def told_to_stop(self, holder: str) -> None:
        """A daemon got its SIGTERM."""
        self._stopped_at.setdefault(holder, self._world.seconds())

    def _stopped(self, holder: str) -> bool:
        """Tell whether a daemon was told to stop longer ago than a commit takes. One that may be
        frozen between the two proves nothing."""
        now, frozen = self._world.seconds(), self._world.weather.freeze > 0
        return not frozen and now - self._stopped_at.get(holder, now) > _A_COMMIT / 2

    def _beyond(self, bad: int) -> bool:
        tolerated = self._world.weather.run_failures
        return tolerated is not None and bad > tolerated

    def _doubted(self, run_id: str, vm_id: str, key: str) -> None:
        if key.endswith(">unknown"):
            self._unknown_since[run_id, vm_id] = self._world.seconds()
        else:
            self._unknown_since.pop((run_id, vm_id), None)

    def _unknown_in(self, run_id: str) -> int:
        """Count the VMs of a run that have been unknown for longer than a commit takes."""
        now = self._world.seconds()
        return sum(
            run == run_id and now - since > _A_COMMIT
            for (run, _vm), since in self._unknown_since.items()
        )

    def _halted(self, run_id: str, key: str) -> None:
        if key.endswith(">open"):
            self._halted_at.pop(run_id, None)
        else:
            self._halted_at.setdefault(run_id, self._world.seconds())

    def _passed(self, run_id: str, wave: str, facts: dict[str, Any]) -> None:
        self.counts["wave passed"] += 1
        sound = (
            facts["unsettled"] == 0
            and facts["bad"] <= facts["allowed"]
            and (facts["good"] > 0 or facts["excused"])
            and (facts["baked"] or not self._world.weather.bake)
        )
        if not sound:
            self.breach("INV-5", f"wave {wave} of {run_id} passed with {facts}")

    # ------------------------------------------------------------------------ the wire

    def sent(self, host: Host, request: Request) -> None:
        """Look at a POST at the instant its first byte leaves."""
        attempt = request.headers["x-ms-client-request-id"]
        now = self._world.seconds()
        self.counts["post"] += 1
        self._sent[attempt] += 1
        if self._sent[attempt] > 1:
            self.breach("INV-2", f"attempt {attempt} was sent {self._sent[attempt]} times")
        row = self.raw.execute(
            "SELECT run_id, holder, ended_as FROM attempt WHERE id = ?", (attempt,)
        ).fetchone()
        if row is None:
            self.breach("INV-2", f"attempt {attempt} was sent without an intent")
            return
        run_id, holder, ended = row
        if holder != host.name:
            self.breach("INV-17", f"{host.name} sent the attempt of {holder}")
        if ended not in {None, "unknown"}:  # another daemon may doubt it while it is on its way
            self.breach("INV-2", f"attempt {attempt} was sent after its end ({ended})")
        if now - self._intended_at[attempt] > DELTA:
            late = now - self._intended_at[attempt]
            self.breach("INV-3", f"attempt {attempt} was sent {late:.3f} s after its intent")
        if now - self._halted_at.get(run_id, now) > DELTA:
            self.breach("INV-6", f"attempt {attempt} was sent long after its run was stopped")

    def crashed(self, where: str, error: BaseException) -> None:
        """An exception of ours reached the top: exceptions are bugs."""
        self.breach("INV-19", f"{where} crashed: {type(error).__name__}: {error}")


def _too_many(facts: dict[str, Any]) -> bool:
    """Tell whether more VMs of a wave would be busy than may: one that is to be patched holds its
    slot already, one that is to be restarted does not."""
    if facts["restarts"]:
        return bool(facts["in_flight"] + 1 > facts["at_once"])
    return bool(facts["in_flight"] > facts["most"])


class Ears:
    """The Observer port of the daemons: only a crash is of interest."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def crashed(self, where: str, error: Exception) -> None:
        self._witness.crashed(where, error)

    def __getattr__(self, name: str) -> Any:
        return _deaf


def _deaf(*_given: Any, **_named: Any) -> None:
    pass
