"""Bugs in what may start when: budgets, waves, slots, the breaker, halts, people's acts."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_ROLLOUT: Final = "orchestrator/domain/rollout.py"
_BUDGETS: Final = "orchestrator/domain/budgets.py"
_WAVE_STEPS: Final = "orchestrator/domain/wave_steps.py"
_HALTING: Final = "orchestrator/domain/halting.py"
_TALLY: Final = "orchestrator/domain/tally.py"
_VIEW: Final = "orchestrator/domain/view.py"
_STEERING: Final = "orchestrator/domain/steering.py"
_OPERATION: Final = "orchestrator/domain/operation.py"
_INTENTS: Final = "orchestrator/store/intents.py"

_RUN_IS_OPEN: Final = Edit(_INTENTS, '    if row.run != "open":\n', '    if row.run == "":\n')
_PLANS_ANYHOW: Final = Edit(
    _ROLLOUT,
    "    return view.run.status is RunStatus.OPEN and view.brake is None",
    "    return view.run.closed_at is None and view.brake is None",
)
_NO_BREAKER: Final = Edit(
    _ROLLOUT,
    "    doubted = view.doubts.places(view.run.plan.tracking.max_unknown)\n",
    "    doubted: frozenset[tuple[str, str]] = frozenset()\n",
)

MUTANTS: Final = (
    Mutant(
        "halt not read again at the intent",
        "the run was halted between the plan and the intent",
        (_RUN_IS_OPEN,),
    ),
    Mutant(
        "halt read nowhere",
        "neither the planner nor the intent asks whether the run is open",
        (_RUN_IS_OPEN, _PLANS_ANYHOW),
    ),
    Mutant(
        "halt not read by the planner",
        "the planner takes slots in a run that is halted",
        (_PLANS_ANYHOW,),
        masked_by="the intent's transaction reads the run's status again",
    ),
    Mutant(
        "the wave's status is not read again at the intent",
        "the wave was halted or closed between the plan and the intent",
        (Edit(_INTENTS, '    if row.wave != "open":\n', '    if row.wave == "":\n'),),
        masked_by="whatever closes a wave closes its run, or waits for every slot of the wave",
    ),
    Mutant(
        "one failure too many",
        "the budget breaks one failure late",
        (
            Edit(
                _HALTING,
                "    return bad > tolerated\n",
                "    return bad > tolerated + 1\n",
            ),
        ),
    ),
    Mutant(
        "the budget is held in memory",
        "failures of before the restart no longer count",
        (
            Edit(
                _VIEW,
                "            self.put(op)\n\n",
                "            self.put(op)\n"
                "        for tally in self._tallies.values():\n"
                "            tally.bad = 0\n\n",
            ),
        ),
    ),
    Mutant(
        "the run's own budget is ignored",
        "each wave holds its budget, and together they break the run's",
        (
            Edit(
                _BUDGETS,
                "    if tolerance is None or not halting.numbered(tolerance):\n",
                "    if tolerance is None or view.waves:\n",
            ),
        ),
    ),
    Mutant(
        "the barrier ignores unknown",
        "a wave closes over a VM that may be half installed",
        (
            Edit(
                _TALLY,
                "self.queued == 0 and self.in_flight == 0 and",
                'self.queued == 0 and self.in_flight == self.labels["unknown"] and',
            ),
        ),
    ),
    Mutant(
        "the barrier ignores what is verified",
        "a wave closes before its last VM is back",
        (
            Edit(
                _TALLY,
                "self.queued == 0 and self.in_flight == 0 and",
                'self.queued == 0 and self.in_flight == self.labels["verifying"] and',
            ),
        ),
    ),
    Mutant(
        "a VM that needs a person is not bad",
        "the next wave opens over VMs of which nobody knows anything",
        (Edit(_TALLY, "        case Failed() | NeedsHuman():\n", "        case Failed():\n"),),
    ),
    Mutant(
        "a wave in which nothing ended well passes",
        "skipped and failed VMs prove nothing about the patches",
        (Edit(_WAVE_STEPS, "    if tally.good == 0:\n", "    if tally.good < 0:\n"),),
    ),
    Mutant(
        "the next wave opens during the bake",
        "a wave that bakes is not behind us",
        (
            Edit(
                _ROLLOUT,
                "    behind = {WaveStatus.PASSED, WaveStatus.SKIPPED}\n",
                "    behind = {WaveStatus.PASSED, WaveStatus.SKIPPED, WaveStatus.BAKING}\n",
            ),
        ),
    ),
    Mutant(
        "no bake",
        "a wave passes at once, whatever its plan says",
        (
            Edit(
                _WAVE_STEPS,
                "    if wave.spec.bake > timedelta(0) or wave.spec.check:\n",
                "    if wave.spec.bake > timedelta(days=1) or wave.spec.check:\n",
            ),
        ),
    ),
    Mutant(
        "a bake of no length",
        "the bake begins, and is over at once",
        (
            Edit(
                _WAVE_STEPS,
                " and wave.baking_until <= now and settled\n",
                " and wave.baking_until <= now + wave.spec.bake and settled\n",
            ),
        ),
    ),
    Mutant(
        "a slot too many",
        "max_parallel is off by one",
        (
            Edit(
                _ROLLOUT,
                "    slots = min(at_once - view.busy(wave.position)",
                "    slots = min(at_once + 1 - view.busy(wave.position)",
            ),
        ),
    ),
    Mutant(
        "an unknown VM takes no slot",
        "max_parallel is counted without those that may be running",
        (
            Edit(
                _VIEW,
                "        return self._tallies[wave].in_flight + begun\n",
                "        tally = self._tallies[wave]\n"
                '        return tally.in_flight - tally.labels["unknown"] + begun\n',
            ),
        ),
    ),
    Mutant(
        "a VM that is just begun takes no slot",
        "two plans in a row give the same slot away",
        (
            Edit(
                _VIEW,
                "        return self._tallies[wave].in_flight + begun\n",
                "        return self._tallies[wave].in_flight + 0 * begun\n",
            ),
        ),
    ),
    Mutant(
        "the breaker is ignored",
        "request after request of unknown fate goes out",
        (
            _NO_BREAKER,
            Edit(_ROLLOUT, "    if unknown >= most or (", "    if unknown < 0 or most < 0 and ("),
        ),
    ),
    Mutant(
        "the breaker is not asked before the intent",
        "others became unknown while this VM was looked at",
        (Edit(_ROLLOUT, "    if unknown >= most or (", "    if unknown < 0 or most < 0 and ("),),
    ),
    Mutant(
        "the breaker is not asked by the planner",
        "slots are taken for VMs that may not be started",
        (_NO_BREAKER,),
        masked_by="the breaker is asked again before the intent",
    ),
    Mutant(
        "starts beside a halt",
        "VMs start in the same plan that halts the run",
        (
            Edit(
                _ROLLOUT,
                "    starts = () if decisions else tuple(_starts(view, now))\n",
                "    starts = tuple(_starts(view, now))\n",
            ),
        ),
        masked_by="the budget and the run's status are asked again before the intent",
    ),
    Mutant(
        "a cancelled run keeps its queue",
        "nobody withdraws what was not started, and the run never ends",
        (
            Edit(
                _ROLLOUT,
                "    if cancelled or view.run.status is RunStatus.EXPIRED:\n",
                "    if view.run.status is RunStatus.EXPIRED:\n",
            ),
        ),
    ),
    Mutant(
        "a halt forgets what runs",
        "what was started before the halt is not followed to its end",
        (
            Edit(
                _ROLLOUT,
                "    room = max(0, AT_ONCE - view.hands(errand))\n",
                "    room = AT_ONCE if view.run.status is RunStatus.OPEN else 0\n",
            ),
        ),
    ),
    Mutant(
        "a slot of a dead process is lost",
        "a VM that was begun before the crash stays `preparing`",
        (
            Edit(
                _ROLLOUT,
                "_BEFORE_STARTS = (Errand.RECOVER, Errand.LOOK, Errand.RESUME)",
                "_BEFORE_STARTS = (Errand.RECOVER, Errand.LOOK)",
            ),
        ),
    ),
    Mutant(
        "resume patches failed VMs again",
        "a resume accepts failures; only a retry starts them again",
        (
            Edit(
                _STEERING,
                "    moves = tuple(_move(op, Forgiven(now, why), act) for op in accepted)\n",
                "    moves = tuple(\n"
                "        _granted(op, GrantKind.RETRY, why, act, now)\n"
                "        if isinstance(op.state, Failed) else _move(op, Forgiven(now, why), act)\n"
                "        for op in accepted\n"
                "    )\n",
            ),
        ),
    ),
    Mutant(
        "a VM is resolved as not started without a grant",
        "one more request goes out than anybody allowed",
        (
            Edit(
                _STEERING,
                "    return replace(move, grant=grant)\n",
                "    return replace(move, grant=None if grant.attempt > 1 else grant)\n",
            ),
        ),
    ),
    Mutant(
        "retry takes every ended VM",
        "a VM that ended well is patched again",
        (
            Edit(
                _STEERING,
                "if isinstance(op.state, Failed) and op.wave",
                'if type(op.state).__name__ in {"Failed", "Succeeded"} and op.wave',
            ),
            Edit(
                _OPERATION,
                "        case Failed() | Verifying() | NeedsHuman(), Granted(",
                "        case Failed() | Succeeded() | Verifying() | NeedsHuman(), Granted(",
            ),
        ),
    ),
    Mutant(
        "a retry costs no grant",
        "the attempt's number stays, and its row counts for both",
        (
            Edit(
                _OPERATION,
                "        attempt=op.attempt + granted,\n",
                "        attempt=op.attempt,\n",
            ),
        ),
    ),
)
