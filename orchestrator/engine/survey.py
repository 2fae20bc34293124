"""Safe mode's look at the VMs that the rows call queued: reads, and facts for a person. It starts
nothing and moves no operation."""

from orchestrator.domain.answer import Seen, Throttled, Unreadable
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import DAEMON, Change
from orchestrator.domain.submitting import AGAIN
from orchestrator.domain.surveying import ended, found, suspect
from orchestrator.domain.throttle import Call
from orchestrator.engine.book import Book
from orchestrator.engine.doors import Doors
from orchestrator.engine.reach import learn


class Surveyor:
    """Looks at one VM after the other, as the plan asks for it."""

    def __init__(self, doors: Doors, book: Book) -> None:
        self._book = book
        self._store = doors.store
        self._arm = doors.arm
        self._clock = doors.clock
        self._throttle = doors.throttle

    async def survey(self, op: Operation) -> None:
        """Look at a VM once, and write down an installation that the database does not know."""
        vm, view = op.target.vm_id, self._book.view
        answer = await self._arm.look(vm)
        now = self._clock.now()
        learn(view, self._throttle, Call.LOOK, op.target, answer, now)
        if isinstance(answer, Throttled | Unreadable):
            view.survey.postpone(vm, now + (answer.retry_after or AGAIN))
            return
        if isinstance(answer, Seen) and (it := suspect(view.run, answer)) is not None:
            forgotten = not await self._store.knows(it.activity)
            if forgotten:
                fact = found(vm, it, DAEMON, now)
                if not await self._book.record(Change(facts=(fact,))):
                    return
                view.survey.forgotten.add(vm)
        view.survey.note(vm)
        if view.survey.over:
            fact = ended(view.survey.seen, len(view.survey.forgotten), DAEMON, now)
            await self._book.record(Change(facts=(fact,)))
