"""Sockets and memory are one: each documented behaviour has its outcome on both carriers."""

from dataclasses import replace
from operator import attrgetter

import pytest

from tests.contract.arm.behaviours.after import what_follows
from tests.contract.arm.behaviours.carriers import Told, in_memory, over_sockets
from tests.contract.arm.behaviours.row import Ask, Row, at
from tests.contract.arm.behaviours.table import ROWS

_UNHEARD = {"lost", "not_connected"}


def is_documented(row: Row, told: Told, here: str) -> None:
    """Assert that what came of a row is what the table says."""
    assert type(told.answer) is row.outcome.kind, told
    for path, value in row.outcome.facts.items():
        expected = at(here, value) if isinstance(value, str) else value
        assert attrgetter(path)(told.answer) == expected, path
    assert what_follows(row.ask, told.answer) == (row.outcome.then, row.outcome.attempt)
    assert told.asked == row.asked


def without_words(told: Told) -> Told:
    """Leave out how a connection's end is put into words: each carrier says it its own way."""
    if told.codes and told.codes[-1][1] in _UNHEARD:
        return replace(told, answer=(type(told.answer), getattr(told.answer, "http_status", None)))
    return told


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_a_behaviour_has_its_documented_outcome_on_sockets_and_in_memory(row):
    on_sockets, here = await over_sockets(row)
    remembered = await in_memory(row, here)
    is_documented(row, on_sockets, here)
    is_documented(row, remembered, here)
    assert without_words(on_sockets) == without_words(remembered)
    if row.ask is Ask.SUBMIT:
        assert on_sockets.posts == remembered.posts <= 1
