"""What two configurations say differently, plan by plan and key by key. Pure; it reads no file."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from orchestrator.config.durations import show_duration
from orchestrator.config.settings import ConfiguredPlan, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key of a plan with its value before and after, as texts; empty: it was not there.

    `key` names a wave by its name, as in `waves[canary].bake`; it is empty where the whole plan is
    new or gone.
    """

    plan: str
    key: str
    before: str
    after: str


def differences(old: Settings, new: Settings) -> Iterator[Difference]:
    """Yield what the newer configuration says differently, in the order of its plans."""
    before = {plan.spec.name: plan for plan in old.plans}
    after = {plan.spec.name: plan for plan in new.plans}
    for name in {**after, **before}:
        if name not in before:
            yield Difference(plan=name, key="", before="", after="new")
        elif name not in after:
            yield Difference(plan=name, key="", before="gone", after="")
        else:
            yield from _within(before[name], after[name])


def _within(old: ConfiguredPlan, new: ConfiguredPlan) -> Iterator[Difference]:
    before, after = dict(_said(old, "")), dict(_said(new, ""))
    for key in {**after, **before}:
        if before.get(key) != after.get(key):
            yield Difference(
                plan=new.spec.name,
                key=key,
                before=before.get(key, ""),
                after=after.get(key, ""),
            )


def _said(value: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any value of a plan
    """Yield the texts of a plan's values by their keys; what is not set has none."""
    if is_dataclass(value):
        for each in fields(value):
            yield from _said(getattr(value, each.name), _below(key, each.name))
    elif isinstance(value, tuple) and value and all(hasattr(item, "name") for item in value):
        for item in value:
            yield from _said(item, f"{key}[{item.name}]")
    elif value is not None and value != ():
        yield key, _text(value)


def _below(key: str, name: str) -> str:
    if name == "spec":  # the plan's own keys
        return key
    return f"{key}.{name}" if key else name


def _text(value: object) -> str:
    match value:
        case timedelta():
            return show_duration(value)
        case Enum():
            return str(value.value)
        case ((str() as name, tuple() as values), *more):  # tags: a name and its accepted values
            first = f"{name} = {' or '.join(map(_text, values))}"
            return " and ".join([first, *([_text(tuple(more))] if more else [])])
        case tuple():
            return ", ".join(_text(item) for item in value)
        case _:
            return str(value)
