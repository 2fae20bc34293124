"""The phase of reboots: a wave that stages them is patched without one, VM by VM, and restarts what
needs it once its last VM is patched, in hours of its own and a few at a time. Pure.

Which VM is restarted next is asked anew each time, as it is with installations: nothing is
remembered here.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from orchestrator.domain import budgets, halting
from orchestrator.domain.decisions import OpenReboots
from orchestrator.domain.hours import shut_for
from orchestrator.domain.lanes import Errand
from orchestrator.domain.model import Wave
from orchestrator.domain.operation import Operation
from orchestrator.domain.view import RunView
from orchestrator.domain.window import of_restarts

RESTARTED_AT_ONCE: Final = 100
"""How many VMs are on their way to their restart together, whatever the wave permits: an intent
must not wait long for its commit."""


def patched(view: RunView, wave: Wave) -> bool:
    """Tell whether every VM of a wave is patched: none waits for its installation or has one under
    way. Whoever needs a person is not waited for."""
    tally = view.tally(wave.position)
    return tally.queued == 0 and tally.in_flight == tally.labels["rebooting"]


def begins(view: RunView, wave: Wave) -> Iterator[OpenReboots]:
    """Yield that the phase of reboots begins, with its shares fixed as counts of those that need
    one."""
    staged, vms = wave.spec.staged, view.tally(wave.position).waiting_for_reboot
    if staged is None or wave.reboots_at is not None or not vms or not patched(view, wave):
        return
    most, allowed = staged.max_parallel, staged.allow_failures
    yield OpenReboots(
        wave.position,
        vms,
        wave.max_parallel or 1 if most is None else halting.permitted(most, vms),
        None if allowed is None else halting.allowed(allowed, vms),
    )


def starts(view: RunView, wave: Wave, now: datetime) -> Iterable[Operation]:
    """Return the VMs of an open wave that may be restarted now."""
    at_once = wave.reboots_at_once
    if at_once is None or not patched(view, wave):
        return ()
    if shut_for(view, of_restarts(wave.spec), now) is not None:
        return ()
    room = [at_once - view.busy(wave.position), RESTARTED_AT_ONCE - view.hands(Errand.RESTART)]
    borne = budgets.room(view, wave)
    if borne is not None:
        room.append(borne)
    return view.to_restart(wave.position, max(0, min(room)), now)
