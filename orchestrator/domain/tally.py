"""Counting: how many operations of a wave stand where. Kept up to date one operation at a time."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from orchestrator.domain.model import Trait, Warnings, WaveSpec
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import STATE_NAMES, Failed, InFlight, NeedsHuman, Outcome, Succeeded
from orchestrator.domain.traits import traits_of

DIED_IN_BAKE: Final = "died_in_bake"
_WAITING: Final = frozenset({"queued", "reboot_queued"})


def label(op: Operation) -> str:
    """Return the word under which an operation is counted: its state, or the outcome of a success
    (design 15)."""
    return (
        op.state.outcome.value if isinstance(op.state, Succeeded) else STATE_NAMES[type(op.state)]
    )


def is_bad(op: Operation, spec: WaveSpec) -> bool:
    """Tell whether an operation counts against the budget (design 7). What a `resume` or a
    quarantine forgave does not."""
    match op.state:
        case Failed() | NeedsHuman():
            return not op.forgiven
        case Succeeded(outcome=Outcome.WARNED):
            return spec.warnings is Warnings.FAIL and not op.forgiven
        case _:
            return False


def is_bad_reboot(op: Operation, spec: WaveSpec) -> bool:
    """Tell whether an operation counts against what its phase of reboots tolerates: one that came
    back well, and died days later in the bake, does not."""
    died = isinstance(op.state, Failed) and op.state.why.code == DIED_IN_BAKE
    return op.reboot_at is not None and not died and is_bad(op, spec)


@dataclass(slots=True)
class Tally:
    """The counts of one wave. `labels` add up to the wave's VMs."""

    labels: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    bad_reboots: int = 0
    """How many of the bad ones are so since their restart, in a phase of its own."""
    in_flight: int = 0
    waiting: Counter[tuple[Trait, str]] = field(default_factory=Counter)
    """How many that wait to be patched or restarted have each trait, by its kind and value."""

    def count(self, op: Operation, spec: WaveSpec, sign: int = 1) -> None:
        """Add an operation, or take it away again with `sign` -1."""
        word = label(op)
        self.labels[word] += sign
        if word in _WAITING:
            for trait in traits_of(op):
                self.waiting[trait] += sign
        self.bad += sign * is_bad(op, spec)
        self.bad_reboots += sign * is_bad_reboot(op, spec)
        self.in_flight += sign * isinstance(op.state, InFlight)

    @property
    def queued(self) -> int:
        """Operations that were not begun."""
        return self.labels["queued"]

    @property
    def good(self) -> int:
        """Operations that ended well."""
        return sum(
            self.labels[outcome]
            for outcome in ("succeeded", "warned", "reboot_pending", "nothing_to_do")
        )

    @property
    def patched(self) -> int:
        """Operations whose installation has ended well, whatever becomes of their restart."""
        return self.good + self.waiting_for_reboot + self.labels["rebooting"]

    @property
    def waiting_for_reboot(self) -> int:
        """Operations that are patched and not restarted yet."""
        return self.labels["reboot_queued"]

    @property
    def unstarted(self) -> int:
        """Operations that ended without a start."""
        return self.labels["skipped"] + self.labels["cancelled"]

    @property
    def settled(self) -> bool:
        """Whether every operation has ended or needs a person."""
        return self.queued == 0 and self.in_flight == 0 and self.waiting_for_reboot == 0
