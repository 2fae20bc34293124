"""Budgets and limits as people read them, on one line each. It judges nothing."""

from collections.abc import Iterator
from typing import Any

from orchestrator.domain.halting import numbered
from orchestrator.domain.limits import by_kind
from orchestrator.domain.model import Limits, Share, Tolerance


def shared(share: Share) -> str:
    """Say a share: `3`, `10%`, or that the smaller of both holds."""
    percent = None if share.percent is None else f"{share.percent:g}%"
    given = [str(each) for each in (share.count, percent) if each is not None]
    return given[0] if len(given) == 1 else f"the smaller of {' and '.join(given)}"


def tolerated(tolerance: Tolerance | None) -> str:
    """Say what a wave tolerates; without a number it is the default of its size."""
    if tolerance is None:
        return "by size"
    return ", ".join(_parts(tolerance, "by size"))


def whole(tolerance: Tolerance) -> str:
    """Say what a run tolerates over all its waves; it has no default."""
    return ", ".join(_parts(tolerance, "any number"))


def _parts(tolerance: Tolerance, otherwise: str) -> Iterator[str]:
    yield shared(tolerance) if numbered(tolerance) else otherwise
    if tolerance.in_a_row is not None:
        yield f"fewer than {tolerance.in_a_row} in a row"
    if (rate := tolerance.rate) is not None:
        yield f"{rate.percent:g}% of the last {rate.last} (from {rate.min_sample} on)"
    if tolerance.strict:
        yield "strict"
    if tolerance.quarantine:
        yield "quarantine"


def limited(limits: Limits) -> str:
    """Say all limits; empty where there is none."""
    return ", ".join(f"{limit.kind} {shared(limit.most)}" for limit in by_kind(limits))


def limits_mapping(limits: Limits) -> dict[str, Any]:
    """Return the limits as a configuration writes them."""
    per = {limit.kind: shared(limit.most) for limit in limits.per}
    return {"in_flight": limits.in_flight, "per": per}
