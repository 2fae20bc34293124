"""Bugs in when something may start: windows and freezes."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_HOURS: Final = "orchestrator/domain/hours.py"
_INTENTS: Final = "orchestrator/store/intents.py"

MUTANTS: Final = (
    Mutant(
        "no window and no freeze is read anywhere",
        "VMs start in the morning, and in Black Week",
        (
            Edit(
                _HOURS,
                "    return shut(spec, view.freezes, now)\n",
                "    return None\n",
            ),
            Edit(
                _INTENTS,
                "    first, last = min(times), max(times)\n",
                "    return None\n    first, last = min(times), max(times)\n",
            ),
        ),
    ),
)
