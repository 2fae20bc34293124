"""Asking Resource Graph, where and when the domain says that it may know more than a look. It
decides nothing."""

from datetime import datetime

from orchestrator.domain.answer import LookAnswer, TraceAnswer, Traced, Unreadable
from orchestrator.domain.model import AttemptId, Tracking
from orchestrator.domain.operation import Operation
from orchestrator.domain.streaks import soon
from orchestrator.domain.tracing import LOOK_BACK, Traceable, sighted, trace_due, worth_tracing
from orchestrator.engine.doors import Doors
from orchestrator.engine.inquiry import Inquiry


class Tracer:
    """Remembers when it was answered about which attempt: a restart forgets it, and asks anew."""

    def __init__(self, doors: Doors) -> None:
        self._inquiry = Inquiry(doors)
        self._answered: dict[AttemptId, datetime] = {}
        self._spoiled: dict[AttemptId, tuple[int, datetime]] = {}
        """How often in a row no answer could be read, and when to ask again."""

    async def ask(
        self,
        op: Operation,
        state: Traceable,
        answer: LookAnswer,
        tracking: Tracking,
        began: datetime,
    ) -> TraceAnswer | None:
        """Ask about an operation after a look that began then; None when it is not worth it or not
        its turn."""
        if not self._due(state, answer, tracking, began):
            return None
        trace = await self._inquiry.ask(op.target, (op.started_at or began) - LOOK_BACK)
        if isinstance(trace, Traced):
            self._answered[state.attempt] = began
            self._spoiled.pop(state.attempt, None)
        elif isinstance(trace, Unreadable):
            number = self._spoiled.get(state.attempt, (0, began))[0] + 1
            wait = min(soon(number), tracking.settle / 15)
            self._spoiled[state.attempt] = (number, began + wait)
        return trace

    def _due(
        self, state: Traceable, answer: LookAnswer, tracking: Tracking, began: datetime
    ) -> bool:
        """Tell whether to ask now; after an answer that could not be read, a little later."""
        _, not_before = self._spoiled.get(state.attempt, (0, began))
        if began < not_before or not worth_tracing(state, answer, began):
            return False
        asked_at, near = self._answered.get(state.attempt), sighted(state, answer)
        return trace_due(state, asked_at, tracking, began, sighted=near)
