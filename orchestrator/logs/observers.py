"""The engine's observers that write lines, and the one that tells several. They answer nothing and
never fail the engine."""

import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
from structlog.stdlib import BoundLogger

from orchestrator.domain.foreign import said
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import STATE_NAMES, Failed, NeedsHuman, Why
from orchestrator.logs.lines import NAME, trace
from orchestrator.ports import Clock, Observer

_LIBRARY: Final = logging.getLogger(NAME)
_QUIET_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 500
_ALARMING: Final = {
    *("run.halted", "run.paused", "run.expired", "run.reminded", "wave.halted", "survey.found"),
    *("approval.asked", "run.quarantined", "fleet.halted"),
}


class Log:
    """Writes one line for each thing the engine tells of (`ports.Observer`).

    The same trouble at the same place is told once a minute, with how often it came in between.
    """

    def __init__(self, clock: Clock, logger: BoundLogger | None = None) -> None:
        self._clock = clock
        self._log: BoundLogger = logger or structlog.stdlib.get_logger(NAME)
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._untold: Counter[tuple[str, str]] = Counter()

    def moved(self, move: Move) -> None:
        """Write `operation.moved`; `happened` is the event's name in the audit log."""
        op = move.after
        bad = isinstance(op.state, Failed | NeedsHuman) and op.state is not move.before.state
        say = self._log.warning if bad else self._log.info
        say(
            "operation.moved",
            run=op.run_id,
            vm=op.target.vm_id,
            wave=op.wave,
            **{"from": STATE_NAMES[type(move.before.state)], "to": STATE_NAMES[type(op.state)]},
            happened=type(move.event).__name__.lower(),
            **_why(getattr(move.event, "why", None)),
            attempt=op.attempt,
            activity=getattr(op.state, "activity", None),
            actor=move.actor,
        )

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """Write a fact under its own name; those that belong to no run name none."""
        alarming = fact.event in _ALARMING or (fact.event, fact.why.code) == ("gate.turned", "red")
        say = self._log.warning if alarming else self._log.info
        told = {
            "run": run_id or None,
            "wave": fact.wave,
            "vm": fact.vm_id,
            "detail": dict(fact.detail) or None,
        }
        given = {key: value for key, value in told.items() if value is not None}
        say(fact.event, **given, **_why(fact.why), actor=fact.actor)

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """Write `azure.asked`, for those who debug."""
        if not _LIBRARY.isEnabledFor(logging.DEBUG):
            return  # thousands of polls a second need not make an event to drop it
        self._log.debug("azure.asked", kind=kind, code=code, seconds=round(seconds, 3))

    def late(self, seconds: float) -> None:
        """Write nothing: the metrics count it."""

    def troubled(self, where: str, reason: str) -> None:
        """Write `daemon.troubled`, seldom."""
        key, now = (where, reason), self._clock.monotonic()
        if (last := self._told.get(key)) is not None and now - last < _QUIET_SECONDS:
            self._untold[key] += 1
            return
        self._told[key] = now
        self._told.move_to_end(key)
        repeated = self._untold.pop(key, 0)
        while len(self._told) > _MOST_REMEMBERED:
            self._untold.pop(self._told.popitem(last=False)[0], None)
        more = {"repeated": repeated} if repeated else {}
        self._log.warning("daemon.troubled", where=where, reason=reason, **more)

    def crashed(self, where: str, error: Exception) -> None:
        """Write `daemon.crashed` with the traceback as a list of lines."""
        what = {"error": type(error).__name__, "message": said(error)}
        self._log.error("daemon.crashed", where=where, **what, traceback=trace(error))


def _why(why: object) -> dict[str, str]:
    return {"reason_code": why.code, "reason": why.text} if isinstance(why, Why) else {}


class Observers:
    """Tells several observers; one that fails is told of in the log, and nobody else notices."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._failed: Counter[str] = Counter()

    def moved(self, move: Move) -> None:
        """An operation changed its state, durably."""
        self._tell(lambda observer: observer.moved(move))

    def noted(self, run_id: RunId, fact: Fact) -> None:
        """A run or wave fact was written, durably."""
        self._tell(lambda observer: observer.noted(run_id, fact))

    def asked(self, kind: str, code: str, seconds: float) -> None:
        """One request to Azure was answered."""
        self._tell(lambda observer: observer.asked(kind, code, seconds))

    def late(self, seconds: float) -> None:
        """A poll began so long after its planned instant."""
        self._tell(lambda observer: observer.late(seconds))

    def troubled(self, where: str, reason: str) -> None:
        """Something outside does not work; we go on trying."""
        self._tell(lambda observer: observer.troubled(where, reason))

    def crashed(self, where: str, error: Exception) -> None:
        """A bug of ours."""
        self._tell(lambda observer: observer.crashed(where, error))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception as error:  # noqa: BLE001 - an observer never fails the engine
                self._note(type(observer).__name__, error)

    def _note(self, name: str, error: Exception) -> None:
        """Tell of the 1st, 2nd, 4th, 8th … failure of an observer."""
        self._failed[name] += 1
        times = self._failed[name]
        if times & (times - 1) == 0:
            with contextlib.suppress(Exception):
                log = structlog.stdlib.get_logger(NAME)
                log.error("observer.failed", observer=name, times=times, traceback=trace(error))
