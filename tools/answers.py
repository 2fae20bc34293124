"""Write docs/azure-answers.md from the rows that the conformance tests play.

`python -m tools.answers` writes the page, `--check` fails when it is not the one there. It knows no
outcome of its own: the rows under `tests/contract/arm/behaviours` do.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrator.domain import answer as a
from tests.contract.arm.behaviours.row import Ask, Kind, Listed, Outcome, Row, Unlisted
from tests.contract.arm.behaviours.table import GROUPS, ROWS

PAGE = Path(__file__).parent.parent / "docs" / "azure-answers.md"

KINDS: Final[Mapping[Kind, str]] = {
    a.Taken: "accepted",
    a.NotSent: "not sent",
    a.Throttled: "throttled",
    a.Unauthenticated: "no credentials",
    a.Rejected: "refused",
    a.Conflicted: "conflict",
    a.InDoubt: "doubt",
    a.Running: "still running",
    a.Finished: "ended",
    a.Collapsed: "ended badly",
    a.Unreadable: "told nothing",
    a.Untrackable: "this URL will not tell",
    a.Seen: "seen",
    a.Gone: "gone",
    Listed: "the list",
    Unlisted: "no list",
}
"""What each value of `domain/answer.py` is called on the page."""

INTRO = """# What Azure answers, and what we make of it

{total} behaviours of Azure and of the network, each with the outcome that we promise. The page is
written from the rows of the conformance tests (`tests/contract/arm/behaviours`) by
`python -m tools.answers`, so it says what is tested. Every row is played over real sockets under
the shipped client, and once more in memory, on the transport that the simulations use. Both come
to the outcome below, after the same number of requests. However a submit goes, at most **one POST**
leaves this program.

{counts}

How to read it:

- **we take it for** is what the answer means to us: *accepted* only where a 202 brings an operation
  URL that may be asked; *refused* only where ARM itself says so, with its request id and its error;
  *doubt* wherever it may have been taken, and then the VM is looked at and nothing is sent again.
- **then** is the state that follows, as in [operating](operating.md#what-the-words-mean). After a
  look it is what becomes of a VM that was about to be patched.
- No error of a *read* ends an operation. A wait that makes no sense becomes 30 s, every other is
  kept within 1 s and 20 min.
"""


def page() -> str:
    """Return the whole page."""
    counts = Counter(row.ask for row in ROWS)
    rows = "\n".join(f"| {ask.value} | {counts[ask]} |" for ask in Ask)
    intro = INTRO.format(total=len(ROWS), counts=f"| request | behaviours |\n|---|---|\n{rows}")
    parts = [intro]
    for ask in Ask:
        parts.append(f"## {ask.value[0].upper()}{ask.value[1:]}\n")
        for heading, group in GROUPS.items():
            parts.extend(_table(heading, [row for row in group if row.ask is ask]))
    return "\n".join(parts)


def _table(heading: str, rows: list[Row]) -> Iterator[str]:
    if rows:
        yield f"### {heading}\n"
        yield "| Azure or the network | we take it for | then |\n|---|---|---|"
        yield "\n".join(map(_line, rows)) + "\n"


def _line(row: Row) -> str:
    cells = (row.name, _taken_for(row.outcome), _then(row))
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Keep a name from being read as markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _taken_for(outcome: Outcome) -> str:
    return ", ".join([KINDS[outcome.kind], *_facts(outcome.facts)])


def _facts(facts: Mapping[str, object]) -> Iterator[str]:
    """Say the facts that tell rows of one kind apart; statuses and URLs stand in the name."""
    urls = facts.get("tracker.status_url"), facts.get("tracker.location_url")
    if "" in urls:
        yield f"by {'Location' if urls[0] == '' else 'the status URL'} alone"
    wait = facts.get("retry_after")
    if isinstance(wait, timedelta):
        yield f"wait {wait.total_seconds():g} s"
    for name in ("code", "conflict"):
        if facts.get(name):
            yield str(facts[name])
    if facts.get("report", ...) is None:
        yield "without its result"
    for name, value in facts.items():
        short = name.removeprefix("report.result.").removeprefix("last.result.")
        if short not in {name, "error_code"}:
            yield f"{short.replace('_', ' ')} {'not known' if value is None else value}"


def _then(row: Row) -> str:
    return row.outcome.then if row.asked <= 1 else f"{row.outcome.then} (after {row.asked} reads)"


def main(arguments: Iterable[str]) -> int:
    """Write the page, or with `--check` say whether it is the one there."""
    fresh = page()
    if "--check" not in arguments:
        PAGE.write_text(fresh, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == fresh:
        return 0
    print(f"{PAGE.name} is not what the tests play: run python -m tools.answers", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
