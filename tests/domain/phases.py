"""A wave with a phase of reboots, as rows and as a view: what its tests begin with."""

from dataclasses import replace

from orchestrator.domain import states as s
from orchestrator.domain.model import (
    ActivityId,
    AttemptId,
    PlanSpec,
    Reboot,
    Share,
    StagedReboot,
)
from orchestrator.domain.result import Result
from orchestrator.domain.rollout import Restart, plan
from orchestrator.domain.view import RunView
from tests.kit.rows import EPOCH, a_snapshot, a_wave, minutes, opened, with_states

NOW = EPOCH + minutes(10)
PLAN = PlanSpec(name="p", waves=())
ATTEMPT, OURS = AttemptId("a"), ActivityId("ours")
NEEDS = Result(status="Succeeded", installed=3, failed=0, reboot="Required")
WAITING = s.RebootQueued(EPOCH, OURS, NEEDS, why=s.Why("reboot_staged", "3 patches installed"))
SENT = s.Rebooting(ATTEMPT, EPOCH, OURS, NEEDS)
TAKEN = replace(SENT, since=EPOCH, deadline=EPOCH + minutes(45))
WELL = s.Succeeded(EPOCH, s.Outcome.SUCCEEDED, s.Why("succeeded", "1 patch installed"))
PATCHING = s.InProgress(ATTEMPT, EPOCH, OURS, EPOCH, EPOCH + minutes(90), tracked=True)
LOST = s.NeedsHuman(ATTEMPT, None, EPOCH, EPOCH + minutes(45), s.Why("restart_doubtful", "x"))


def a_phase(**given):
    return a_wave(parallel=3, reboot=Reboot.NEVER, staged=StagedReboot(**given))


def a_view(*states, wave=None, at_once=None, allowed=None, **plan_):
    """A run whose one wave has such VMs; with `at_once` its phase of reboots has begun."""
    spec = wave or a_phase(max_parallel=Share(count=2))
    view = RunView(with_states(a_snapshot((spec, len(states)), **plan_), states))
    view = opened(view, allowed=9)
    if at_once is not None:
        view.waves[1] = replace(
            view.waves[1], reboots_at=EPOCH, reboots_at_once=at_once, reboots_allowed=allowed
        )
    view.advance(NOW)
    return view


def restarted(view, now=NOW):
    return [each.op for each in plan(view, now).commands if isinstance(each, Restart)]
