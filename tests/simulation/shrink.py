"""Making a failing schedule small: which faults does it take? (Delta debugging over addresses.)"""

from collections.abc import Callable, Sequence

from tests.simulation.luck import Fault
from tests.simulation.schedule import Report, play


def shrunk(report: Report, most_plays: int = 300) -> Report:
    """Leave out faults as long as the schedule still breaks the same invariant."""
    invariant = report.breaches[0].partition(":")[0]
    best = report
    plays = 0

    def breaks(faults: Sequence[Fault]) -> bool:
        nonlocal best, plays
        plays += 1
        if plays > most_plays:
            return False
        tried = play(report.seed, only=faults)
        if any(breach.startswith(invariant) for breach in tried.breaches):
            best = tried
            return True
        return False

    minimal(list(report.faults), breaks)
    return best


def minimal(faults: list[Fault], breaks: Callable[[Sequence[Fault]], bool]) -> list[Fault]:
    """Return a part of `faults` that still breaks and of which no piece can be left out."""
    pieces = 2
    while len(faults) >= 2:
        size = -(-len(faults) // pieces)
        chunks = [faults[at : at + size] for at in range(0, len(faults), size)]
        for chunk in chunks:
            rest = [fault for fault in faults if fault not in chunk]
            if breaks(rest):
                faults, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if pieces >= len(faults):
                return faults
            pieces = min(len(faults), 2 * pieces)
    return faults if faults and not breaks([]) else []


def written(faults: Sequence[Fault]) -> str:
    """Write faults as `--only` reads them."""
    return ",".join(f"{kind}:{number}" for kind, number in faults) or "none"


def read(text: str) -> list[Fault]:
    """Read what `written` wrote."""
    if text == "none":
        return []
    return [(kind, int(number)) for kind, _, number in (p.rpartition(":") for p in text.split(","))]


def replay(report: Report) -> str:
    """Return the command that plays a report's schedule again."""
    return f"python -m tests.simulation play {report.seed} --only {written(report.faults)}"
