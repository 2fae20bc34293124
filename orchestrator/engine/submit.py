"""The submit protocol, step by step (design 5): look, intent, one request, receipt, classification.

It decides nothing: what an answer means is said by `domain.submitting`. There is no retry here at
any layer.
"""

from datetime import datetime

from orchestrator.domain.answer import InDoubt, LookAnswer, Seen, SubmitAnswer, Taken
from orchestrator.domain.budgets import bounds
from orchestrator.domain.hours import out_of_hours
from orchestrator.domain.model import AttemptId
from orchestrator.domain.operation import Began, Deferred, Intended, Operation
from orchestrator.domain.record import Receipt
from orchestrator.domain.rollout import hindrance, takes_starts
from orchestrator.domain.states import Preparing, Queued, Submitting, Wait, Why
from orchestrator.domain.streaks import soon
from orchestrator.domain.submitting import (
    AGAIN,
    AskWhether,
    Ready,
    conclude,
    inspect,
)
from orchestrator.domain.throttle import Call
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.reach import believed, learn
from orchestrator.engine.sending import STALE_LOOK_S, UNCONFIRMED, answered, refused, standstill
from orchestrator.ports import Order, Refused, Saved


class Submitter:
    """Takes one operation from its slot to the answer of its one request."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._store = doors.store
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._new_id = doors.new_id

    async def start(self, op: Operation) -> None:
        """Take the slot, look, and when the VM is ready: intend and send."""
        if isinstance(op.state, Queued):
            begun = self._book.move(op, Began(self._clock.now()))
            if not await self._book.moved(begun):
                return
            op = begun.after
        if not isinstance(op.state, Preparing):
            return
        if not takes_starts(self._book.view):
            await self._unwind(op, standstill(self._book.view))
            return
        if await self._out_of_hours(op):
            return
        looked_at = self._clock.monotonic()
        seen = await self._arm.look(op.target.vm_id)
        ready = await self._inspect(op, op.state, seen)
        if ready is None:
            return
        if self._clock.monotonic() - looked_at > STALE_LOOK_S:
            await self._unwind(op, "the look at the VM grew too old before the intent")
            return
        os = seen.os if isinstance(seen, Seen) and seen.os else op.target.os
        await self._intend_and_send(op, ready, os)

    async def _inspect(self, op: Operation, state: Preparing, answer: LookAnswer) -> Ready | None:
        now, streaks = self._clock.now(), self._book.view.outlook.streaks
        answer = believed(self._book.view, self._throttle, Call.LOOK, op.target, answer, now)
        again = min(soon(streaks.spoiled(op.target.vm_id)), AGAIN)
        decision = inspect(state, answer, self._book.view.run.plan, now, again)
        if isinstance(decision, AskWhether):
            known = await self._store.knows(decision.activity)
            decision = Ready(decision.activity) if known else decision.otherwise
        if isinstance(decision, Ready):
            return decision
        self._throttle.give_back(Call.SUBMIT, op.target, state.since, now)
        await self._book.moved(self._book.move(op, decision))
        return None

    async def _intend_and_send(self, op: Operation, ready: Ready, os: str) -> None:
        if self._book.stopping or self._book.lost is not None:
            return  # it stays prepared: whoever drives the run next goes on with it
        reason = hindrance(self._book.view, op)
        if reason is not None:
            await self._unwind(op, reason)
            return
        if await self._out_of_hours(op):
            return
        attempt = AttemptId(self._new_id())
        # What is left to send counts from the commit; this is a little earlier.
        before_commit = self._clock.monotonic()
        intent = self._book.move(op, Intended(self._clock.now(), attempt, ready.baseline))
        match await self._book.intend(intent, bounds(self._book.view, op)):
            case Saved():
                await self._send(intent.after, os, before_commit)
            case Refused() as answer:
                event = refused(self._book.view, op, answer, self._clock.now())
                await self._book.moved(self._book.move(op, event))
            case None:
                await self._abandon(intent.after)

    async def _out_of_hours(self, op: Operation) -> bool:
        """Give the slot back where the window has closed or a freeze has begun: nothing was
        sent."""
        event = out_of_hours(self._book.view, op, self._clock.now())
        if event is None:
            return False
        await self._book.moved(self._book.move(op, event))
        return True

    async def _unwind(self, op: Operation, reason: str, not_before: datetime | None = None) -> None:
        """Give the slot back: nothing was sent."""
        event = Deferred(self._clock.now(), Wait.HELD, Why("held", reason), not_before)
        await self._book.moved(self._book.move(op, event))

    async def _abandon(self, op: Operation) -> None:
        """Take back an intent that may be on disk and was certainly not sent."""
        if self._book.lost is None and isinstance(op.state, Submitting):
            await self._conclude(op, op.state, UNCONFIRMED, None)

    async def _send(self, op: Operation, os: str, before_commit: float) -> None:
        if not isinstance(op.state, Submitting):
            return
        plan, wave = self._book.view.run.plan, self._book.view.waves[op.wave].spec
        order = Order(
            vm_id=op.target.vm_id,
            os=os,
            attempt=op.state.attempt,
            patches=plan.patches,
            reboot=wave.reboot,
            max_duration=wave.max_duration,
            send_by=before_commit + plan.tracking.send_within.total_seconds(),
            timeout=plan.tracking.request_timeout,
        )
        sent_at = self._clock.now()
        answer = await self._arm.install(order)
        now = self._clock.now()
        learn(self._book.view, self._throttle, Call.SUBMIT, op.target, answer, now)
        await self._conclude(op, op.state, answer, sent_at)

    async def _conclude(
        self, op: Operation, state: Submitting, answer: SubmitAnswer, sent_at: datetime | None
    ) -> None:
        now = self._clock.now()
        view = self._book.view
        event, end = conclude(state, answer, view.run.plan, view.waves[op.wave].spec, now)
        activity = answer.activity if isinstance(answer, Taken | InDoubt) else None
        update = answered(state.attempt, answer, end, sent_at, now, activity=activity)
        move = self._book.move(op, event, attempt=update)
        if isinstance(answer, Taken):
            receipt = Receipt(
                attempt=state.attempt, at=now, tracker=answer.tracker, activity=activity
            )
            await self._book.accept(receipt, move)
        else:
            await self._book.moved(move)
