"""The keys of `allow_failures` and of `limits`, and what each may hold."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, Tag, model_validator

from orchestrator.config import values
from orchestrator.config.keys import Keys, forms
from orchestrator.config.problems import Wrong

_COUNT = Annotated[int, Field(ge=1)]


class RateKeys(Keys):
    """Too many failures among the latest results."""

    percent: values.Percent
    """More than so many percent bad halts."""
    last: Annotated[int, Field(ge=1, le=10_000)] = 50
    """How many of the latest results are looked at."""
    min_sample: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many results there must be before it says anything."""

    @model_validator(mode="after")
    def _can_trip(self) -> Self:
        if self.min_sample > self.last:
            raise Wrong("min_sample is above last: it would never be reached", "raise `last`")
        return self


class BudgetKeys(Keys):
    """All that is given holds at once. With neither count nor percent a wave has the default of its
    size besides."""

    count: Annotated[int, Field(ge=0)] | None = None
    """How many failures are tolerated."""
    percent: values.Percent | None = None
    """How many percent of the VMs may fail; rounded down."""
    in_a_row: _COUNT | None = None
    """The failure with this number halts, when no success came between."""
    rate: RateKeys | None = None
    """Halts on too many failures among the latest results."""
    budget: Literal["strict"] | None = None
    """strict: a VM starts only while in flight and bad together are at most what is tolerated."""

    quarantine: bool | None = None
    """In the place of a halt: hold back the one group of VMs that shares the cause, go on."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            fix = "write count, percent, in_a_row, rate, budget or quarantine"
            raise Wrong("a tolerance that says nothing", fix)
        return self


class RunBudgetKeys(BudgetKeys):
    """The same over all waves. A run has no default of its size."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.budget is not None and self.count is None and self.percent is None:
            fix = "write count or percent; only a wave has a default"
            raise Wrong("a strict budget of a run without a number", fix)
        return self

    @model_validator(mode="after")
    def _breakable(self) -> Self:
        bounds = (self.count, self.percent, self.in_a_row, self.rate)
        if self.quarantine and all(each is None for each in bounds):
            fix = "write count, percent, in_a_row or rate; only a wave has a default"
            raise Wrong("a quarantine of a run without a bound that could break", fix)
        return self


_EITHER = (
    Annotated[int, Field(ge=0), Tag("<number>")] | Annotated[values.PercentText, Tag("<text>")]
)
CountOrPercent = Annotated[_EITHER, forms("a count or a percentage", number=True)]
_FORMS = forms("a count, a percentage or a mapping", number=True, mapping=True)
AllowFailures = Annotated[_EITHER | Annotated[BudgetKeys, Tag("<mapping>")], _FORMS]
RunAllowFailures = Annotated[_EITHER | Annotated[RunBudgetKeys, Tag("<mapping>")], _FORMS]

KINDS: Final = ("subscription", "subscription_region", "zone", "availability_set")
_TAG: Final = re.compile(r"tag:\S(?:.{0,510}\S)?")


def _kinds(per: dict[str, Any]) -> dict[str, Any]:
    for kind in per:
        if kind not in KINDS and not _TAG.fullmatch(kind):
            fix = f'write {", ".join(KINDS)} or "tag:NAME"'
            raise Wrong(f"{kind} is no group that can be limited", fix)
    folded = {kind.lower() for kind in per}
    if len(folded) < len(per):
        raise Wrong("one tag twice: tag names differ in more than case", "keep one of them")
    return per


Most = Annotated[
    Annotated[int, Field(ge=1), Tag("<number>")] | Annotated[values.SomePercentText, Tag("<text>")],
    forms("a count or a percentage", number=True),
]


class LimitsKeys(Keys):
    """How many VMs may be in flight."""

    in_flight: _COUNT | None = None
    """Over all runs and daemons of the database."""
    per: Annotated[dict[str, Most], AfterValidator(_kinds)] | None = None
    """By group: a count holds over all runs, a percentage is of the run's own VMs in the group."""
