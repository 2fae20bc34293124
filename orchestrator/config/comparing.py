"""What two configurations say differently: for every plan, then plan by plan and key by key. Pure;
it reads no file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.config.keyed import Keyed, of_all_plans, of_plan
from orchestrator.config.settings import Settings
from orchestrator.config.writing import Value, written

_MOST: Final = 20
"""Of a longer list it is told how long it is, and what of it the other has not."""
_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key with its value before and after, as a file writes it; empty: it was not there.

    `plan` is empty where it holds for every plan. `key` names a wave by its name, as in
    `waves[canary].bake`; it is empty where the whole plan is new or gone.
    """

    plan: str
    key: str
    before: str
    after: str


def differences(old: Settings, new: Settings, now: datetime) -> Iterator[Difference]:
    """Yield what the newer configuration says differently, in the order of its plans.

    Freezes that have ended at `now` are not told.
    """
    yield from _within("", of_all_plans(old, now), of_all_plans(new, now))
    before = {plan.spec.name: plan for plan in old.plans}
    after = {plan.spec.name: plan for plan in new.plans}
    for name in {**after, **before}:
        if name not in before:
            yield Difference(plan=name, key="", before="", after="new")
        elif name not in after:
            yield Difference(plan=name, key="", before="gone", after="")
        else:
            yield from _within(name, of_plan(before[name]), of_plan(after[name]))


def _within(plan: str, before: Keyed, after: Keyed) -> Iterator[Difference]:
    for key in {**after, **before}:
        was, comes = before.get(key), after.get(key)
        if was == comes or _is_of_a_wave_that_goes(key, after):
            continue
        texts = _told(was, comes), _told(comes, was)
        alike = " in another order" if isinstance(comes, tuple) else ", and what is hidden differs"
        how = alike if texts[0] == texts[1] else ""
        yield Difference(plan=plan, key=key, before=texts[0], after=texts[1] + how)


def _is_of_a_wave_that_goes(key: str, after: Keyed) -> bool:
    """Tell whether the list of waves says it already, in one line."""
    wave, dot, _ = key.partition("].")
    kept = after.get("waves", ())
    return bool(dot) and isinstance(kept, tuple) and wave.removeprefix("waves[") not in kept


def _told(value: Value, other: Value) -> str:
    """Return a value as a file writes it, a long list in short; empty: not set."""
    if value is None:
        return ""
    if not isinstance(value, tuple) or len(value) <= _MOST:
        return written(value)
    known = set(map(written, other)) if isinstance(other, tuple) else set()
    own = [text for each in value if (text := written(each)) not in known]
    if not own:
        return f"{len(value)} items"
    more = ", …" if len(own) > _NAMED else ""
    return f"{len(value)} items with [{', '.join(own[:_NAMED])}{more}]"
