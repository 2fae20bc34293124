"""What happens inside a machine that is told to install, settled at its start.

Pure: a machine, an order, what is on offer and the run's luck in; a `Course` out. The rules are
those of the guests (azure-facts 1.1: durations; 5.4: reboots and results).
"""

from dataclasses import replace
from datetime import timedelta

from orchestrator.simulator import draws, endings
from orchestrator.simulator.course import Course, Detail, Outcome
from orchestrator.simulator.machines import Machine, OperatingSystem
from orchestrator.simulator.orders import Order
from orchestrator.simulator.patches import Patch, Selection, sort_out
from orchestrator.simulator.tempers import Reboot

_MINUTE = timedelta(minutes=1)
_PER_PATCH = {"Windows": timedelta(seconds=60), "Linux": timedelta(seconds=25)}

Luck = tuple[object, ...]


def settle(
    machine: Machine,
    order: Order,
    patches: tuple[Patch, ...],
    luck: Luck,
    *,
    reboot_pending: bool = False,
) -> Course:
    """Settle what this run will do with the patches on offer; `luck` makes its draws its own.
    `reboot_pending`: patches of an earlier run still need a reboot (azure-facts 5.4)."""
    selection = sort_out(patches, order)
    if not order.readable:
        return _unreadable(machine, selection)
    run = _install(machine, order, selection, luck, reboot_pending=reboot_pending)
    return endings.befall(machine, endings.end(machine, run))


def _unreadable(machine: Machine, selection: Selection) -> Course:
    """The Linux extension cannot read the duration: it exits, and the operation fails."""
    outcome = Outcome(
        status="Failed",
        pending=selection.selected,
        excluded=selection.excluded,
        not_selected=selection.not_selected,
    )
    error = endings.platform_error("VMExtensionProvisioningError", machine)
    return Course(lasts=_MINUTE, outcome=outcome, status="Failed", error=error)


def _install(
    machine: Machine, order: Order, selection: Selection, luck: Luck, *, reboot_pending: bool
) -> Course:
    """Install as much as the window allows, and reboot if it must and may."""
    temper, selected = machine.temper, selection.selected
    work, reboot = _times(machine, len(selected), luck)
    count = len(selected)
    share = _share_that_fits(machine, order, work) if selected else 1.0
    if share < 1.0:
        count, work = int(count * share), max(2 * _MINUTE, work * share)
    installed = selected[:count]
    outcome = Outcome(
        status="Failed" if share < 1.0 else "Succeeded",
        exceeded=share < 1.0,
        installed=installed,
        pending=selected[count:],
        excluded=selection.excluded,
        not_selected=selection.not_selected,
    )
    needed = any(patch.reboots for patch in installed)
    if temper.needs_reboot is not None:
        needed = temper.needs_reboot and bool(installed)
    needed = needed or reboot_pending
    if order.reboot == "Never":
        outcome = _reboot_withheld(machine.os, outcome) if needed else outcome
        return Course(lasts=work, outcome=outcome)
    if needed or order.reboot == "Always":
        return _rebooted(machine.temper.reboot, outcome, work, reboot)
    return Course(lasts=work, outcome=outcome)


def _times(machine: Machine, patches: int, luck: Luck) -> tuple[timedelta, timedelta | None]:
    """Return the length of work and reboot: minutes for few patches, 20 for 32 and a reboot.

    A temper's length is that of both together: the reboot is then None.
    """
    if machine.temper.takes is not None:
        return machine.temper.takes, None
    pace = 0.7 + 0.6 * draws.fraction(*luck, "pace")
    work = (2 * _MINUTE + patches * _PER_PATCH[machine.os]) * pace
    return work, (4 + 4 * draws.fraction(*luck, "reboot")) * _MINUTE


def _share_that_fits(machine: Machine, order: Order, work: timedelta) -> float:
    """Return the share of the work that is done before the window is over; 1.0 for all of it.

    The guests keep time free at the end: Windows 15 + 10 minutes, Linux 5, and 15 for a reboot it
    may do.
    """
    if machine.temper.overruns:
        return 0.5
    linux = 5 if order.reboot == "Never" else 20
    room = order.maximum - (25 if machine.os == "Windows" else linux) * _MINUTE
    return min(1.0, max(0.0, room / work))


def _rebooted(
    manner: Reboot, outcome: Outcome, work: timedelta, reboot: timedelta | None
) -> Course:
    words = {Reboot.COMPLETES: "Completed", Reboot.FAILS: "Failed", Reboot.NEVER_RETURNS: "Started"}
    status = "Failed" if manner is Reboot.FAILS else outcome.status
    lasts = work if reboot is None else work + reboot
    leaves = work * 0.75 if reboot is None else work
    back = None if manner is Reboot.NEVER_RETURNS else lasts
    outcome = replace(outcome, status=status, reboot_status=words[manner])
    return Course(lasts=lasts, outcome=outcome, quiet=(leaves, back))


def _reboot_withheld(os: OperatingSystem, outcome: Outcome) -> Outcome:
    if os == "Windows":
        return replace(outcome, reboot_status="Required")
    message = (
        "Machine is Required to reboot. However, the customer-specified reboot setting "
        "doesn't allow reboots."
    )
    return endings.warned(replace(outcome, reboot_status="Required"), Detail("ERROR", message))
