"""Fleets as JSON: a list, an object with `machines`, or one machine a line.

A machine is `{"id", "os", "region", "zone", "availability_set", "image", "tags", "power",
"temper"}`; `temper` is a name of
`faults.TEMPERS` or an object with the fields of `Temper` (spans in seconds, words as in
`tempers.py`). It opens no file.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from typing import Any

from orchestrator.simulator.exchange import Json
from orchestrator.simulator.faults import STEADY, TEMPERS
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import (
    Busy,
    Ending,
    Layer,
    Mishap,
    PollFault,
    PostFault,
    Reboot,
    Temper,
)

_ALIASES = {"vm_id": "id", "location": "region"}
_PLACED = ("zone", "availability_set", "image")
_MEMBERS = {"id", "os", "region", "tags", "power", "temper", *_PLACED}


def machines_from_json(text: str) -> tuple[Machine, ...]:
    """Read a fleet. Raises ValueError, naming the machine, for anything that is not one."""
    machines = []
    try:
        for entry in _entries(text):
            machines.append(_machine(entry))  # noqa: PERF401 - the count tells where it failed
    except (TypeError, ValueError) as error:
        raise ValueError(f"machine {len(machines) + 1}: {error}") from error
    return tuple(machines)


def machine_to_json(machine: Machine) -> Json:
    """Write a machine so that `machines_from_json` reads it back."""
    return {
        "id": machine.vm_id,
        "os": machine.os,
        "region": machine.region,
        "tags": dict(machine.tags),
        "power": machine.power,
        "temper": temper_to_json(machine.temper),
        **{name: value for name in _PLACED if (value := getattr(machine, name))},
    }


def temper_from_json(value: object) -> Temper:
    """Read a temper: its name, or its fields. Raises ValueError or TypeError."""
    if isinstance(value, str):
        if value not in TEMPERS:
            raise ValueError(f"unknown temper {value!r}; known: {', '.join(TEMPERS)}")
        return TEMPERS[value]
    if not isinstance(value, Mapping):
        raise TypeError("a temper is a name or an object")
    known = {field.name for field in fields(Temper)}
    unknown = sorted(value.keys() - known)
    if unknown:
        raise ValueError(f"a temper has no {', '.join(unknown)}")
    read: dict[str, Any] = {
        name: _READERS.get(name, _same)(content) for name, content in value.items()
    }
    return Temper(**read)


def temper_to_json(temper: Temper) -> object:
    """Return the temper's name, or its unusual fields where it has none."""
    for name, known in TEMPERS.items():
        if known == temper:
            return name
    values = {field.name: getattr(temper, field.name) for field in fields(Temper)}
    usual = {field.name: getattr(STEADY, field.name) for field in fields(Temper)}
    return {name: _plain(value) for name, value in values.items() if value != usual[name]}


def _entries(text: str) -> Iterator[object]:
    """Yield the machines of either form; a text that is one JSON value is no JSON lines."""
    try:
        document = json.loads(text)
    except ValueError:
        for line in text.splitlines():
            if line.strip():
                yield json.loads(line)
        return
    if isinstance(document, dict):
        document = document.get("machines", [document])
    if not isinstance(document, list):
        raise TypeError("a fleet is a list of machines")
    yield from document


def _machine(entry: object) -> Machine:
    if not isinstance(entry, dict):
        raise TypeError("a machine is an object")
    names: list[str] = list(entry)
    named: dict[str, Any] = {_ALIASES.get(name, name): entry[name] for name in names}
    unknown = sorted(named.keys() - _MEMBERS)
    if unknown:
        raise ValueError(f"a machine has no {', '.join(unknown)}")
    temper = temper_from_json(named.pop("temper", "steady"))
    return Machine(vm_id=named.pop("id", ""), os=named.pop("os", ""), **named, temper=temper)


def _same(value: object) -> object:
    return value


def _span(value: object) -> timedelta | None:
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise TypeError(f"a span is a number of seconds, not {value!r}")
    return timedelta(seconds=value)


def _word(kind: type[Enum]) -> Callable[[object], Enum | None]:
    return lambda value: None if value is None else kind(value)


def _words(kind: type[Enum]) -> Callable[[object], tuple[Enum, ...]]:
    return lambda value: tuple(kind(word) for word in value) if isinstance(value, list) else ()


_READERS: Mapping[str, Callable[[object], object]] = {
    "takes": _span,
    "forgets": _span,
    "view_lag": _span,
    "graph_lag": _span,
    "ending": _word(Ending),
    "layer": _word(Layer),
    "reboot": _word(Reboot),
    "mishap": _word(Mishap),
    "busy": _word(Busy),
    "every_post": _word(PostFault),
    "every_poll": _word(PollFault),
    "posts": _words(PostFault),
    "polls": _words(PollFault),
}


def _plain(value: object) -> object:
    match value:
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return value
