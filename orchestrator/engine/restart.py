"""The restart of a VM that was patched, step by step: look, intent, one request, receipt; then poll
and look until it is back.

It decides nothing: `domain.restarting` does. There is no retry here at any layer.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.domain.answer import (
    Finished,
    PollAnswer,
    SubmitAnswer,
    Taken,
    Tracker,
    Untrackable,
)
from orchestrator.domain.budgets import bounds
from orchestrator.domain.hours import out_of_hours
from orchestrator.domain.lanes import Errand
from orchestrator.domain.model import AttemptId
from orchestrator.domain.operation import Deferred, Event, Intended, Operation
from orchestrator.domain.polling import REBOOT_GRACE, next_watch
from orchestrator.domain.rebooting import patched
from orchestrator.domain.record import AttemptEnd, AttemptUpdate, Receipt, Watch
from orchestrator.domain.restarting import conclude, inspect, progress, recover, returned
from orchestrator.domain.rollout import Await, Restart, hindrance, takes_starts
from orchestrator.domain.states import Rebooting, Wait, Why
from orchestrator.domain.streaks import AnswerT, soon
from orchestrator.domain.submitting import AGAIN
from orchestrator.domain.throttle import Call
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.follow import retry_after, verdict_on
from orchestrator.engine.reach import believed, learn
from orchestrator.engine.sending import STALE_LOOK_S, UNCONFIRMED, answered, refused, standstill
from orchestrator.ports import Refused, RestartOrder, Saved


class Restarter:
    """Takes one operation from its wait for a restart to the VM's return."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._store = doors.store
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._new_id = doors.new_id

    # ------------------------------------------------------------------------- before the intent

    async def start(self, command: Restart) -> None:
        """Look, and when the VM is up: intend and send."""
        op, taken_at = command.op, self._clock.now()
        looked_at = self._clock.monotonic()
        answer = await self._arm.look(op.target.vm_id)
        view, now = self._book.view, self._clock.now()
        answer = believed(view, self._throttle, Call.LOOK, op.target, answer, now)
        again = min(soon(view.outlook.streaks.spoiled(op.target.vm_id)), AGAIN)
        event = inspect(command.state, answer, now, again) or out_of_hours(view, op, now)
        if event is None and self._clock.monotonic() - looked_at > STALE_LOOK_S:
            event = self._held("the look at the VM grew too old before the intent")
        if event is None and (reason := self._hindrance(op)) is not None:
            event = self._held(reason)
        if event is not None:
            self._throttle.give_back(Call.RESTART, op.target, taken_at, now)
            await self._book.moved(self._book.move(op, event))
        elif not self._book.stopping and self._book.lost is None:
            await self._intend_and_send(op)

    def _hindrance(self, op: Operation) -> str | None:
        view = self._book.view
        if not patched(view, view.waves[op.wave]):
            return "VMs of its wave are to be patched again"
        if takes_starts(view):
            return hindrance(view, op)
        return standstill(view)

    def _held(self, reason: str) -> Deferred:
        now = self._clock.now()
        return Deferred(now, Wait.HELD, Why("held", reason), now + AGAIN)

    async def _intend_and_send(self, op: Operation) -> None:
        attempt = AttemptId(self._new_id())
        # What is left to send counts from the commit; this is a little earlier.
        before_commit = self._clock.monotonic()
        intent = self._book.move(op, Intended(self._clock.now(), attempt, None))
        match await self._book.intend(intent, bounds(self._book.view, op)):
            case Saved():
                await self._send(intent.after, before_commit)
            case Refused() as answer:
                event = refused(self._book.view, op, answer, self._clock.now())
                await self._book.moved(self._book.move(op, event))
            case None:
                await self._abandon(intent.after)

    # ------------------------------------------------------------------------------- the request

    async def _send(self, op: Operation, before_commit: float) -> None:
        if not isinstance(op.state, Rebooting):
            return
        tracking = self._book.view.run.plan.tracking
        order = RestartOrder(
            vm_id=op.target.vm_id,
            attempt=op.state.attempt,
            send_by=before_commit + tracking.send_within.total_seconds(),
            timeout=tracking.request_timeout,
        )
        sent_at = self._clock.now()
        answer = await self._arm.restart(order)
        now = self._clock.now()
        learn(self._book.view, self._throttle, Call.RESTART, op.target, answer, now)
        await self._conclude(op, op.state.attempt, answer, sent_at)

    async def _abandon(self, op: Operation) -> None:
        """Take back an intent that may be on disk and was certainly not sent."""
        if self._book.lost is not None or not isinstance(op.state, Rebooting):
            return
        await self._conclude(op, op.state.attempt, UNCONFIRMED, None)

    async def _conclude(
        self, op: Operation, attempt: AttemptId, answer: SubmitAnswer, sent_at: datetime | None
    ) -> None:
        now = self._clock.now()
        event, end = conclude(answer, self._book.view.run.plan, now)
        update = answered(attempt, answer, end, sent_at, now)
        move = self._book.move(op, event, attempt=update)
        if isinstance(answer, Taken):
            # The restart's own id is kept nowhere: no installation has it.
            receipt = Receipt(attempt=attempt, at=now, tracker=answer.tracker, activity=None)
            await self._book.accept(receipt, move)
        else:
            await self._book.moved(move)

    # ----------------------------------------------------------------------------- until it is back

    async def follow(self, command: Await, errand: Errand | None, tracker: Tracker | None) -> None:
        """Do what a restart that was begun wants done next."""
        op, state = command.op, command.state
        if state.since is None:
            await self._recover(op, state)
        elif errand is Errand.VIEW:
            await self._look(op, state)
        else:
            await self._poll(op, state, tracker)

    async def _recover(self, op: Operation, state: Rebooting) -> None:
        """Give an intent whose sender died its answer: the receipt, or a person."""
        attempt = state.attempt
        receipt = (await self._store.receipts([attempt])).get(attempt)
        event = recover(receipt, self._book.view.run.plan, self._clock.now())
        end = AttemptEnd.ACCEPTED if receipt else AttemptEnd.UNKNOWN
        update = AttemptUpdate(attempt=attempt, ended_at=event.at, end=end)
        await self._book.moved(self._book.move(op, event, attempt=update))

    async def _poll(self, op: Operation, state: Rebooting, tracker: Tracker | None) -> None:
        """Ask how the restart goes. Once it is done, late, or cannot be asked about, the VM is
        looked at."""
        answer: PollAnswer
        if tracker is None:
            answer = Untrackable(reason="no operation URL is stored")
        else:
            answer = await self._arm.poll(tracker)
            answer = self._believed(op, Call.POLL, answer)
        now = self._clock.now()
        event = progress(state, answer, now)
        if event is not None:
            await self._end(op, state, event)
            return
        watch = self._next_watch(op, retry_after(answer))
        if isinstance(answer, Finished):
            watch = replace(watch, by_view=True)
        elif isinstance(answer, Untrackable):
            earliest = (state.since or now) + REBOOT_GRACE
            watch = replace(watch, by_view=True, next_at=max(watch.next_at, earliest))
        elif state.deadline is not None and now >= state.deadline:
            watch = replace(watch, by_view=True, next_at=now)  # the VM itself has the last word
        self._book.watch(op.target.vm_id, watch)

    async def _look(self, op: Operation, state: Rebooting) -> None:
        """Look whether the VM is back."""
        answer = await self._arm.look(op.target.vm_id)
        answer = self._believed(op, Call.LOOK, answer)
        now = self._clock.now()
        event = returned(state, answer, self._book.view.run.plan, now)
        if event is not None:
            await self._end(op, state, event)
        else:
            self._book.watch(op.target.vm_id, self._next_watch(op, retry_after(answer)))

    async def _end(self, op: Operation, state: Rebooting, event: Event) -> None:
        update = AttemptUpdate(attempt=state.attempt, verdict=verdict_on(event))
        await self._book.moved(self._book.move(op, event, attempt=update))

    def _next_watch(self, op: Operation, wait: timedelta | None) -> Watch:
        view, now = self._book.view, self._clock.now()
        watch = view.watches.get(op.target.vm_id) or Watch(next_at=now)
        return next_watch(op.state, watch, view.pacing(op), now, wait)

    def _believed(self, op: Operation, call: Call, answer: AnswerT) -> AnswerT:
        now = self._clock.now()
        return believed(self._book.view, self._throttle, call, op.target, answer, now)
