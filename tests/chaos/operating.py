"""The operator of the tests: looks at what Azure really started, and resolves what needs a person.

It knows the truth (the ledger), as a good operator would after a look at the portal. It remembers
every permission it gave: the judge counts with these, not with the database's own.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from orchestrator.domain.record import Resolution
from tests.acceptance.processes import FIRST, Stage

Case = tuple[str, str, str]
"""Run, VM and client request id: one attempt before a person."""


@dataclass
class Operator:
    """Resolves with the truth, and remembers it."""

    grants: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many further intents were allowed, by run and VM."""
    cases: dict[Case, Resolution] = field(default_factory=dict)

    def work(self, stage: Stage, name: str = FIRST) -> int:
        """Resolve every VM that needs a person and whose truth is settled; resume halted runs.

        Returns how many still wait. What was asked before and is not applied yet is asked again
        under the same id, which is harmless.
        """
        for run in stage.rows("v_runs", status="halted"):  # not one VM had ended well by then
            self._act(stage, name, act="resume", run=run["run_id"])
        waiting = stage.rows("v_operations", state="needs_human")
        if not waiting:
            return 0
        truth = by_request(stage.ledger())
        found: defaultdict[tuple[str, Resolution], list[Case]] = defaultdict(list)
        for row in waiting:
            resolution = what_became_of(truth.get(row["client_request_id"]))
            if resolution is not None:
                case = (row["run_id"], row["vm_id"], row["client_request_id"])
                found[row["run_id"], resolution].append(case)
        for (run_id, resolution), cases in found.items():
            self._resolve(stage, name, run_id, resolution, cases)
        return len(waiting)

    def _resolve(
        self, stage: Stage, name: str, run_id: str, resolution: Resolution, cases: list[Case]
    ) -> None:
        for case in cases:
            if resolution is Resolution.NOT_STARTED and case not in self.cases:
                self.grants[case[:2]] += 1
            self.cases[case] = resolution
        self._act(
            stage,
            name,
            act="resolve",
            run=run_id,
            vms=[vm_id.rpartition("/")[2] for _, vm_id, _ in cases],
            id=str(uuid5(NAMESPACE_URL, f"{resolution} {sorted(cases)}")),
            **{"as": resolution.value},
        )

    def _act(self, stage: Stage, name: str, **body: Any) -> None:
        because = {"because": "the ledger says so", "actor": "the operator of the tests"}
        stage.ask(name, **because, **body)


def by_request(ledger: Mapping[str, Any]) -> dict[str | None, Any]:
    """Return the installations that clients started, by their client request id."""
    return {one["client_request_id"]: one for one in ledger["installations"]}


def what_became_of(installation: Mapping[str, Any] | None) -> Resolution | None:
    """Say what a person would find; None while the installation still runs."""
    if installation is None:
        return Resolution.NOT_STARTED
    if installation["ended_at"] is None:
        return None
    failed = "Failed" in {installation["status"], installation["result"]}
    return Resolution.FAILED if failed else Resolution.SUCCEEDED
