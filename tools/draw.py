"""Draw the life of an operation by running `transition` on every pair of state and event.

`python -m tools.draw` writes the picture into docs/architecture.md, `--check` fails when it is not
the one there.
"""

import sys
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.model import ActivityId, AttemptId, RunId, Target, VmId

PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
BEGIN, END = "<!-- states: begin -->", "<!-- states: end -->"

_T = datetime(2026, 1, 1, tzinfo=UTC)
_WHY = s.Why("code", "a sentence")
_ATTEMPT, _ACTIVITY = AttemptId("attempt"), ActivityId("activity")
_TARGET = Target(
    vm_id=VmId("/vm"), name="vm", subscription_id="s", resource_group="g", region="r", os="Linux"
)
STATES: tuple[s.State, ...] = (
    s.Queued(),
    s.Preparing(_T),
    s.Submitting(_ATTEMPT, _T, None),
    s.Unknown(_ATTEMPT, _T, None, _T, _T, _WHY, None, s.Conflict.BUSY),
    s.InProgress(_ATTEMPT, _T, _ACTIVITY, _T, _T, tracked=True),
    s.Verifying(_ATTEMPT, _ACTIVITY, _T, _T, None),
    s.RebootQueued(_T, _ACTIVITY, None),
    s.Rebooting(_ATTEMPT, _T, _ACTIVITY, None),
    s.NeedsHuman(_ATTEMPT, _ACTIVITY, _T, _T, _WHY),
    s.Succeeded(_T, s.Outcome.SUCCEEDED, _WHY),
    s.Failed(_T, s.FailureClass.GUEST, _WHY),
    s.Skipped(_T, _WHY),
    s.Cancelled(_T, _WHY),
)
EVENTS: tuple[o.Event, ...] = (
    o.Began(_T),
    o.Intended(_T, _ATTEMPT, None),
    o.Accepted(_T, _ACTIVITY, _T, tracked=True),
    o.Doubted(_T, _T, _WHY),
    o.Reported(_T, _T, _ACTIVITY, None),
    o.Staged(_T, _WHY),
    o.Passed(_T, s.Outcome.SUCCEEDED, _WHY),
    o.Broke(_T, s.FailureClass.GUEST, _WHY),
    o.Escalated(_T, _T, _WHY),
    o.Deferred(_T, s.Wait.BUSY, _WHY),
    o.Granted(_T, s.Wait.GRANTED, _WHY),
    o.Dropped(_T, _WHY),
    o.Withdrawn(_T, _WHY),
    o.Forgiven(_T, _WHY),
)


def edges() -> list[tuple[str, str, str]]:
    """Return every legal change of state as (from, to, the events that make it)."""
    found: dict[tuple[str, str], list[str]] = {}
    for state, event in product(STATES, EVENTS):
        op = o.Operation(run_id=RunId("r"), wave=1, target=_TARGET, state=state)
        try:
            after = o.transition(op, event).state
        except o.IllegalTransitionError:
            continue
        if type(after) is not type(state):
            pair = s.STATE_NAMES[type(state)], s.STATE_NAMES[type(after)]
            found.setdefault(pair, []).append(type(event).__name__)
    return [(start, end, ", ".join(names)) for (start, end), names in found.items()]


def mermaid() -> str:
    """Return the picture as a Mermaid state diagram."""
    lines = [f"    {start} --> {end}: {names}" for start, end, names in edges()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> queued", *lines, "```"])


def page_with_picture(text: str) -> str:
    """Return the page with the picture of today between its two marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{mermaid()}\n{END}{after}"


def main() -> int:
    """Write the picture, or with `--check` say whether the page holds it."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = page_with_picture(text)
    if "--check" in sys.argv[1:]:
        if text != fresh:
            print(f"{PAGE.name} shows another state machine: run `make diagram`", file=sys.stderr)
        return int(text != fresh)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
