"""Questions to Resource Graph about single VMs, and one query for all that wait at the same time.
It decides nothing.

A query about one VM is the smallest; but the credential has 15 in 5 s (azure-facts 7), and a bad
night brings hundreds of VMs in doubt. Who comes while a query is under way, or while none may be
sent, waits; whoever is next then asks for all of them. No answer is older than its question.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.answer import Throttled, TraceAnswer, TracedMany, Unreadable
from orchestrator.domain.model import Target
from orchestrator.domain.throttle import Call
from orchestrator.engine.doors import Doors

PATIENCE: Final = timedelta(seconds=5)
"""Whoever would have to wait longer for a query looks again later instead."""
_TURNS: Final = 5
_UNASKED: Final = Unreadable(reason="Resource Graph said nothing about the VM")


@dataclass
class _Question:
    target: Target
    since: datetime
    answer: TraceAnswer | None = None


@dataclass
class _Queue:
    """Of one subscription. `pages` is what the last query about many VMs took: for fewer VMs than
    that the single queries are cheaper."""

    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Question] = field(default_factory=list)
    pages: int = 1


class Inquiry:
    """Asks for all operations of one run."""

    def __init__(self, doors: Doors) -> None:
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._queues: dict[str, _Queue] = {}

    async def ask(self, target: Target, since: datetime) -> TraceAnswer:
        """Return what Resource Graph says about a VM's installations since then; `Throttled` too
        where our own throttle holds the query back for long, as Azure would say."""
        queue = self._queues.setdefault(target.subscription_id, _Queue())
        question = _Question(target, since)
        queue.waiting.append(question)
        async with queue.asking:
            if question.answer is None:  # nobody has asked for us meanwhile
                await self._serve(queue, question)
        return question.answer or _UNASKED

    async def _serve(self, queue: _Queue, first: _Question) -> None:
        held = await self._turn(first.target)
        others = [each for each in queue.waiting if each is not first]
        queue.waiting = []
        if held is not None:
            _tell([first, *others], held)
        elif others and len(others) >= queue.pages:
            await self._ask_for_all(queue, [first, *others])
        else:
            queue.waiting = others
            first.answer = await self._arm.trace(first.target.vm_id, first.since)
            self._learn(first.target, first.answer)

    async def _ask_for_all(self, queue: _Queue, questions: Sequence[_Question]) -> None:
        target = questions[0].target
        since = min(each.since for each in questions)
        vms = {each.target.vm_id for each in questions}
        told = await self._arm.trace_many(vms, since)
        self._learn(target, told)
        if not isinstance(told, TracedMany):
            _tell(questions, told)
            return
        queue.pages = told.pages
        for _ in range(told.pages - 1):  # each page behind the first was a query, too
            self._throttle.take((Call.TRACE,), target, self._clock.now())
        for each in questions:
            each.answer = told.answers.get(each.target.vm_id, _UNASKED)

    async def _turn(self, target: Target) -> Throttled | None:
        """Take the token of one query; wait for it a little."""
        wait = timedelta(0)
        for _ in range(_TURNS):
            now = self._clock.now()
            until = self._throttle.take((Call.TRACE,), target, now)
            if until is None:
                return None
            wait = until - now
            if wait > PATIENCE:
                break
            await self._clock.sleep(wait.total_seconds())
        return Throttled(retry_after=wait, reason="queries of Resource Graph are used up")

    def _learn(self, target: Target, answer: TraceAnswer | TracedMany) -> None:
        if isinstance(answer, Throttled):
            now = self._clock.now()
            self._throttle.refused(Call.TRACE, target, answer.retry_after, now)


def _tell(questions: Sequence[_Question], answer: Throttled | Unreadable) -> None:
    for each in questions:
        each.answer = answer
