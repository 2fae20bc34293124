"""Bugs in the phase of reboots: who is restarted when, and what is believed of it."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_RESTARTING: Final = "orchestrator/domain/restarting.py"
_REBOOTING: Final = "orchestrator/domain/rebooting.py"

MUTANTS: Final = (
    Mutant(
        "a doubtful restart is sent again",
        "a second reboot in one night",
        (
            Edit(
                _RESTARTING,
                "            return _doubtful(reason, plan, now), AttemptEnd.UNKNOWN\n",
                "            return _busy(reason, now), AttemptEnd.NOT_SENT\n",
            ),
        ),
    ),
    Mutant(
        "a restart whose sender died is sent again",
        "nobody knows whether it had left",
        (
            Edit(
                _RESTARTING,
                "    return _doubtful(text, plan, now)\n",
                "    return _busy(text, now)\n",
            ),
        ),
    ),
    Mutant(
        "a restart whose sender died is believed to be made",
        "a VM that is up was up before, too",
        (
            Edit(
                _RESTARTING,
                "    return _doubtful(text, plan, now)\n",
                "    return _taken(plan, now)\n",
            ),
        ),
    ),
    Mutant(
        "restarts do not wait for the last patch",
        "phases are mixed: a VM is restarted while its neighbour installs",
        (
            Edit(
                _REBOOTING,
                '    return tally.queued == 0 and tally.in_flight == tally.labels["rebooting"]\n',
                "    return tally.waiting_for_reboot > 0\n",
            ),
        ),
    ),
    Mutant(
        "all are restarted at once",
        "what runs at once is written down and not looked at",
        (
            Edit(
                _REBOOTING,
                "    room = [at_once - view.busy(wave.position), RESTARTED_AT_ONCE",
                "    room = [RESTARTED_AT_ONCE, RESTARTED_AT_ONCE",
            ),
        ),
    ),
    Mutant(
        "the phase's own threshold is ignored",
        "restarts go on although more VMs than tolerated did not come back",
        (
            Edit(
                "orchestrator/domain/budgets.py",
                "    if bearable is not None and halting.exceeded(lost, bearable):\n",
                "    if bearable is not None and halting.exceeded(lost, bearable + 9):\n",
            ),
        ),
    ),
    Mutant(
        "a restart that cannot be read is asked about for ever",
        "the run never ends",
        (
            Edit(
                "orchestrator/engine/restart.py",
                "        elif state.deadline is not None and now >= state.deadline:\n",
                "        elif state.deadline is None:\n",
            ),
        ),
    ),
    Mutant(
        "a phase knows no hours",
        "VMs are restarted by day",
        (
            Edit(
                _REBOOTING,
                "    if shut_for(view, of_restarts(wave.spec), now) is not None:\n",
                "    if wave is None:\n",
            ),
        ),
        masked_by="the engine looks at the hours again, and so does the intent's transaction",
    ),
)
