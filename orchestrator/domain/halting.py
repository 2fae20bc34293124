"""The arithmetic of budgets: how many failures a wave or a run tolerates, and whether it has had
too many."""

from decimal import Decimal

from orchestrator.domain.model import Share, Tolerance

_SIZES = (
    (25, Share(count=1), Share(count=0)),
    (101, Share(percent=5), Share(count=1)),
    (1_001, Share(percent=8), Share(percent=1)),
)
"""Below this many VMs: the default `max_parallel` and `allow_failures` (design 7, last line)."""
_LARGEST = (Share(percent=10), Share(percent=1))
_MOST = 1_000_000_000
"""More VMs than anybody has."""


def default_shares(vms: int) -> tuple[Share, Share]:
    """Return the default (`max_parallel`, `allow_failures`) of a wave of this size."""
    for below, parallel, failures in _SIZES:
        if vms < below:
            return parallel, failures
    return _LARGEST


def allowed(tolerance: Share, vms: int) -> int:
    """Return how many failures are tolerated among `vms` VMs: a tolerance rounds down; of two the
    smaller holds.

    50 VMs at 10 % allow 5 (the 6th halts), 7 at 10 % allow 0, 4,000 at 1 % allow 40.
    """
    return min(_counts(tolerance, vms))


def permitted(permission: Share, vms: int) -> int:
    """Return how many VMs may run at once: a permission rounds down, but never below one."""
    return max(1, min(_counts(permission, vms)))


def numbered(share: Share) -> bool:
    """Tell whether a share says a number at all, not only `in_a_row` or `rate`."""
    return share.count is not None or share.percent is not None


def allowed_for(tolerance: Tolerance | None, default: Share, vms: int) -> int:
    """Return how many failures a wave of so many VMs tolerates: by its own number, or by the
    default of its size."""
    own = tolerance is not None and numbered(tolerance)
    return allowed(tolerance if tolerance is not None and own else default, vms)


def exceeded(bad: int, tolerated: int) -> bool:
    """Tell whether the budget is broken: the one comparison, `bad > allowed`."""
    return bad > tolerated


def _counts(share: Share, vms: int) -> list[int]:
    """Both readings of a share. A percentage is taken as it was written, in decimals: as a float
    0.29 * 100 would be 28.999…. A count is kept within what a database's
    integer holds."""
    counts = [] if share.count is None else [min(share.count, _MOST)]
    if share.percent is not None:
        counts.append(int(Decimal(str(share.percent)) * vms // 100))
    return counts or [vms]
