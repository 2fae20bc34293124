"""Bugs after the request: recovering, settling a doubt, adopting, polling, judging."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_DECIDING: Final = "orchestrator/domain/submitting.py"
_FOLLOWING: Final = "orchestrator/domain/following.py"
_TRACING: Final = "orchestrator/domain/tracing.py"
_OPERATION: Final = "orchestrator/domain/operation.py"
_VERDICT: Final = "orchestrator/domain/verdict.py"
_POLLING: Final = "orchestrator/domain/polling.py"
_FOLLOW: Final = "orchestrator/engine/follow.py"

_ANY_NEW_ID: Final = Edit(
    _FOLLOWING,
    "    if state.expected is not None and found.activity != state.expected:\n",
    "    if state.expected == '':\n",
)
_ANY_TIME: Final = Edit(
    _FOLLOWING,
    "    return begun_from <= found.started_at <= state.settle_at\n",
    "    return True\n",
)
_WHOEVER_STARTED_IT: Final = (
    Edit(
        _FOLLOWING,
        "    candidates = [each for each in found if each.started_by != PLATFORM]\n",
        "    candidates = list(found)\n",
    ),
    Edit(
        _FOLLOWING,
        "    proved = found.started_by == USER or found.activity == state.expected\n",
        "    proved = bool(USER)\n",
    ),
)
_NEVER_DISOWNED: Final = (
    Edit(
        _FOLLOWING,
        "    if told is not None and told.started_by == PLATFORM:\n",
        "    if told is not None and told.started_by == USER + PLATFORM:\n",
    ),
    Edit(
        _FOLLOWING,
        "told.started_by == PLATFORM and not state.tracked:\n",
        "told.started_by == USER + PLATFORM:\n",
    ),
)
_POLLED: Final = (
    "            return Reported(now, _verify_by(plan, wave, now), state.activity, said)\n"
)
_NO_TRACE: Final = (
    "            return Escalated("
    'now, deadline(plan, wave, state.intent_at), Why("no_trace", text))'
)

MUTANTS: Final = (
    Mutant(
        "recovery sends again instead of calling it unknown",
        "the sender died, perhaps after Azure had taken the request",
        (
            Edit(
                _DECIDING,
                '    return Doubted(now, now + plan.tracking.settle, Why("sender_died", text))\n',
                '    return Deferred(now, Wait.NOT_SENT, Why("sender_died", text))\n',
            ),
            Edit(
                _FOLLOW,
                "        end = AttemptEnd.ACCEPTED if receipt else AttemptEnd.UNKNOWN\n",
                "        end = AttemptEnd.ACCEPTED if receipt else AttemptEnd.NOT_SENT\n",
            ),
        ),
    ),
    Mutant(
        "recovery ignores receipts",
        "what Azure has accepted is called unknown",
        (
            Edit(
                _FOLLOW,
                "        op, state = command.op, command.state\n"
                "        receipts = await self._store.receipts([state.attempt])\n",
                "        op, state = command.op, command.state\n"
                "        receipts = await self._store.receipts([])\n",
            ),
        ),
        masked_by="a receipt and the move that follows from it share a transaction: nobody is"
        " submitting with a receipt on disk, unless a bug of ours undid the move",
    ),
    Mutant(
        "no trace: queued again",
        "an installation may be under way that no view shows yet",
        (
            Edit(
                _FOLLOWING,
                _NO_TRACE,
                "            return busy(None, text, now)",
            ),
            Edit(
                _OPERATION,
                "        case Preparing() | Submitting() | Unknown(conflict=Conflict()), Deferred(",
                "        case Preparing() | Submitting() | Unknown(), Deferred(",
            ),
        ),
    ),
    Mutant(
        "nothing found counts as nothing to do",
        "an installation that never was is called a success",
        (
            Edit(
                _FOLLOWING,
                _NO_TRACE,
                '            none = Result(status="Succeeded", installed=0, failed=0, pending=0)\n'
                "            return Reported(now, deadline(plan, wave, now), None, none)",
            ),
        ),
    ),
    Mutant(
        "the settle instant is ignored",
        "the first look that shows nothing ends the doubt",
        (
            Edit(
                _FOLLOWING,
                "    if now < state.settle_at + _patience(trace, plan):\n",
                "    if now < state.since:\n",
            ),
        ),
    ),
    Mutant(
        "any new id is adopted",
        "Azure named the operation in its answer, and another one is taken for it",
        (_ANY_NEW_ID,),
        masked_by="a VM's view shows ours before anything newer, and what is newer was started by"
        " Azure itself, which Resource Graph says",
    ),
    Mutant(
        "the baseline is ignored",
        "the VM's last installation of before is taken for ours",
        (
            Edit(
                _DECIDING,
                "    return None if last is None or last.activity == baseline else last\n",
                "    return last\n",
            ),
            _ANY_TIME,
        ),
    ),
    Mutant(
        "Azure's own installation is adopted",
        "Azure started it, Resource Graph says so, and our request is still in doubt",
        (*_WHOEVER_STARTED_IT, *_NEVER_DISOWNED),
    ),
    Mutant(
        "Azure's own installation is adopted, and disowned",
        "Resource Graph is not asked before the adoption, only after it",
        _WHOEVER_STARTED_IT,
        masked_by="Resource Graph is asked again before the verdict",
    ),
    Mutant(
        "the newest installation of the VM is ours",
        "another attempt's result, or Azure's own, ends the operation",
        (
            Edit(
                _FOLLOWING,
                "last if last is not None and last.activity == state.activity else None\n",
                "last\n",
            ),
        ),
    ),
    Mutant(
        "a poll's 404 is an end",
        "no status code of a poll says anything about the operation",
        (
            Edit(
                _FOLLOWING,
                _POLLED,
                _POLLED + "        case Untrackable():\n"
                '            said = Result(status="Succeeded", installed=1, failed=0)\n' + _POLLED,
            ),
            Edit(_FOLLOWING, "    Unreadable,\n)\n", "    Unreadable,\n    Untrackable,\n)\n"),
        ),
    ),
    Mutant(
        "a poll that fails ends the operation",
        "the reading failed, not the installation",
        (
            Edit(
                _FOLLOWING,
                _POLLED,
                _POLLED + "        case Unreadable(reason=reason):\n"
                '            said = collapsed("Failed", "Unreadable", reason, None)\n' + _POLLED,
            ),
        ),
    ),
    Mutant(
        "the operation's status is the verdict",
        "a Succeeded operation carries a body that says Failed",
        (
            Edit(
                _VERDICT,
                '    if result.status == "Failed" or (result.failed or 0) > 0:\n',
                '    if result.status == "Failed" and result.window_exceeded:\n',
            ),
        ),
    ),
    Mutant(
        "an unknown result is good",
        "the body's word is Unknown: nobody knows what was installed",
        (
            Edit(
                _VERDICT,
                '_JUDGED: Final = frozenset({"Failed", ',
                '_JUDGED: Final = frozenset({"Unknown", "Failed", ',
            ),
        ),
    ),
    Mutant(
        "an installation cut off by the window is good",
        "patches are left, and the operation is called a success",
        (
            Edit(
                _VERDICT,
                '    if result.status == "Failed" or (result.failed or 0) > 0:\n',
                '    if result.failed or (result.status == "Failed" and result.pending is None):\n',
            ),
        ),
    ),
    Mutant(
        "Canceled is no end",
        "an operation that was cancelled is polled for ever",
        (
            Edit(
                "orchestrator/arm/wire.py",
                '    match documents.word(word, ("Succeeded", "Failed", "Canceled")):\n',
                '    match documents.word(word, ("Succeeded", "Failed")):\n',
            ),
        ),
        masked_by="the instance view is asked at the deadline, and a person after that",
    ),
    Mutant(
        "an operation that cannot be read is polled for ever",
        "the run never ends",
        (
            Edit(
                "orchestrator/engine/follow.py",
                "        if event is None and (isinstance(answer, Untrackable)"
                " or now >= state.deadline):\n",
                "        if event is None and isinstance(answer, Untrackable):\n",
            ),
        ),
    ),
    Mutant(
        "an unknown VM is looked at once an hour",
        "a doubt outlives its settle instant",
        (
            Edit(
                _POLLING,
                "    wait = HOURLY if isinstance(state, NeedsHuman) else pacing.interval\n",
                "    wait = max(HOURLY, pacing.interval)\n",
            ),
            Edit(
                _POLLING,
                "    if limit is not None and now < limit and retry_after is None:\n",
                "    if limit is not None and now < limit and polled:\n",
            ),
            Edit(
                _POLLING,
                "    limit = _limit(state)\n",
                "    limit, polled = _limit(state), isinstance(state, InProgress)\n",
            ),
        ),
    ),
)
