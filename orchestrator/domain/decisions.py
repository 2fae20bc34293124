"""What a plan decides about a run and its waves: facts that are written down with their reason. No
behaviour."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.gating import AskApproval, TurnGates
from orchestrator.domain.model import Quarantine, RunStatus
from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Detail
from orchestrator.domain.reminding import Remind
from orchestrator.domain.states import Why


@dataclass(frozen=True, slots=True)
class OpenWave:
    """Let a wave begin, with its shares fixed as counts."""

    wave: int
    allowed: int
    max_parallel: int
    ramp: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenReboots:
    """Every VM of a wave is patched: so many need a restart. None: only the wave's own tolerance
    counts."""

    wave: int
    vms: int
    at_once: int
    allowed: int | None


@dataclass(frozen=True, slots=True)
class BakeWave:
    """Every VM is settled: the wave must stay good until then."""

    wave: int
    until: datetime


@dataclass(frozen=True, slots=True)
class CloseWave:
    """The wave passed."""

    wave: int
    why: Why


@dataclass(frozen=True, slots=True)
class HaltRun:
    """No further start. Only a person ends a halt."""

    wave: int | None
    why: Why


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Hold one group of VMs back in the place of a halt; its bad VMs are accepted, and the run goes
    on with the others."""

    wave: int | None
    group: Quarantine
    accepted: tuple[Operation, ...]
    why: Why
    counts: Detail


@dataclass(frozen=True, slots=True)
class PauseRun:
    """Nothing of Azure has answered for too long: a person should look."""

    why: Why


@dataclass(frozen=True, slots=True)
class ExpireRun:
    """The deadline has come: what is queued will not start."""

    why: Why


@dataclass(frozen=True, slots=True)
class CloseRun:
    """Nothing is in flight any more and nothing is left to do."""

    status: RunStatus
    why: Why


Decision = (
    OpenWave
    | OpenReboots
    | BakeWave
    | CloseWave
    | HaltRun
    | QuarantineGroup
    | PauseRun
    | ExpireRun
    | CloseRun
    | AskApproval
    | TurnGates
    | Remind
)
