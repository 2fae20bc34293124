"""Walking whole runs through the domain, with an Azure that answers as the walk draws.

A walk is the engine without its shell: plan, write the decisions, obey each command with a drawn
answer. The laws are checked at every step; drawing states instead of walking to them would test
situations that cannot be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.carrying import staged
from orchestrator.domain.deciding import write
from orchestrator.domain.following import (
    late_truth,
    needs_look,
    progress,
    progress_by_view,
    settle,
    verify,
)
from orchestrator.domain.model import ActivityId, AttemptId, RunId, Share, VmId
from orchestrator.domain.polling import next_watch, watch_for
from orchestrator.domain.record import Act, ActKind, Change, Move, Resolution, Snapshot, Watch
from orchestrator.domain.restarting import conclude as concluded_restart
from orchestrator.domain.restarting import inspect as inspected_restart
from orchestrator.domain.restarting import progress as restart_progress
from orchestrator.domain.restarting import recover as recovered_restart
from orchestrator.domain.restarting import returned
from orchestrator.domain.rollout import (
    Await,
    Command,
    Drop,
    Look,
    Plan,
    Poll,
    Recover,
    Restart,
    Start,
    Survey,
    hindrance,
    plan,
)
from orchestrator.domain.steering import apply
from orchestrator.domain.submitting import AskWhether, Ready, conclude, inspect, recover
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import Visit
from tests.domain.answers import POLL_ANSWERS, READINGS, SUBMIT_ANSWERS, drawn_look
from tests.kit.rows import EPOCH, minutes, show


@dataclass
class Step:
    """One planned instant of a walk: the rows as they were, and what the plan said."""

    snapshot: Snapshot
    now: datetime
    plan: Plan
    lived: Mapping[str, object]


@dataclass
class Walk:
    """A run being walked: its view, its clock, and what Azure really did (never shown to the
    domain)."""

    rng: Random
    view: RunView
    now: datetime = EPOCH
    steps: list[Step] = field(default_factory=list)
    started: dict[VmId, int] = field(default_factory=dict)
    restarted: dict[VmId, int] = field(default_factory=dict)
    staged: dict[VmId, int] = field(default_factory=dict)
    """How often a restart was granted."""
    acts: int = 0
    calm: bool = False
    """Whether nothing fails."""

    @property
    def submit_answers(self) -> list[a.SubmitAnswer]:
        return SUBMIT_ANSWERS[:1] if self.calm else SUBMIT_ANSWERS

    @property
    def poll_answers(self) -> list[a.PollAnswer]:
        return POLL_ANSWERS[:2] if self.calm else POLL_ANSWERS

    def coin(self) -> bool:
        return self.rng.random() < 0.5

    def rows(self) -> Snapshot:
        return Snapshot(
            run=self.view.run,
            waves=tuple(self.view.waves.values()),
            operations=tuple(self.view.ops.values()),
            watches=dict(self.view.watches),
            receipts={},
        )

    def step(self) -> None:
        self.view.advance(self.now)
        todo = plan(self.view, self.now)
        self.steps.append(Step(self.rows(), self.now, todo, self.view.indexes()))
        for command in todo.commands:
            self.obey(command)
        for reading in todo.readings:
            self.view.gates.heard(reading.key, self.rng.choice(READINGS), self.now)
        for decision in todo.decisions:
            show(self.view, write(self.view, decision, self.now))
        if not todo.commands and not todo.decisions and not todo.readings:
            self.wait(todo)

    def wait(self, todo: Plan) -> None:
        if todo.wake_at is not None and self.coin():
            self.now = max(self.now, todo.wake_at)
        else:
            self.now += minutes(self.rng.choice([0, 1, 7, 60]))

    def act(self, kind: ActKind, resolution: Resolution | None = None) -> None:
        self.acts += 1
        show(self.view, apply(self.view, self.an_act(kind, resolution), self.now))

    def an_act(self, kind: ActKind, resolution: Resolution | None = None) -> Act:
        run_id = RunId("monthly-1")
        aimed = kind in {ActKind.SKIP, ActKind.SET}
        wave = self.rng.choice(list(self.view.waves.values())).spec.name if aimed else None
        one = kind is ActKind.SKIP and self.rng.randrange(8) > 0
        vms = (self.rng.choice(list(self.view.ops)),) if one else ()
        return Act(
            id=f"act-{self.acts}",
            run_id=run_id,
            kind=kind,
            actor="ann",
            because="a reason",
            at=self.now,
            vms=vms,
            wave=None if vms else wave,
            resolution=resolution,
            max_parallel=Share(count=self.rng.randint(1, 4)) if kind is ActKind.SET else None,
        )

    # ------------------------------------------------------------------ commands

    def obey(self, command: Command) -> None:
        match command:
            case Start(op):
                self.start(op)
            case Restart(op, state):
                self.restart(op, state)
            case Await(op, state):
                self.wait_for_restart(op, state)
            case Recover(op, state):
                self.move(op, recover(state, None, self.view.run.plan, self.spec(op), self.now))
            case Poll(op, state):
                self.poll(op, state)
            case Look(op, state):
                self.look(op, state)
            case Visit(op):
                self.visit(op)
            case Survey():
                raise AssertionError("no walk is in safe mode: nothing is surveyed")
            case Drop(op, cancelled, why):
                event = o.Withdrawn if cancelled else o.Dropped
                self.move(op, event(self.now, why))

    def start(self, op: o.Operation) -> None:
        if isinstance(op.state, s.Queued):
            op = self.move(op, o.Began(self.now))
        assert isinstance(op.state, s.Preparing)
        decision = inspect(op.state, self.drawn_look(op, None), self.view.run.plan, self.now)
        if isinstance(decision, AskWhether):
            decision = decision.otherwise if self.coin() else Ready(None)
        if not isinstance(decision, Ready):
            self.move(op, decision)
            return
        hindered = hindrance(self.view, op)
        if hindered is not None:
            self.move(op, o.Deferred(self.now, s.Wait.HELD, s.Why("held", hindered)))
            return
        attempt = AttemptId(f"{op.target.name}/{len(self.steps)}")
        op = self.move(op, o.Intended(self.now, attempt, decision.baseline))
        answer = self.rng.choice(self.submit_answers)
        if isinstance(answer, a.Taken) or (isinstance(answer, a.InDoubt) and self.coin()):
            self.started[op.target.vm_id] = self.started.get(op.target.vm_id, 0) + 1
        assert isinstance(op.state, s.Submitting)
        if self.calm or self.rng.randrange(10):
            event, _ = conclude(op.state, answer, self.view.run.plan, self.spec(op), self.now)
            self.move(op, event)  # otherwise the sender died here

    def restart(self, op: o.Operation, state: s.RebootQueued) -> None:
        event = inspected_restart(state, self.drawn_look(op, None), self.now)
        hindered = hindrance(self.view, op)
        if event is None and hindered is not None:
            event = o.Deferred(
                self.now, s.Wait.HELD, s.Why("held", hindered), self.now + minutes(1)
            )
        if event is not None:
            self.move(op, event)
            return
        attempt = AttemptId(f"{op.target.name}/restart/{len(self.steps)}")
        op = self.move(op, o.Intended(self.now, attempt, None))
        answer = self.rng.choice(self.submit_answers)
        if isinstance(answer, a.Taken) or (isinstance(answer, a.InDoubt) and self.coin()):
            self.restarted[op.target.vm_id] = self.restarted.get(op.target.vm_id, 0) + 1
        if self.calm or self.rng.randrange(10):
            event, _ = concluded_restart(answer, self.view.run.plan, self.now)
            self.move(op, event)  # otherwise the sender died here

    def wait_for_restart(self, op: o.Operation, state: s.Rebooting) -> None:
        event: o.Event | None
        if state.since is None or state.deadline is None:
            event = recovered_restart(None, self.view.run.plan, self.now)
        elif self.coin():
            event = restart_progress(state, self.rng.choice(self.poll_answers), self.now)
        else:
            look = self.drawn_look(op, None)
            event = returned(state, look, self.view.run.plan, self.now)
        self.concluded(op, event)

    def visit(self, op: o.Operation) -> None:
        event = self.view.vigil.judge(op, self.drawn_look(op, None), self.now)
        if event is not None:
            self.move(op, event)
            self.view.vigil.note(op.target.vm_id)

    def poll(self, op: o.Operation, state: s.InProgress) -> None:
        if not state.tracked:
            event = progress_by_view(
                state,
                self.drawn_look(op, state.activity),
                self.view.run.plan,
                self.spec(op),
                self.now,
            )
        else:
            event = progress(
                state,
                self.rng.choice(self.poll_answers),
                self.view.run.plan,
                self.spec(op),
                self.now,
            )
            if event is None and self.now >= state.deadline:
                event = progress_by_view(
                    state,
                    self.drawn_look(op, state.activity),
                    self.view.run.plan,
                    self.spec(op),
                    self.now,
                )
        self.concluded(op, event)

    def look(self, op: o.Operation, state: s.Unknown | s.Verifying | s.NeedsHuman) -> None:
        plan_, wave = self.view.run.plan, self.spec(op)
        event: o.Event | None = None
        match state:
            case s.Unknown():
                event = settle(state, self.drawn_look(op, ActivityId("new")), plan_, wave, self.now)
            case s.Verifying(activity=activity):
                event = verify(state, self.drawn_look(op, activity), wave, self.now)
            case s.NeedsHuman(activity=activity):
                event = late_truth(state, self.drawn_look(op, activity), plan_, wave, self.now)
        self.concluded(op, event)

    def concluded(self, op: o.Operation, event: o.Event | None) -> None:
        if event is None:
            vm = op.target.vm_id
            old = self.view.watches.get(vm) or Watch(next_at=self.now)
            interval = self.view.pacing(op)
            self.view.watch(vm, next_watch(op.state, old, interval, self.now, None))
            return
        op = self.ended(op, event)
        if isinstance(op.state, s.Verifying) and not needs_look(op.state):
            verdict = verify(op.state, None, self.spec(op), self.now)
            assert verdict is not None
            self.ended(op, verdict)

    def ended(self, op: o.Operation, event: o.Event) -> o.Operation:
        """Move, or let a VM that needs a restart wait for it where its wave stages them."""
        after = o.transition(op, event)
        last = staged(self.view, Move(before=op, after=after, event=event, actor="walk"))
        if last.grant is not None:
            vm = op.target.vm_id
            self.staged[vm] = self.staged.get(vm, 0) + 1
        return self.move(op, last.event)

    def move(self, op: o.Operation, event: o.Event) -> o.Operation:
        after = o.transition(op, event)
        show(self.view, Change(moves=(Move(before=op, after=after, event=event, actor="walk"),)))
        vm = after.target.vm_id
        watch = watch_for(after, self.view.watches.get(vm), self.view.pacing(after), self.now)
        if watch is not None:
            self.view.watch(vm, watch)
        return after

    def spec(self, op: o.Operation):
        return self.view.waves[op.wave].spec

    def drawn_look(self, op: o.Operation, activity: ActivityId | None) -> a.LookAnswer:
        return drawn_look(self.rng, op.target.vm_id, activity, self.now, calm=self.calm)
