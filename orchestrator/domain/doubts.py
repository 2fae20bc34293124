"""Where requests are of unknown fate: what the breaker counts (design 5.6). Pure."""

from orchestrator.domain.lanes import Place, place_of
from orchestrator.domain.model import VmId
from orchestrator.domain.operation import Operation
from orchestrator.domain.states import NeedsHuman, Unknown


class Doubts:
    """The VMs of a run, by place, that Azure may have taken: unknown, or ended without a trace."""

    def __init__(self) -> None:
        self._of: dict[Place, dict[VmId, bool]] = {}

    def put(self, op: Operation) -> None:
        """Take in an operation's newest row."""
        place, vm = place_of(op), op.target.vm_id
        unknown = isinstance(op.state, Unknown)
        if unknown or (isinstance(op.state, NeedsHuman) and op.state.why.code == "no_trace"):
            self._of.setdefault(place, {})[vm] = unknown
        elif place in self._of:
            self._of[place].pop(vm, None)

    def places(self, most: int) -> frozenset[Place]:
        """Return the places in which so many VMs or more are doubtful."""
        return frozenset(place for place, vms in self._of.items() if len(vms) >= most)

    def number(self, place: Place) -> int:
        """Return how many VMs of a place are unknown or ended without a trace."""
        return len(self._of.get(place, ()))

    def unknown(self, place: Place) -> int:
        """Return how many VMs of a place are unknown at this moment."""
        return sum(self._of.get(place, {}).values())

    def standing(self) -> dict[Place, frozenset[VmId]]:
        """Return who is doubtful where, for the test that compares a lived view with a fresh
        one."""
        return {place: frozenset(vms) for place, vms in self._of.items() if vms}
