"""What broken VMs have in common, with the evidence (design 7). Pure; it says, it does not judge.

A trait of the failure (its code, a patch) is named where at least half of the bad VMs share it. A
trait of the VM (its image, system, region) is named where those that have it fared worse, too:
"all in westeurope" tells nothing where every VM is there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.domain.model import Trait
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import Failed, NeedsHuman, Rebooting, RebootQueued, Succeeded, Why
from orchestrator.domain.tally import is_bad
from orchestrator.domain.traits import TRAITS
from orchestrator.domain.view import RunView

_MOST_PATCHES: Final = 3
_TOLD: Final = (Succeeded, Failed, NeedsHuman, RebootQueued, Rebooting)
"""The states of VMs of which it is known how their installation ended."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A trait that bad VMs have in common: how many of them, and how the others fared."""

    kind: Trait
    value: str
    bad: int
    ended: int
    """How many VMs with this trait have ended, the bad ones included."""
    bad_others: int
    ended_others: int


def explained(view: RunView, wave: int | None, why: Why) -> Why:
    """Return a reason to halt, with what the bad VMs of the wave or the run have in common."""
    bad, ended = evidence(view, wave)
    if not bad:
        return why
    told = _one(bad[0]) if len(bad) == 1 else _many(bad, ended)
    return Why(why.code, f"{why.text}; {told}")


def evidence(view: RunView, wave: int | None) -> tuple[Sequence[Operation], Sequence[Operation]]:
    """Return the bad VMs of a wave or the run, and all that have ended there; nobody whom a
    `resume` or a quarantine accepted."""
    ended = [op for op in ended_in(view, wave) if not op.forgiven]
    return [op for op in ended if is_bad(op, view.waves[op.wave].spec)], ended


def ended_in(view: RunView, wave: int | None) -> Sequence[Operation]:
    """Return the operations of a wave or the run that were started and have ended, need a person,
    or are patched and wait for their restart."""
    return [
        op for op in view.ops.values() if wave in {None, op.wave} and isinstance(op.state, _TOLD)
    ]


def shared(bad: Sequence[Operation], ended: Sequence[Operation]) -> list[Shared]:
    """Return the traits of VMs that at least half of the bad ones share and that fared worse than
    the others, the narrowest kind first."""
    found = []
    for kind, trait in TRAITS.items():
        value, number = _commonest(trait(op) for op in bad)
        if not value or number * 2 < len(bad):
            continue
        inside = sum(trait(op) == value for op in ended)
        others = len(ended) - inside
        each = Shared(kind, value, number, inside, len(bad) - number, others)
        if others and each.bad * others > each.bad_others * inside:
            found.append(each)
    return found


def _one(op: Operation) -> str:
    code, text = _why(op)
    return f"{op.target.name}: {text}" + (f" ({code})" if code else "")


def _many(bad: Sequence[Operation], ended: Sequence[Operation]) -> str:
    told = [*_of_failures(bad), *(told_of(each, len(bad)) for each in shared(bad, ended))]
    if not told:
        return "the bad VMs have nothing in common that is known here"
    return "in common: " + ", ".join(told)


def _of_failures(bad: Sequence[Operation]) -> Iterable[str]:
    code, number = _commonest(_why(op)[0] for op in bad)
    if code and number > 1 and number * 2 >= len(bad):
        yield f"{code} ({number} of {len(bad)})"
    patches = Counter(patch for op in bad for patch in set(_patches(op)))
    common = [each for each in patches.most_common() if each[1] > 1 and each[1] * 2 >= len(bad)]
    for patch, number in common[:_MOST_PATCHES]:
        yield f"{patch} failed ({number} of {len(bad)})"


def told_of(each: Shared, bad: int) -> str:
    """Say what so many bad VMs share, and how those with it and the others fared."""
    inside = f"{each.bad} of {bad}; bad are {each.bad} of {each.ended} there"
    return (
        f"{each.kind} {each.value} ({inside}, {each.bad_others} of {each.ended_others} elsewhere)"
    )


def _commonest(values: Iterable[str]) -> tuple[str, int]:
    """Return the value that most have, of several the first by name."""
    counts = Counter(values)
    return min(counts.items(), key=lambda item: (-item[1], item[0]), default=("", 0))


def _why(op: Operation) -> tuple[str, str]:
    why = op.state.why if isinstance(op.state, Failed | NeedsHuman | Succeeded) else None
    return ("", "") if why is None else (why.code, why.text)


def _patches(op: Operation) -> Sequence[str]:
    result = op.state.result if isinstance(op.state, Failed | Succeeded) else None
    return () if result is None else result.culprits
