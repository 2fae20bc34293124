"""What must hold before a wave opens or closes: approvals, and answers that are read from outside.
No behaviour beyond comparing a figure."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

PATIENCE: Final = timedelta(hours=1)
"""How long a gate may stay red before the run halts, where the plan does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person of `group` must approve before the wave opens; unanswered for `timeout`, the run is
    paused."""

    group: str
    timeout: timedelta | None = None


class Relation(StrEnum):
    """How a figure is compared with its bound."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    EQUAL = "=="
    OTHER = "!="


_COMPARE: Final[Mapping[Relation, Callable[[float, float], bool]]] = {
    Relation.BELOW: operator.lt,
    Relation.AT_MOST: operator.le,
    Relation.ABOVE: operator.gt,
    Relation.AT_LEAST: operator.ge,
    Relation.EQUAL: operator.eq,
    Relation.OTHER: operator.ne,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a figure must be, such as `< 0.01`."""

    relation: Relation
    value: float

    def holds(self, figure: float) -> bool:
        """Tell whether a figure is as it must be; what is no number never is."""
        return figure == figure and _COMPARE[self.relation](figure, self.value)  # noqa: PLR0124 - NaN is not itself

    def __str__(self) -> str:
        """Say it as a plan writes it."""
        return f"{self.relation} {self.value:g}"


class GateKind(StrEnum):
    """Who is asked."""

    HTTP = "http"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """One answer that must be good, and stay good `held_for`, before the wave goes on.

    Of `http` the status must be `expect`; of `prometheus` each value of `query` must be within
    `bound`. Red for `timeout` on end halts the run.
    """

    kind: GateKind
    url: str
    held_for: timedelta = timedelta(0)
    timeout: timedelta = PATIENCE
    expect: int = 200
    query: str = ""
    bound: Bound | None = None


class Moment(StrEnum):
    """When a gate must hold: before its wave opens, or before it closes."""

    BEFORE = "before"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStand:
    """How the gate at this place of a wave's list stands, since when, and what was said. A row
    changes when the colour does, or when nobody looked for a while and the count begins anew."""

    moment: Moment
    number: int
    green: bool
    since: datetime
    said: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of a gate came to; `said` is one short sentence that may hold foreign
    text."""

    green: bool
    said: str
