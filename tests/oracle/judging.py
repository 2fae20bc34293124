"""The product beside the oracle: what fired twice, what did not fire, what fired and should not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from orchestrator.domain.schedule import fires
from tests.oracle.rules import Rule, name_of
from tests.oracle.wall import WallClock, minute_of

MOST_SHOWN = 10


@dataclass
class Findings:
    """What was looked at, and what was not as it should be."""

    zones: int = 0
    changes: int = 0
    fires: int = 0
    moved: int = 0
    """Fires whose minute never came, or came with others."""
    double: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.double or self.missed or self.extra)

    def add(self, other: "Findings") -> None:
        """Take in what was found elsewhere."""
        self.zones += other.zones
        self.changes += other.changes
        self.fires += other.fires
        self.moved += other.moved
        for name in ("double", "missed", "extra"):
            getattr(self, name).extend(getattr(other, name))


def judge(zone: str, rules: Sequence[Rule], first: datetime, last: datetime) -> Findings:
    """Compare every fire of every rule in one zone between two instants."""
    clock = WallClock(ZoneInfo(zone), first, last)
    found = Findings(zones=1, changes=clock.changes())
    for rule in rules:
        wanted = expected(rule, clock, minute_of(first), minute_of(last))
        found.moved += len(rule.named) and sum(
            1 for wall, _ in rule.named if clock.moved.get(wall, (0, wall))[1] != wall
        )
        fired = fires(rule.schedule(zone), first)
        got = [(minute_of(each.at), each.local) for each in takewhile(lambda f: f.at < last, fired)]
        found.fires += len(got)
        if got != wanted:
            tell(found, f"{zone} {rule.name}", got, wanted)
    return found


def expected(rule: Rule, clock: WallClock, first: int, last: int) -> list[tuple[int, str]]:
    """Return when a rule is due, as minutes of UTC and the names of its fires, each name once."""
    due: dict[str, int] = {}
    for wall, name in rule.named:
        at, shown = clock.due(wall)
        if first < at < last:
            due.setdefault(name if shown == wall else name_of(shown), at)
    return sorted((at, name) for name, at in due.items())


def tell(
    found: Findings, what: str, got: list[tuple[int, str]], wanted: list[tuple[int, str]]
) -> None:
    """Write down how the two differ."""
    names = [name for _, name in got]
    found.double += [f"{what} {name}" for name in {n for n in names if names.count(n) > 1}]
    found.missed += [f"{what} {each}" for each in sorted(set(wanted) - set(got))[:MOST_SHOWN]]
    found.extra += [f"{what} {each}" for each in sorted(set(got) - set(wanted))[:MOST_SHOWN]]
    if sorted(set(got)) == sorted(set(wanted)) and not found.double:
        found.extra.append(f"{what}: not in their order")
