"""The key `reboot`: what an installation may do about one, or reboots as a phase of their own."""

from typing import Annotated, Literal, Self

from pydantic import Tag, model_validator

from orchestrator.config.budget_keys import CountOrPercent, Most
from orchestrator.config.keys import Keys, forms
from orchestrator.config.problems import Wrong
from orchestrator.config.time_keys import Windows

Policy = Literal["if_required", "never", "always", "staged"]


class RebootKeys(Keys):
    """Whether the installation may reboot the VM; or, staged, when and how many are restarted once
    the whole wave is patched."""

    policy: Policy
    """staged: VMs are patched without a reboot, and those that need it are restarted afterwards."""
    window: Windows | None = None
    """When VMs may be restarted: one window or several. Default: those of the wave."""
    max_parallel: Most | None = None
    """How many at once: a count, or a percentage of those that need it. Default: as many as the
    wave patches at once."""
    allow_failures: CountOrPercent | None = None
    """How many restarts may fail, beside what the wave tolerates; one more halts the run."""

    @model_validator(mode="after")
    def _phase(self) -> Self:
        given = sorted(self.model_fields_set - {"policy"})
        if self.policy != "staged" and given:
            fix = f"write `policy: staged`, or delete `{given[0]}`"
            raise Wrong(f"{given[0]} without a phase of reboots", fix)
        return self


RebootPolicy = Annotated[
    Annotated[Policy, Tag("<text>")] | Annotated[RebootKeys, Tag("<mapping>")],
    forms("a policy or a mapping", mapping=True),
]
