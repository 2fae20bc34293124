"""In which order the VMs of a wave are started (design 8). Pure and deterministic: it is decided
once, when the run opens, and kept as each VM's rank.

A rank is an order among those that may start; what is blocked by a limit, or was deferred, lets
the others pass.
"""

from collections.abc import Sequence
from hashlib import blake2b

from orchestrator.domain.durations import Durations
from orchestrator.domain.model import Order, RunId, Target, VmId, WaveSpec


def ordered(
    members: Sequence[Target], spec: WaveSpec, run_id: RunId | None, durations: Durations
) -> Sequence[Target]:
    """Return the members of a wave in the order of their starts; they come as they are listed.

    Without a run there is no lot to draw yet, and what is shuffled stays as listed.
    """
    match spec.order:
        case Order.SHUFFLE if run_id is not None:
            return sorted(members, key=lambda member: _lot(run_id, member.vm_id))
        case Order.LONGEST_FIRST:
            return _longest_first(members, spec, durations)
        case _:
            return members


def _lot(run_id: RunId, vm: VmId) -> bytes:
    """Draw a VM's lot: the same in the same run, on whatever machine."""
    return blake2b(f"{run_id}\n{vm}".encode(), digest_size=8).digest()


def _longest_first(
    members: Sequence[Target], spec: WaveSpec, durations: Durations
) -> Sequence[Target]:
    """Sort by what is expected of each: its own past on top of its system's. Of equals the order is
    as listed."""

    def expected(member: Target) -> float:
        group = (member.os, spec.reboot)
        return durations.curve(group).upper(0.0, 0.5) * durations.scale(member.vm_id, group)

    return sorted(members, key=expected, reverse=True)
