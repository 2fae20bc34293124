"""Asking Resource Graph, where and when the domain says that it may know more than a look. It
decides nothing."""

from datetime import datetime

from orchestrator.domain.answer import LookAnswer, Throttled, TraceAnswer
from orchestrator.domain.model import AttemptId, Tracking
from orchestrator.domain.operation import Operation
from orchestrator.domain.throttle import Call
from orchestrator.domain.tracing import LOOK_BACK, Traceable, trace_due, worth_tracing
from orchestrator.engine.doors import Doors


class Tracer:
    """Remembers when it asked about which attempt: a restart forgets it, and asks anew."""

    def __init__(self, doors: Doors) -> None:
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle
        self._asked: dict[AttemptId, datetime] = {}

    async def ask(
        self,
        op: Operation,
        state: Traceable,
        answer: LookAnswer,
        tracking: Tracking,
        began: datetime,
    ) -> TraceAnswer | None:
        """Ask about an operation after a look that began then; None when it is not worth it or not
        its turn. A query that our own throttle holds back is `Throttled`, as Azure would say."""
        asked_at = self._asked.get(state.attempt)
        if not worth_tracing(state, answer, began) or not trace_due(
            state, asked_at, tracking, began
        ):
            return None
        now = self._clock.now()
        until = self._throttle.take((Call.TRACE,), op.target, now)
        if until is not None:
            return Throttled(
                retry_after=until - now, reason="queries of Resource Graph are used up"
            )
        since = (op.started_at or began) - LOOK_BACK
        trace = await self._arm.trace(op.target.vm_id, since)
        if isinstance(trace, Throttled):
            self._throttle.refused(Call.TRACE, op.target, trace.retry_after, self._clock.now())
        else:
            self._asked[state.attempt] = began
        return trace
