"""Any value of a dataclass of the domain, drawn field by field from its types."""

import dataclasses
import types
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from orchestrator.domain.model import AttemptId
from orchestrator.domain.operation import (
    Accepted,
    Began,
    Broke,
    Deferred,
    Doubted,
    Dropped,
    Escalated,
    Event,
    Forgiven,
    Granted,
    IllegalTransitionError,
    Intended,
    Operation,
    Passed,
    Reported,
    Staged,
    Withdrawn,
    transition,
)
from orchestrator.domain.states import FailureClass, Outcome, State, Wait, Why

_AT = datetime(2026, 11, 22, tzinfo=UTC)
_WHY = Why("code", "text")
EVENTS: tuple[Event, ...] = (
    Began(_AT),
    Deferred(_AT, Wait.BUSY, _WHY),
    Intended(_AT, AttemptId("a"), None),
    Accepted(_AT, None, _AT, tracked=True),
    Doubted(_AT, _AT, _WHY),
    Reported(_AT, _AT, None, None),
    Staged(_AT, _WHY),
    Passed(_AT, Outcome.SUCCEEDED, _WHY),
    Broke(_AT, FailureClass.GUEST, _WHY),
    Escalated(_AT, _AT, _WHY),
    Dropped(_AT, _WHY),
    Withdrawn(_AT, _WHY),
    Granted(_AT, Wait.GRANTED, _WHY),
    Forgiven(_AT, _WHY),
)
"""One event of each kind: whether it may happen depends on its kind alone."""

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_PLAIN: dict[object, st.SearchStrategy[Any]] = {
    datetime: moments,
    time: st.times(),
    str: words,
    int: st.integers(-(2**31), 2**31 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bytes: st.binary(max_size=50),
    timedelta: st.timedeltas(timedelta(days=-4000), timedelta(days=4000)),
    type(None): st.none(),
}


def some(kind: Any) -> st.SearchStrategy[Any]:
    """Return any value of a type."""
    kind = getattr(kind, "__supertype__", kind)  # of a NewType
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) in {types.UnionType, Union}:
        return st.one_of(*map(some, get_args(kind)))
    if get_origin(kind) is tuple:
        return _tuples(get_args(kind))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return st.builds(kind, **{n: _field(kind, n, hint) for n, hint in _fields(kind).items()})
    assert issubclass(kind, StrEnum), kind
    return st.sampled_from(list(kind))


def _tuples(kinds: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if kinds[-1] is Ellipsis:
        return st.lists(some(kinds[0]), max_size=3).map(tuple)
    return st.tuples(*map(some, kinds))


def _field(kind: Any, name: str, hint: Any) -> st.SearchStrategy[Any]:
    """Return any value of a field; some promise more than their type says."""
    match kind.__name__, name:
        case "Target", "tags":  # a name is there once
            return st.dictionaries(words, words, max_size=3).map(lambda tags: tuple(tags.items()))
        case "Result", "culprits":  # names of patches, without a comma (`arm/results.py`)
            names = words.filter(lambda word: word and "," not in word)
            return st.lists(names, max_size=3).map(tuple)
        case _:
            return some(hint)


def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


operations = st.builds(
    Operation,
    **{**{name: some(hint) for name, hint in _fields(Operation).items()}, "state": some(State)},
)


def next_events(op: Operation) -> st.SearchStrategy[Event]:
    """Return any event that may happen to an operation."""
    return st.one_of(*(some(type(event)) for event in EVENTS if may_happen(op, event)))


def may_happen(op: Operation, event: Event) -> bool:
    try:
        transition(op, event)
    except IllegalTransitionError:
        return False
    return True
