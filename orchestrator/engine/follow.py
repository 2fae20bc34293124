"""Following what was begun, step by step: recover, look, poll, verify. It decides nothing and
starts nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.domain.answer import (
    Finished,
    LookAnswer,
    PollAnswer,
    Throttled,
    TraceAnswer,
    Tracker,
    Unreadable,
    Untrackable,
)
from orchestrator.domain.carrying import carry_over, may_carry_over, staged
from orchestrator.domain.following import (
    arrived,
    late_truth,
    needs_look,
    progress,
    progress_by_view,
    settle,
    verify,
)
from orchestrator.domain.model import ActivityId, PlanSpec, WaveSpec
from orchestrator.domain.operation import (
    Accepted,
    Broke,
    Deferred,
    Dropped,
    Event,
    Operation,
    Passed,
    Reported,
)
from orchestrator.domain.polling import next_watch
from orchestrator.domain.record import AttemptEnd, AttemptUpdate, GrantKind, Move, Receipt, Watch
from orchestrator.domain.result import Report
from orchestrator.domain.rollout import Look, Poll, Recover
from orchestrator.domain.states import InProgress, NeedsHuman, Submitting, Unknown, Verifying
from orchestrator.domain.streaks import AnswerT
from orchestrator.domain.submitting import recover
from orchestrator.domain.throttle import Call
from orchestrator.domain.tracing import found_since, without
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.reach import believed
from orchestrator.engine.tracer import Tracer


class Follower:
    """Asks about one operation, and writes down what the answer means."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._store = doors.store
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._tracer = Tracer(doors)

    async def recover(self, command: Recover) -> None:
        """Give an intent whose sender died its answer: the receipt, or `unknown`."""
        op, state = command.op, command.state
        receipts = await self._store.receipts([state.attempt])
        receipt = receipts.get(state.attempt)
        event = recover(state, receipt, self._plan, self._wave(op), self._clock.now())
        end = AttemptEnd.ACCEPTED if receipt else AttemptEnd.UNKNOWN
        update = AttemptUpdate(
            attempt=state.attempt,
            ended_at=event.at,
            end=end,
            activity=receipt.activity if receipt else None,
        )
        await self._book.moved(self._book.move(op, event, attempt=update))

    async def look(self, command: Look) -> None:
        """Look at the VM of an operation that is unknown, verifying, or before a person."""
        op, state = command.op, command.state
        began = self._clock.now()
        receipt = await self._receipt(state) if isinstance(state, Unknown) else None
        if isinstance(state, Unknown) and receipt is not None:
            late = arrived(state, receipt, self._plan, self._wave(op), began)
            await self._book.moved(self._book.move(op, late, attempt=_update(op, late)))
            return
        answer = self._believed(op, Call.LOOK, await self._arm.look(op.target.vm_id))
        trace = await self._tracer.ask(op, state, answer, self._plan.tracking, began)
        event = await self._seen(op, state, answer, began, trace)
        await self._write(op, event, answer, None)

    async def _seen(
        self,
        op: Operation,
        state: Unknown | Verifying | NeedsHuman,
        answer: LookAnswer,
        began: datetime,
        trace: TraceAnswer | None,
    ) -> Event | None:
        wave = self._wave(op)
        match state:
            case Unknown():
                known = await self._known(state, answer, trace)
                answer, trace = without(answer, trace, known)
                new = bool(found_since(state, answer, trace))
                contested = new and await self._store.is_contested(op.target.vm_id, state.attempt)
                return settle(state, answer, self._plan, wave, began, trace, contested=contested)
            case Verifying():
                return verify(state, answer, wave, began, trace)
            case NeedsHuman():
                return late_truth(state, answer, self._plan, wave, began, trace)

    async def _known(
        self, state: Unknown, answer: LookAnswer, trace: TraceAnswer | None
    ) -> frozenset[ActivityId]:
        """Return which of the new installations are those of other attempts in this database."""
        new = {each.activity for each in found_since(state, answer, trace)} - {state.expected}
        return frozenset([each for each in sorted(new) if await self._store.knows(each)])

    async def poll(self, command: Poll, tracker: Tracker | None) -> None:
        """Ask how an installation goes, by its URL."""
        op, state = command.op, command.state
        if tracker is None:
            answer: PollAnswer = Untrackable(reason="no operation URL is stored")
        else:
            answer = self._believed(op, Call.POLL, await self._arm.poll(tracker))
        now = self._clock.now()
        event = progress(state, answer, self._plan, self._wave(op), now)
        if event is None and (isinstance(answer, Untrackable) or now >= state.deadline):
            by_view = replace(self._watch(op), by_view=True, next_at=now)
            self._book.watch(op.target.vm_id, by_view)
            return
        report = answer.report if isinstance(answer, Finished) else None
        await self._write(op, event, answer, report)

    async def poll_by_view(self, command: Poll) -> None:
        """Ask how an installation goes by the instance view: there is no URL that serves."""
        op, state = command.op, command.state
        answer = self._believed(op, Call.LOOK, await self._arm.look(op.target.vm_id))
        now = self._clock.now()
        trace = await self._tracer.ask(op, state, answer, self._plan.tracking, now)
        event = progress_by_view(state, answer, self._plan, self._wave(op), now, trace)
        await self._write(op, event, answer, None)

    async def _write(
        self,
        op: Operation,
        event: Event | None,
        answer: PollAnswer | LookAnswer,
        report: Report | None,
    ) -> None:
        """Store an event and what follows from it at once; without one, plan the next read."""
        if event is None:
            watch = next_watch(
                op.state,
                self._watch(op),
                self._book.view.pacing(op),
                self._clock.now(),
                retry_after(answer),
            )
            self._book.watch(op.target.vm_id, watch)
            return
        first = self._book.move(op, event, attempt=_update(op, event), report=report)
        *earlier, last = self._with_verdict(first)
        last = staged(self._book.view, await self._carried_over(last))
        await self._book.moved(*earlier, last)

    async def _carried_over(self, last: Move) -> Move:
        """Let a VM that ran out of its time go on in a later window, where it still may."""
        view, op = self._book.view, last.before
        if not may_carry_over(view, op, last.event):
            return last
        used = await self._store.grants(op.run_id, op.target.vm_id, GrantKind.CARRY_OVER)
        return carry_over(view, op, last.event, used) or last

    def _with_verdict(self, first: Move) -> Sequence[Move]:
        """An end that needs no look is judged in the transaction that records it."""
        state = first.after.state
        if not isinstance(state, Verifying) or needs_look(state):
            return (first,)
        verdict = verify(state, None, self._wave(first.after), first.event.at)
        if verdict is None:
            return (first,)
        update = _update(first.after, verdict)
        return (first, self._book.move(first.after, verdict, attempt=update))

    def _believed(self, op: Operation, call: Call, answer: AnswerT) -> AnswerT:
        """Note what an answer says about Azure, and return what it says about the VM."""
        now = self._clock.now()
        return believed(self._book.view, self._throttle, call, op.target, answer, now)

    async def _receipt(self, state: Unknown) -> Receipt | None:
        return (await self._store.receipts([state.attempt])).get(state.attempt)

    @property
    def _plan(self) -> PlanSpec:
        return self._book.view.run.plan

    def _wave(self, op: Operation) -> WaveSpec:
        return self._book.view.waves[op.wave].spec

    def _watch(self, op: Operation) -> Watch:
        found = self._book.view.watches.get(op.target.vm_id)
        return found or Watch(next_at=self._clock.now())


def _update(op: Operation, event: Event) -> AttemptUpdate | None:
    """What an event says about the attempt behind it."""
    state = op.state
    if not isinstance(state, Submitting | Unknown | InProgress | Verifying | NeedsHuman):
        return None
    match event:
        case Accepted(activity=activity) | Reported(activity=activity):
            end = AttemptEnd.ACCEPTED if isinstance(state, Unknown) else None
            return AttemptUpdate(attempt=state.attempt, end=end, activity=activity)
        case Deferred(at) | Dropped(at) if isinstance(state, Unknown):
            return AttemptUpdate(attempt=state.attempt, end=AttemptEnd.REFUSED, ended_at=at)
        case Broke(at, failure) if isinstance(state, Unknown):
            return AttemptUpdate(
                attempt=state.attempt, end=AttemptEnd.REFUSED, ended_at=at, verdict=failure
            )
        case Passed() | Broke():
            return AttemptUpdate(attempt=state.attempt, verdict=verdict_on(event))
        case _:
            return None


def verdict_on(event: Event) -> str | None:
    """Say in a word what an end says about the attempt behind it."""
    match event:
        case Passed(outcome=outcome):
            return outcome
        case Broke(failure=failure):
            return f"failed: {failure}"
        case _:
            return None


def retry_after(answer: PollAnswer | LookAnswer) -> timedelta | None:
    """Return how long an answer asks to be left alone."""
    match answer:
        case Throttled(retry_after=retry_after):
            return retry_after
        case Unreadable(retry_after=retry_after):
            return retry_after
        case _:
            return getattr(answer, "retry_after", None)
