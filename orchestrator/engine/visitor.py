"""The looks at VMs whose wave bakes: one read of each. It decides nothing and starts nothing."""

from orchestrator.domain.operation import Operation
from orchestrator.domain.throttle import Call
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.reach import believed


class Visitor:
    """Looks at one VM after the other, as the plan asks for it."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle

    async def visit(self, op: Operation) -> None:
        """Look at a VM once, and write down that it is not well any more."""
        vm, view = op.target.vm_id, self._book.view
        began = self._clock.now()
        answer = await self._arm.look(vm)
        now = self._clock.now()
        answer = believed(view, self._throttle, Call.LOOK, op.target, answer, now)
        event = view.vigil.judge(op, answer, began)
        if event is None or view.ops[vm] is not op:
            return
        if await self._book.moved(self._book.move(op, event)):
            view.vigil.note(vm)
