"""Hostile names in the log: one event is one line that parses, whatever is in it."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import structlog

from orchestrator.domain.model import RunId, VmId
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import Why
from orchestrator.logs import Log, configure
from tests.contract.logs.bench import Lines, accepted, broken, caught
from tests.kit.clock import HandClock
from tests.kit.hostile import NAMES, steering
from tests.kit.rows import EPOCH, RUN


def _called(name: str) -> Move:
    """Return a move of a VM that is called so."""
    move = accepted()
    target = replace(move.after.target, vm_id=VmId(name), name=name)
    after = replace(move.after, run_id=RunId(name), target=target)
    return replace(move, after=after, actor=name)


def _fact(name: str, **given: Any) -> Fact:
    return Fact(at=EPOCH, event="run.noted", actor=name, why=Why(name, name), **given)


def _library(name: str) -> None:
    logging.getLogger("azure.core").warning("%s and %r", name, {name: name})


FIELDS: Mapping[str, Callable[[Log, str], object]] = {
    "vm, run, actor": lambda log, name: log.moved(_called(name)),
    "reason": lambda log, name: log.moved(broken(name)),
    "run": lambda log, name: log.noted(RunId(name), _fact("x")),
    "actor, why": lambda log, name: log.noted(RUN, _fact(name)),
    "vm of a fact": lambda log, name: log.noted(RUN, _fact("x", vm_id=VmId(name))),
    "detail": lambda log, name: log.noted(RUN, _fact("x", detail={name: name, "n": 1.5})),
    "event": lambda log, name: log.noted(RUN, replace(_fact("x"), event=name)),
    "request": lambda log, name: log.asked(name, name, 1.0),
    "trouble": lambda log, name: log.troubled(name, name),
    "crash": lambda log, name: log.crashed(name, caught(RuntimeError(name))),
    "crash of a crash": lambda log, name: log.crashed(
        "x", caught(ExceptionGroup("x", [KeyError(name)]))
    ),
    "a library's": lambda _, name: _library(name),
    "a library's name": lambda _, name: logging.getLogger(f"x{name}").error("y"),
    "a warning's": lambda _, name: warnings.showwarning(UserWarning(name), UserWarning, "x", 1),
    "a key": lambda _, name: structlog.stdlib.get_logger("orchestrator").info(
        "x", **{f"k{name}": 1}
    ),
    "a value": lambda _, name: structlog.stdlib.get_logger("orchestrator").info("x", one=[{name}]),
}
"""Where a name comes into a line."""


@pytest.mark.parametrize("field", FIELDS)
def test_a_name_stays_in_its_line_of_json(field):
    written = Lines()
    configure("debug", stream=written.stream)
    for number, name in enumerate(NAMES.values(), start=1):
        FIELDS[field](Log(HandClock()), name)
        assert len(written.raw) == number, name
    for raw, line in zip(written.raw, written.all, strict=True):
        assert raw.isascii()
        assert raw.isprintable()
        assert {"at", "level", "event"} <= set(line)
        assert steering(json.dumps(line, ensure_ascii=False)) == set()


@pytest.mark.parametrize("field", [field for field in FIELDS if "crash" not in field])
def test_a_name_stays_in_its_line_of_plain_words(field):
    stream = io.StringIO()
    configure("debug", json=False, stream=stream)
    for number, name in enumerate(NAMES.values(), start=1):
        FIELDS[field](Log(HandClock()), name)
        assert stream.getvalue().count("\n") == number, name
    assert steering(stream.getvalue(), ours="\n") == set()


def test_a_crash_in_plain_words_is_indented_and_steers_nothing():
    for name in NAMES.values():
        stream = io.StringIO()
        configure("debug", json=False, stream=stream)
        FIELDS["crash"](Log(HandClock()), name)
        first, *rest = stream.getvalue().removesuffix("\n").split("\n")
        assert "daemon.crashed" in first
        assert all(line.startswith("    ") for line in rest)
        assert steering(stream.getvalue(), ours="\n") == set()


def test_so_many_names_by_so_many_fields_are_written():
    assert len(NAMES) * len(FIELDS) >= 2_000
