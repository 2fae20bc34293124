"""Which operations an act means. Pure."""

from collections.abc import Sequence

from orchestrator.domain.operation import Operation
from orchestrator.domain.record import Act
from orchestrator.domain.states import Why
from orchestrator.domain.view import RunView


def chosen(view: RunView, act: Act) -> Sequence[Operation]:
    """Return the operations that an act means: by VM name or id, by wave, by reason code; none
    given means all."""
    names = {name.lower() for name in act.vms}
    return [
        op
        for op in view.ops.values()
        if (not names or op.target.vm_id in names or op.target.name.lower() in names)
        and (act.wave is None or view.waves[op.wave].spec.name == act.wave)
        and (act.code is None or reason_code(op) == act.code)
    ]


def reason_code(op: Operation) -> str:
    """Return the stable code of why an operation is where it is; empty when nothing needs a
    reason."""
    why = getattr(op.state, "why", None)
    return why.code if isinstance(why, Why) else ""
