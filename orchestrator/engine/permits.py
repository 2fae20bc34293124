"""May a command's requests be sent now? Takes their tokens, or has those wait who must. It believes
the throttle and decides nothing."""

from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.lanes import CALLS, Lane
from orchestrator.domain.rollout import Command, Drop, Survey
from orchestrator.domain.throttle import Call, Throttle
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import Visit

_GATHERING: Final = timedelta(milliseconds=250)
"""A lane whose place has no token left is held for so long at least: none is lost meanwhile, and to
plan for each token alone would cost several times what its request does."""


class Permits:
    """Of one run."""

    def __init__(self, throttle: Throttle, view: RunView) -> None:
        self._throttle = throttle
        self._view = view

    def granted(self, command: Command, lane: Lane | None, now: datetime) -> bool:
        """Take the tokens of a command's requests. Where its place has none left, its whole lane
        waits; where the VM itself has none, the VM does."""
        target = command.op.target
        calls = () if lane is None else CALLS[lane.errand]
        match command:
            case Drop():
                return True
            case Survey() | Visit():
                calls = (Call.LOOK,)
            case _ if lane is not None and self._view.is_held(lane, now):
                return False
            case _:
                pass
        until = self._throttle.take(calls, target, now, self._view.run.id)
        if until is None:
            return True
        self._let_wait(command, lane, until, now)
        return False

    def _let_wait(
        self, command: Command, lane: Lane | None, until: datetime, now: datetime
    ) -> None:
        view, target = self._view, command.op.target
        if isinstance(command, Visit):
            view.vigil.postpone(target.vm_id, until)
        elif lane is None or isinstance(command, Survey):
            view.survey.postpone(target.vm_id, until)
        elif (held := self._blocked(command, lane, now)) is not None:
            view.hold(lane, max(held, now + _GATHERING))
        else:
            view.postpone(target.vm_id, until)

    def _blocked(self, command: Command, lane: Lane, now: datetime) -> datetime | None:
        """Return until when nobody of a lane may go; None: somebody may."""
        blocked = (
            self._throttle.blocked(call, command.op.target, now, self._view.run.id)
            for call in CALLS[lane.errand]
        )
        return max((each for each in blocked if each is not None), default=None)
