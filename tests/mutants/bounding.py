"""Bugs in what bounds a start: strict budgets, limits, and counting beside others."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_BUDGETS: Final = "orchestrator/domain/budgets.py"
_LIMITS: Final = "orchestrator/domain/limits.py"
_ROLLOUT: Final = "orchestrator/domain/rollout.py"
_READY: Final = "orchestrator/domain/ready.py"
_SLOTS: Final = "orchestrator/store/slots.py"
_INTENTS: Final = "orchestrator/store/intents.py"

_UNSEEN_AT_THE_PLAN: Final = Edit(
    _ROLLOUT,
    "        slots = min(slots, borne)\n",
    "        slots = min(slots, max(borne, 9))\n",
)
_UNSEEN_AFTER_THE_LOOK: Final = Edit(
    _ROLLOUT,
    "    if overdrawn is not None:\n",
    "    if overdrawn is not None and not view.waves:\n",
)
_UNSEEN_AT_THE_INTENT: Final = Edit(
    _SLOTS,
    "        for budget in bounds.strict:\n",
    "        for budget in bounds.strict[:0]:\n",
)
_FULL_AT_THE_PLAN: Final = Edit(
    _READY,
    "        full = (group for group in queue.groups if self._slots.room(group) <= took[group])\n",
    "        full = (group for group in queue.groups if self._slots.room(group) <= -9)\n",
)

MUTANTS: Final = (
    Mutant(
        "a group that is held back goes on",
        "VMs start of which it is known that their like break",
        (
            Edit(
                _ROLLOUT,
                "    yield from _held_back(view)\n",
                "",
            ),
            Edit(
                _ROLLOUT,
                "(Start(op) for op in chain(first, ready) if not is_held(group, op))\n",
                "(Start(op) for op in chain(first, ready) if group != op)\n",
            ),
            Edit(
                _ROLLOUT,
                "    if group is not None and is_held(group, op):\n",
                "    if group is not None and group == op:\n",
            ),
            Edit(
                _INTENTS,
                "        if self.group is None or not is_held(self.group, op):\n",
                "        if self.group is None or self.group != op:\n",
            ),
        ),
    ),
    Mutant(
        "a strict budget lets one more start",
        "a bad patch breaks one VM more than the budget says",
        (
            Edit(
                _BUDGETS,
                "    if others + bad < budget.allowed + 1:\n",
                "    if others + bad < budget.allowed + 2:\n",
            ),
            Edit(
                _BUDGETS,
                "    return budget.allowed + 1 - sum(",
                "    return budget.allowed + 2 - sum(",
            ),
        ),
    ),
    Mutant(
        "a strict budget counts only what is bad",
        "all in flight may still fail",
        (_UNSEEN_AT_THE_PLAN, _UNSEEN_AFTER_THE_LOOK, _UNSEEN_AT_THE_INTENT),
    ),
    Mutant(
        "a strict budget is checked at the intent only",
        "more VMs are looked at than may start",
        (_UNSEEN_AT_THE_PLAN,),
        masked_by="the checks after the look and in the intent's transaction",
    ),
    Mutant(
        "limits are not looked at again in the intent's transaction",
        "what another daemon has started since is not seen",
        (
            Edit(
                _SLOTS,
                '                return Refused("limit", reason)\n',
                "                continue\n",
            ),
        ),
    ),
    Mutant(
        "limits are checked at the intent only",
        "VMs are looked at in vain",
        (_FULL_AT_THE_PLAN,),
        masked_by="the intent's transaction",
    ),
    Mutant(
        "a limit counts only the VMs of its own run",
        "two runs take the same last slot",
        (
            Edit(
                _LIMITS,
                "                everywhere = limit.most.percent is None\n",
                "                everywhere = False\n",
            ),
        ),
    ),
    Mutant(
        "the intents of one transaction do not see one another",
        "several VMs take one slot together",
        (
            Edit(
                _INTENTS,
                "            ledger.add(move.before.wave, bounds)\n",
                "",
            ),
            _FULL_AT_THE_PLAN,
        ),
    ),
)
