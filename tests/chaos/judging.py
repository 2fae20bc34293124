"""What should never be, found by comparing Azure's ledger with the database. Pure but `verdict`.

The observer is the simulated Azure, never the engine's own opinion: who was patched how often, by
which request. The database is asked only whether it knows.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.store import schema
from orchestrator.store.sql import SqlStore
from tests.acceptance.processes import ROOT
from tests.chaos.operating import by_request
from tests.chaos.stage import Play

Row = Mapping[str, Any]
SETTLED = {"succeeded", "failed", "skipped", "cancelled", "needs_human"}
_ENDS_OF_DOUBT = {
    "operation.accepted": "adopted",
    "operation.reported": "adopted",
    "operation.escalated": "needs a person",
    "operation.deferred": "refused",
    "operation.dropped": "refused",
    "operation.broke": "refused",
}
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a verdict rests on. `attempts` are the rows of the table, with `receipt`
    (the activity id of the 202 that is kept beside it); `broken` names audit logs."""

    ledger: Mapping[str, Any]
    runs: Sequence[Row]
    operations: Sequence[Row]
    attempts: Sequence[Row]
    events: Sequence[Row]
    grants: Mapping[tuple[str, str], int]
    broken: Sequence[str] = ()
    logs: str = ""
    """What every daemon said on stderr."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Figures, and every violation as a sentence."""

    counts: dict[str, int]
    violations: list[str] = field(default_factory=list)


def verdict(play: Play) -> Verdict:
    """Judge a stage on which every run has ended (`Play.wind_up`).

    Where something was violated, the evidence is kept in `build/chaos-evidence-SEED.json`.
    """
    evidence = gather(play)
    found = judge(evidence)
    if found.violations:
        path = ROOT / "build" / f"chaos-evidence-{play.seed}.json"
        path.parent.mkdir(exist_ok=True)
        kept = {field.name: getattr(evidence, field.name) for field in fields(evidence)}
        kept["grants"] = [[*place, times] for place, times in evidence.grants.items()]
        path.write_text(json.dumps(kept, default=str))
    return found


def gather(play: Play) -> Evidence:
    """Read the ledger and the database."""

    async def read(store: SqlStore) -> Evidence:
        runs = await store.rows("v_runs")
        chains = {run: await store.verify_chain(run) for run in ["", *(r["run_id"] for r in runs)]}
        return Evidence(
            ledger=play.stage.ledger(),
            runs=runs,
            operations=await store.rows("v_operations"),
            attempts=await store._read(_attempts),
            events=await store.rows("v_events"),
            grants=play.operator.grants,
            logs=play.stage.errors(),
            broken=[f"{run or 'system'}: {found}" for run, found in chains.items() if found],
        )

    return play.stage.read(read)


def _attempts(connection: Connection) -> list[Row]:
    """Read the attempts with their receipts; signed URLs stay where they are."""
    attempt, receipt = schema.attempt, schema.receipt
    query = select(attempt, receipt.c.activity_id.label("receipt")).outerjoin(
        receipt, receipt.c.attempt_id == attempt.c.id
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def judge(evidence: Evidence) -> Verdict:
    """Compare, and tell."""
    doubts = list(doubts_of(evidence))
    violations = [
        sentence
        for check in (_twice, _lost, _wrongly_ended, _fenced, _books)
        for sentence in check(evidence)
    ]
    violations += [sentence for doubt in doubts for sentence in _wrong_about(doubt)]
    return Verdict(
        {**_sizes(evidence), **Counter(doubt.word for doubt in doubts)},
        violations[:_MOST_TOLD],
    )


def _ours(evidence: Evidence) -> list[Row]:
    return [one for one in evidence.ledger["installations"] if one["started_by"] == "User"]


def _sizes(evidence: Evidence) -> dict[str, int]:
    ends = Counter(str(row["ended_as"]) for row in evidence.attempts)
    return {
        "runs": len(evidence.runs),
        "operations": len(evidence.operations),
        "intents": len(evidence.attempts),
        "accepted by Azure": len(_ours(evidence)),
        "granted by the operator": sum(evidence.grants.values()),
        **{f"intents that ended {end}": ends[end] for end in sorted(ends)},
    }


# ----------------------------------------------------------------------------------- never twice


def _twice(evidence: Evidence) -> Iterator[str]:
    """Accepted more often than allowed, sent more often than intended, two at once."""
    attempts = {row["id"]: row for row in evidence.attempts}
    accepted: Counter[tuple[str, str]] = Counter()
    numbers: Counter[tuple[str, str, int]] = Counter()
    for one in _ours(evidence):
        row = attempts.get(one["client_request_id"])
        if row is not None:
            accepted[row["run_id"], row["vm_id"]] += 1
            numbers[row["run_id"], row["vm_id"], row["number"]] += 1
    for place, times in accepted.items():
        if times > 1 + evidence.grants.get(place, 0):
            yield f"twice: {place} was accepted {times} times, granted {evidence.grants.get(place)}"
    for number, times in numbers.items():
        if times > 1:
            yield f"twice: attempt {number} was accepted {times} times"
    intents = Counter(row["vm_id"] for row in evidence.attempts)
    for vm_id, posts in evidence.ledger["posts"].items():
        if posts > intents[vm_id]:
            yield f"twice: {vm_id} got {posts} requests for {intents[vm_id]} intents"
    yield from _overlaps(_ours(evidence))


def _overlaps(installations: Iterable[Row]) -> Iterator[str]:
    until: dict[str, str] = {}
    for one in sorted(installations, key=lambda one: one["accepted_at"]):
        if one["accepted_at"] < until.get(one["vm_id"], ""):
            yield f"twice: {one['vm_id']} was patched by two installations at once"
        until[one["vm_id"]] = one["ends_at"] or "9"


# ------------------------------------------------------------------------------------ never lost


def _lost(evidence: Evidence) -> Iterator[str]:
    """Accepted by Azure, and not known, not ended, or written down as never sent."""
    attempts = {row["id"]: row for row in evidence.attempts}
    operations = {(row["run_id"], row["vm_id"]): row for row in evidence.operations}
    known = {row[name] for row in evidence.attempts for name in ("activity_id", "receipt")}
    seen_by_a_person = _escalated(evidence)
    for one in _ours(evidence):
        row = attempts.get(one["client_request_id"])
        if row is None:
            yield f"lost: {one['vm_id']} was patched by a request nobody intended"
            continue
        place = (row["run_id"], row["vm_id"])
        state = operations[place]["state"]
        if state not in SETTLED:
            yield f"lost: {place} is {state} at the end, and Azure accepted {one['activity_id']}"
        if row["ended_as"] not in {"accepted", "unknown"}:
            yield f"lost: {place} counts as {row['ended_as']}, and Azure accepted it"
        if one["activity_id"] not in known and row["id"] not in seen_by_a_person:
            yield f"lost: nobody knows installation {one['activity_id']} of {place}"


def _escalated(evidence: Evidence) -> set[str]:
    return {path.attempt for path in _paths(evidence) if "operation.escalated" in path.events}


def _wrongly_ended(evidence: Evidence) -> Iterator[str]:
    """An operation's end that is not what Azure says of its newest installation."""
    newest: dict[tuple[str, str], Row] = {}
    attempts = {row["id"]: row for row in evidence.attempts}
    for one in sorted(_ours(evidence), key=lambda one: one["accepted_at"]):
        if (attempt := attempts.get(one["client_request_id"])) is not None:
            newest[attempt["run_id"], attempt["vm_id"]] = one
    for row in evidence.operations:
        truth = newest.get((row["run_id"], row["vm_id"]))
        if row["state"] == "succeeded" and (truth is None or truth["result"] == "Failed"):
            yield f"false success: {row['vm_name']} in {row['run_id']}"
        if row["state"] == "failed" and truth is not None and truth["result"] == "Succeeded":
            yield f"false failure: {row['vm_name']} in {row['run_id']}: {row['reason']}"


# ------------------------------------------------------------------------------- leases and books


def _fenced(evidence: Evidence) -> Iterator[str]:
    """An intent of a daemon that had lost its lease, or two holders of one epoch."""
    holders: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    epochs: dict[str, int] = {}
    for row in sorted(evidence.attempts, key=lambda row: row["intent_at"]):
        holders[row["run_id"], row["epoch"]].add(row["holder"])
        if row["epoch"] < epochs.get(row["run_id"], 0):
            yield f"fence: {row['holder']} intended with epoch {row['epoch']}, which was over"
        epochs[row["run_id"]] = max(row["epoch"], epochs.get(row["run_id"], 0))
    for place, names in holders.items():
        if len(names) > 1:
            yield f"fence: {place} was held by {len(names)} daemons"


def _books(evidence: Evidence) -> Iterator[str]:
    """Audit logs that are not whole, tallies that do not add up."""
    yield from (f"audit log: {broken}" for broken in evidence.broken)
    states = (
        "queued preparing submitting in_progress unknown verifying needs_human succeeded warned"
    )
    states += " reboot_pending nothing_to_do failed skipped cancelled"
    for row in evidence.runs:
        if sum(row[state] for state in states.split()) != row["vms"]:
            yield f"books: the counts of {row['run_id']} do not add up to {row['vms']}"
    for line in evidence.logs.splitlines():
        if '"daemon.crashed"' in line or line.startswith("Traceback"):
            yield f"crash: {line[:400]}"


# ----------------------------------------------------------------------------------------- doubts


@dataclass(frozen=True, slots=True)
class _Path:
    """What the audit log says of one attempt, from its intent on."""

    attempt: str
    events: Mapping[str, str]
    """Event to the code of its reason, in order."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One ambiguous submit: why it was in doubt, how that ended, and what was true."""

    attempt: str
    why: str
    end: str
    arrived: bool

    @property
    def word(self) -> str:
        """Name it for the table."""
        arrived = "arrived" if self.arrived else "never arrived"
        return f"doubt ({self.why}), {self.end}: {arrived}"


def _paths(evidence: Evidence) -> Iterator[_Path]:
    """Cut each VM's events into its attempts."""
    running: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
    for row in evidence.events:
        place = (row["run_id"], row["vm_id"])
        detail = json.loads(row["detail"])
        if row["event"] == "operation.intended":
            if place in running:
                yield _Path(*running[place])
            running[place] = (detail["changed"]["operation"]["attempt_id"], {})
        if place in running:
            running[place][1].setdefault(row["event"], detail.get("code", ""))
    yield from (_Path(*each) for each in running.values())


def doubts_of(evidence: Evidence) -> Iterator[Doubt]:
    truth = by_request(evidence.ledger)
    for path in _paths(evidence):
        if "operation.doubted" not in path.events:
            continue
        names = list(path.events)
        later = names[names.index("operation.doubted") + 1 :]
        end = next((_ENDS_OF_DOUBT[name] for name in later if name in _ENDS_OF_DOUBT), "open")
        yield Doubt(path.attempt, path.events["operation.doubted"], end, path.attempt in truth)


def _wrong_about(doubt: Doubt) -> Iterator[str]:
    """A doubt that never ended, or ended with the opposite of the truth."""
    if doubt.end == "open":
        yield f"doubt: attempt {doubt.attempt} is still in doubt"
    if doubt.end == "adopted" and not doubt.arrived:
        yield f"doubt: attempt {doubt.attempt} adopted an installation that is not its own"
    if doubt.end == "refused" and doubt.arrived:
        yield f"doubt: attempt {doubt.attempt} counts as refused, and Azure had accepted it"
