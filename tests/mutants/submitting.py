"""Bugs of the submit protocol: in the submitter, the book, and the client below them."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_SUBMIT: Final = "orchestrator/engine/submit.py"
_BOOK: Final = "orchestrator/engine/book.py"
_CLIENT: Final = "orchestrator/arm/client.py"
_DECIDING: Final = "orchestrator/domain/submitting.py"

_SENDS: Final = "        answer = await self._arm.install(order)\n"
_AGAIN: Final = _SENDS + "        if {}:\n            answer = await self._arm.install(order)\n"
_IN_DOUBT: Final = "isinstance(answer, InDoubt) and answer.http_status"

MUTANTS: Final = (
    Mutant(
        "re-POST on 503",
        "the gateway may have said 503 for a request that was taken",
        (Edit(_SUBMIT, _SENDS, _AGAIN.format(f"{_IN_DOUBT} == 503")),),
    ),
    Mutant(
        "re-POST on 500",
        "a 500 does not say that nothing was started",
        (Edit(_SUBMIT, _SENDS, _AGAIN.format(f"{_IN_DOUBT} == 500")),),
    ),
    Mutant(
        "re-POST on a lost reply",
        "what was lost may have been the answer",
        (Edit(_SUBMIT, _SENDS, _AGAIN.format(f"{_IN_DOUBT} is None")),),
    ),
    Mutant(
        "re-POST below the engine, as stock clients do",
        "the layer below repeats what the layer above believes to send once",
        (
            Edit(
                _CLIENT,
                "match await self._ask(call, request, guard.compute(subscription)):\n",
                "paths = guard.compute(subscription)\n"
                "        heard = await self._ask(call, request, paths)\n"
                "        for _ in range(3):\n"
                "            if isinstance(heard, HttpReply) and heard.status in {429, 500, 503}:\n"
                "                heard = await self._ask(call, request, paths)\n"
                "        match heard:\n",
            ),
        ),
    ),
    Mutant(
        "a lost reply taken for a refused connection",
        "nothing proves that the request did not leave",
        (
            Edit(
                _CLIENT,
                'InDoubt(reason=f"{reason}; Azure may have taken the request")',
                "NotSent(reason=reason)",
            ),
        ),
    ),
    Mutant(
        "the intent after the effect",
        "a crash between the two leaves an installation that nobody wrote down",
        (
            Edit(
                _SUBMIT,
                "        match await self._book.intend(intent, bounds(self._book.view, op)):\n"
                "            case Saved():\n"
                "                await self._send(intent.after, os, before_commit)\n",
                "        await self._send(intent.after, os, before_commit)\n"
                "        match await self._book.intend(intent, bounds(self._book.view, op)):\n"
                "            case Saved():\n"
                "                pass\n",
            ),
        ),
    ),
    Mutant(
        "the intent is not committed",
        "the request is sent on the strength of what is in memory",
        (
            Edit(
                _BOOK,
                "            outcome = await self._store.intend(self.lease, move, bounds)",
                "            outcome: Saved | Refused | Stale = Saved()",
            ),
        ),
    ),
    Mutant(
        "an intent without an answer counts as committed",
        "the database was away: whether the intent is on disk is not known",
        (
            Edit(
                _BOOK,
                "            self.view.put(move.after)\n            return None",
                "            self.view.put(move.after)\n            return Saved()",
            ),
        ),
    ),
    Mutant(
        "an unconfirmed intent is forgotten",
        "what may be on disk must be taken back, or the VM waits for an answer to nothing",
        (
            Edit(
                _SUBMIT,
                "            case None:\n                await self._abandon(intent.after)",
                "            case None:\n                pass",
            ),
        ),
        masked_by="the planner recovers a `submitting` VM that is in nobody's hand",
    ),
    Mutant(
        "no time limit for sending",
        "a daemon that was frozen wakes up and sends what others have given up",
        (
            Edit(
                _SUBMIT,
                "            send_by=before_commit + plan.tracking.send_within.total_seconds(),",
                "            send_by=before_commit + 1e6,",
            ),
        ),
    ),
    Mutant(
        "the time limit counts from the send",
        "the time between the commit and the send is not counted",
        (
            Edit(
                _SUBMIT,
                "            send_by=before_commit + plan.tracking.send_within.total_seconds(),",
                "            send_by=self._clock.monotonic() + 5.0,",
            ),
        ),
    ),
    Mutant(
        "no receipt",
        "the operation URL is nowhere: what was accepted must be guessed at",
        (
            Edit(
                _SUBMIT,
                "        if isinstance(answer, Taken):\n            receipt",
                "        if isinstance(answer, Taken) and self._book.stopping:\n"
                "            receipt",
            ),
        ),
    ),
    Mutant(
        "a stop that still sends",
        "a VM that was just looked at is started after the SIGTERM",
        (
            Edit(
                _SUBMIT,
                "        if self._book.stopping or self._book.lost is not None:\n",
                "        if self._book.lost is not None:\n",
            ),
        ),
    ),
    Mutant(
        "a taken slot outlives the budget",
        "the budget broke, or too many became unknown, while the VM was looked at",
        (Edit(_SUBMIT, "        if reason is not None:\n", "        if reason == '':\n"),),
    ),
    Mutant(
        "a lost reply counts as not sent",
        "the VM goes back into the queue with an installation under way",
        (
            Edit(
                _DECIDING,
                'Why("no_answer", reason), expected)\n            return doubt, AttemptEnd.UNKNOWN',
                'Why("no_answer", reason), expected)\n'
                "            again = Deferred(now, Wait.NOT_SENT, doubt.why)\n"
                "            return again, AttemptEnd.NOT_SENT",
            ),
        ),
    ),
    Mutant(
        "what was not sent counts as accepted",
        "nobody patches the VM, and the run waits for it",
        (
            Edit(
                _DECIDING,
                'Deferred(now, Wait.NOT_SENT, Why("not_sent", reason), now + AGAIN), end',
                "Accepted(now, None, deadline(plan, wave, now), tracked=True), AttemptEnd.ACCEPTED",
            ),
        ),
    ),
    Mutant(
        "a 429 counts as a failure",
        "Azure was busy, and the wave halts",
        (
            Edit(
                _DECIDING,
                "            return Deferred(\n"
                '                now, Wait.THROTTLED, Why("throttled", reason), now + retry_after\n'
                "            ), AttemptEnd.REFUSED",
                '            why = Why("throttled", reason)\n'
                "            return Broke(now, FailureClass.PLATFORM, why), AttemptEnd.REFUSED",
            ),
        ),
    ),
    Mutant(
        "a 401 counts as a failure",
        "the credential's fault is no VM's",
        (
            Edit(
                _DECIDING,
                "            return Deferred(\n"
                '                now, Wait.CREDENTIALS, Why("credentials", reason), again\n'
                "            ), AttemptEnd.REFUSED",
                '            why = Why("credentials", f"{reason} until {again}")\n'
                "            return Broke(now, FailureClass.PLATFORM, why), AttemptEnd.REFUSED",
            ),
        ),
    ),
    Mutant(
        "a 409 is requeued without a look",
        "a 409 may be the answer to a repeat of our own request",
        (
            Edit(
                _DECIDING,
                "            return doubt, AttemptEnd.UNKNOWN\n        case InDoubt(",
                "            again = busy(None, f'{message} {doubt.conflict}', now)\n"
                "            return again, AttemptEnd.REFUSED\n        case InDoubt(",
            ),
        ),
    ),
)
