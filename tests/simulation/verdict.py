"""The end of a schedule: the simulated Azure's truth beside what the database says."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.store import events
from tests.contract.store.fold import folded, stored
from tests.simulation.database import Memory
from tests.simulation.witness import Witness
from tests.simulation.world import World

_MAY_BE_TAKEN = {"accepted", "unknown"}
_SETTLED = {"succeeded", "failed", "skipped", "cancelled", "needs_human"}
_WELL = {"Succeeded", "CompletedWithWarnings"}
_A_MOMENT: Final = timedelta(seconds=60)
"""How long the daemons may take to stop once people have seen that nothing goes on; and skews."""


def given(world: World, witness: Witness, memory: Memory) -> None:
    """Compare truth and record; what differs is a breach."""
    ledger: Any = world.azure.ledger(world.now())
    ours = [one for one in ledger["installations"] if one["started_by"] == "User"]
    azures = {one["activity_id"] for one in ledger["installations"]} - {
        one["activity_id"] for one in ours
    }
    rows = memory.raw
    attempts = {
        row[0]: row[1:]
        for row in rows.execute("SELECT id, run_id, vm_id, ended_as, activity_id FROM attempt")
    }
    _at_most_once(witness, memory, ours, attempts)
    _restarted_at_most_once(witness, memory, ledger["restarts"], attempts)
    _never_lost(witness, ours, attempts, azures if world.weather.graph_lag else set())
    _all_settled(world, witness, memory)
    results = {one["activity_id"]: one["result"] for one in ledger["installations"]}
    _no_false_success(witness, memory, ours, attempts, results)
    _log_is_state(witness, memory)


def _at_most_once(witness: Witness, memory: Memory, ours: Any, attempts: Any) -> None:
    accepted = Counter(
        attempts[one["client_request_id"]][:2]
        for one in ours
        if one["client_request_id"] in attempts
    )
    given = "SELECT run_id, vm_id FROM permission WHERE kind <> 'reboot'"
    grants = Counter(memory.raw.execute(given).fetchall())
    for (run_id, vm_id), number in accepted.items():
        witness.counts["accepted"] += number
        if number > 1 + grants[run_id, vm_id]:
            vm = vm_id.rsplit("/", 1)[-1]
            witness.breach("INV-1", f"{vm} of {run_id} was installed {number} times")


def _restarted_at_most_once(witness: Witness, memory: Memory, restarts: Any, attempts: Any) -> None:
    """One that somebody on the way has sent twice is refused the second time: it runs already."""
    given = "SELECT run_id, vm_id FROM permission WHERE kind = 'reboot'"
    grants = Counter(memory.raw.execute(given).fetchall())
    made: Counter[tuple[str, str]] = Counter()
    for one in restarts:
        witness.counts["restarted"] += 1
        row = attempts.get(one["client_request_id"])
        if row is None:
            witness.breach("INV-2", f"restart {one['operation_id']} is nobody's attempt")
            continue
        made[row[:2]] += 1
        if row[2] not in _MAY_BE_TAKEN:
            witness.breach("INV-9", f"a restart that was made ended as {row[2]}: {one}")
    for (run_id, vm_id), number in made.items():
        if number > grants[run_id, vm_id]:
            vm = vm_id.rsplit("/", 1)[-1]
            witness.breach("INV-25", f"{vm} of {run_id} was restarted {number} times")


def _never_lost(witness: Witness, ours: Any, attempts: Any, azures: set[str]) -> None:
    """`azures` are the installations that nobody could tell from ours in time: Azure's own, while
    Resource Graph trails (`docs/guarantees.md`, what we assume)."""
    for one in ours:
        row = attempts.get(one["client_request_id"])
        if row is None:
            witness.breach("INV-2", f"installation {one['activity_id']} is nobody's attempt")
            continue
        _run_id, _vm_id, ended, activity = row
        if ended not in _MAY_BE_TAKEN:
            witness.breach("INV-9", f"an accepted attempt ended as {ended}: {one}")
        if activity in azures:
            witness.counts["Azure's own taken for ours"] += 1
        elif activity not in {None, one["activity_id"]}:
            witness.breach("INV-9", f"an attempt was taken for another installation: {one}")


def _all_settled(world: World, witness: Witness, memory: Memory) -> None:
    """A late end of a closed run may have come to light just as the night was over: people had
    looked a moment before."""
    query = (
        "SELECT o.run_id, o.vm_id, o.state, r.closed_at IS NOT NULL, o.since"
        " FROM operation o JOIN run r ON r.id = o.run_id"
    )
    for run_id, vm_id, state, closed, since in memory.raw.execute(query):
        witness.counts[f"end {state}"] += 1
        late = closed and state == "verifying" and _just_now(world, since)
        if state not in _SETTLED and not late:
            witness.breach("INV-9", f"{vm_id.rsplit('/', 1)[-1]} of {run_id} stays {state}")


def _just_now(world: World, since: str) -> bool:
    return world.now() - datetime.fromisoformat(since) < _A_MOMENT


def _no_false_success(
    witness: Witness, memory: Memory, ours: Any, attempts: Any, results: dict[str, str | None]
) -> None:
    """One of Azure's own that was taken for ours because nobody could tell is judged by its own
    result."""
    by_attempt = {one["client_request_id"]: one for one in ours}
    newest: dict[tuple[str, str], Any] = {}
    for attempt, (run_id, vm_id, _ended, _activity) in attempts.items():
        if attempt in by_attempt:
            newest[run_id, vm_id] = by_attempt[attempt]
    query = "SELECT run_id, vm_id FROM operation WHERE state = 'succeeded'"
    for key in memory.raw.execute(query).fetchall():
        truth = newest.get(key)
        if results.get(witness.conclusions.mistaken.get(key, "")) in _WELL:
            witness.counts["a success of Azure's own taken for ours"] += 1
        elif truth is None or truth["result"] not in _WELL:
            witness.breach("INV-10", f"{key[1].rsplit('/', 1)[-1]} succeeded, but: {truth}")


def _log_is_state(witness: Witness, memory: Memory) -> None:
    def compare(connection: Any) -> None:
        for (run_id,) in memory.raw.execute("SELECT id FROM run").fetchall():
            if folded(connection, run_id) != stored(connection, run_id):
                witness.breach("INV-18", f"the log of {run_id} does not give its rows")
            broken = events.verify_chain(connection, run_id)
            if broken is not None:
                witness.breach("INV-18", f"the chain of {run_id} breaks: {broken}")

    memory.run(compare)
