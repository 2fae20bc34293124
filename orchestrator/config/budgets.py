"""From the keys of `allow_failures` and `limits` to what the domain knows. Pure."""

from orchestrator.config.budget_keys import BudgetKeys, LimitsKeys, RateKeys
from orchestrator.domain.model import GroupLimit, Limits, Rate, Share, Tolerance


def tolerance(written: float | BudgetKeys | None) -> Tolerance | None:
    """Return what is tolerated: a count, a percentage, or all that a mapping says."""
    match written:
        case None:
            return None
        case BudgetKeys():
            return Tolerance(
                count=written.count,
                percent=written.percent,
                in_a_row=written.in_a_row,
                rate=_rate(written.rate),
                strict=written.budget == "strict",
                quarantine=bool(written.quarantine),
            )
        case int():
            return Tolerance(count=written)
        case _:
            return Tolerance(percent=written)


def _rate(keys: RateKeys | None) -> Rate | None:
    if keys is None:
        return None
    return Rate(percent=keys.percent, last=keys.last, min_sample=keys.min_sample)


def resolve_limits(keys: LimitsKeys) -> Limits:
    """Return the limits that all plans share."""
    per = tuple(GroupLimit(kind=kind, most=_most(most)) for kind, most in (keys.per or {}).items())
    return Limits(in_flight=keys.in_flight, per=per)


def _most(written: float) -> Share:
    return Share(count=written) if isinstance(written, int) else Share(percent=written)
