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
from orchestrator.domain.deciding import write
from orchestrator.domain.following import (
    late_truth,
    needs_look,
    progress,
    progress_by_view,
    settle,
    verify,
)
from orchestrator.domain.gate import Approval
from orchestrator.domain.model import ActivityId, AttemptId, RunId, Share, VmId
from orchestrator.domain.polling import next_watch, watch_for
from orchestrator.domain.record import Act, ActKind, Change, Move, Resolution, Snapshot, Watch
from orchestrator.domain.result import Result
from orchestrator.domain.rollout import (
    Command,
    Drop,
    Look,
    Plan,
    Poll,
    Recover,
    Start,
    Survey,
    hindrance,
    plan,
)
from orchestrator.domain.steering import apply
from orchestrator.domain.submitting import AskWhether, Ready, conclude, inspect, recover
from orchestrator.domain.view import RunView
from orchestrator.domain.vigil import Visit
from tests.domain.answers import POLL_ANSWERS, READINGS, SUBMIT_ANSWERS
from tests.kit.rows import EPOCH, a_gate, a_snapshot, a_wave, minutes, show


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
        op = self.move(op, event)
        if isinstance(op.state, s.Verifying) and not needs_look(op.state):
            verdict = verify(op.state, None, self.spec(op), self.now)
            assert verdict is not None
            self.move(op, verdict)

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
        kinds = ["well"] * 8 + ["off", "gone", "silent", "recent"]
        kind = "well" if self.calm else self.rng.choice(kinds)
        if kind == "gone":
            return a.Gone(reason="404")
        if kind == "silent":
            return a.Unreadable(reason="time-out")
        last = None
        if activity is not None and kind != "recent" and self.coin():
            status = self.rng.choice(["InProgress", "Succeeded", "Succeeded", "Failed"])
            last = a.LastInstallation(
                activity=activity,
                started_at=self.now,
                result=Result(status=status, installed=1, failed=0),
            )
        if kind == "recent":
            started = self.now - minutes(30)
            last = a.LastInstallation(
                activity=ActivityId("other"),
                started_at=started,
                result=Result(status="Succeeded", failed=0),
            )
        return a.Seen(
            vm_id=op.target.vm_id,
            region="westeurope",
            os="Linux",
            power="deallocated" if kind == "off" else "running",
            agent_ready=kind == "well",
            last=last,
        )


ACTS = (
    [None] * 40
    + [(kind, None) for kind in ActKind if kind not in {ActKind.RESOLVE, ActKind.HAND_OVER}]
    + [
        *[(ActKind.RESUME, None)] * 2,
        *[(ActKind.APPROVE, None)] * 3,
        *[(ActKind.RESOLVE, resolution) for resolution in Resolution],
    ]
)


def a_walk(seed: int, length: int = 80, *, acts: bool = True, until=None) -> Walk:
    """Walk a random run from its beginning, until `until` says so or for that many steps."""
    rng = Random(seed)
    waves = [
        (
            a_wave(
                f"wave{n}",
                parallel=rng.randint(1, 3),
                failures=rng.choice([0, 1, 1, 2, 4]),
                bake=minutes(rng.choice([0, 90])),
                allow_empty=rng.random() < 0.5,
                ramp=rng.choice([(), (), (Share(count=1), Share(count=2))]),
                approve=rng.choice([None, Approval(group="on-call")]) if acts else None,
                before=rng.choice([(), (), (a_gate("before"),)]),
                check=rng.choice([(), (), (a_gate("check", held_for=minutes(2)),)]),
            ),
            rng.randint(1, 4),
        )
        for n in range(2)
    ]
    return walked(Walk(rng, RunView(a_snapshot(*waves))), length, acts=acts, until=until)


def walked(walk: Walk, length: int, *, acts: bool = True, until=None) -> Walk:
    """Walk a run, until `until` says so or for that many steps."""
    rng = walk.rng
    for _ in range(length):
        if acts and (act := rng.choice(ACTS)) is not None:
            walk.act(*act)
        walk.step()
        if until is not None and until(walk):
            break
    return walk
