"""The `Gates` port for tests: what each URL answers is set by hand."""

from dataclasses import dataclass, field

from orchestrator.domain.gate import GateSpec, Reading


@dataclass
class HandGates:
    """Green unless told otherwise; remembers what was asked."""

    red: dict[str, str] = field(default_factory=dict)
    """What is said by the gates that are red, by URL."""
    asked: list[str] = field(default_factory=list)

    async def read(self, gate: GateSpec) -> Reading:
        self.asked.append(gate.url)
        said = self.red.get(gate.url)
        return Reading(said is None, said or "status 200")
