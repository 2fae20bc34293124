"""Figures beside their bars: what every part of the benchmarks returns, and the one table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Any, Final

_WHOLE_FROM: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure. `bar` is what it must not exceed, or with `at_least` not fall below; without one
    it is only told."""

    part: str
    figure: str
    seen: float
    unit: str = ""
    bar: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it stays within its bar; None where there is none."""
        if self.bar is None:
            return None
        return self.seen >= self.bar if self.at_least else self.seen <= self.bar


@dataclass(frozen=True, slots=True)
class Part:
    """What a part found, and the raw figures it was made of."""

    findings: Sequence[Finding]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large everything is: the defaults are those of `make bench`; tests take small ones."""

    rounds: int = 3
    in_flight: int = 5_000
    takes_s: float = 4.0
    memory: tuple[int, ...] = (1_000, 10_000, 100_000)
    race: int = 10_000
    race_throttled: int = 600
    race_flaky: int = 1_000
    race_sdk: int = 10_000
    growth: tuple[int, int] = (1_000, 50_000)
    submits: int = 6_000
    planned: int = 100_000
    commands: int = 5
    paced: int = 10_000
    paced_s: float = 15.0


def middle(rounds: Iterable[Mapping[str, Any]], figure: str) -> float:
    """Return the median of a figure over rounds."""
    return float(median(each[figure] for each in rounds))


def table(findings: Sequence[Finding]) -> str:
    """Write the one table: figure, bar, seen, met."""
    rows = [("", "figure", "bar", "seen", "met?")]
    rows += [_row(finding) for finding in findings]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ["  ".join(_cell(row[n], widths[n], n) for n in range(len(row))) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _row(finding: Finding) -> tuple[str, str, str, str, str]:
    sign = "≥" if finding.at_least else "≤"
    bar = "" if finding.bar is None else f"{sign} {number(finding.bar)}"
    met = {True: "yes", False: "NO", None: ""}[finding.met]
    seen = f"{number(finding.seen)} {finding.unit}".rstrip()
    return (finding.part, finding.figure, bar, seen, met)


def _cell(text: str, width: int, column: int) -> str:
    numeric = column in {2, 3}
    return text.rjust(width) if numeric else text.ljust(width)


def number(value: float) -> str:
    """Write a figure with three digits that count, thousands apart."""
    whole = not isfinite(value) or abs(value) >= _WHOLE_FROM or value == int(value)
    return f"{value:,.0f}" if whole else f"{value:.3g}"
