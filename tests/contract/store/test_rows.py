"""Rows and back: nothing that the domain can say is lost in the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.domain.model import PlanSpec, Run, RunId, Wave, WaveSpec
from orchestrator.domain.record import Act, Receipt, Watch
from orchestrator.domain.states import STATE_NAMES
from orchestrator.ports import Saved
from orchestrator.store import documents, rows, schema
from orchestrator.store.column_types import moment_text, plain
from orchestrator.store.operation_rows import columns_of, operation_from_row, operation_to_row
from tests.contract.store.kit import a_name, a_run, a_wave
from tests.contract.store.strategies import moments, operations, some, words


@given(operations)
def test_an_operation_comes_back_from_its_row(op):
    row = operation_to_row(op)
    assert operation_from_row(row) == op
    assert set(row) == set(schema.operation.columns.keys())


@pytest.mark.parametrize("state", STATE_NAMES)
def test_every_state_comes_back_from_its_row(state):
    @settings(max_examples=50)
    @given(some(state), operations)
    def comes_back(value, op):
        op = replace(op, state=value)
        row = operation_to_row(op)
        assert operation_from_row(row) == op
        known = {name: row[name] for name in columns_of(STATE_NAMES[state])}
        assert operation_from_row(known) == op
        assert {row[name] for name in set(row) - set(known)} == {None}

    comes_back()


@given(some(Run), some(Wave))
def test_a_run_and_a_wave_come_back_from_their_rows(run, wave):
    approved = {"approved_by": run.approved_by}  # it stands in a table of its own
    assert rows.run_from_row(rows.run_to_row(run) | approved) == run
    row = rows.wave_to_row(run.id, wave)
    assert rows.wave_from_row(row) == wave
    assert set(row) == set(schema.wave.columns.keys())
    assert set(rows.run_to_row(run)) == set(schema.run.columns.keys())


@given(some(PlanSpec), some(WaveSpec))
def test_a_plan_and_a_wave_come_back_from_their_documents(plan, wave):
    assert documents.plan_from(documents.plan_text(plan)) == plan
    assert documents.wave_from(documents.wave_text(wave)) == wave


@given(some(Act), some(Receipt), some(Watch))
def test_acts_receipts_and_watches_come_back_from_their_rows(act, receipt, watch):
    assert rows.act_from_row(rows.act_to_row(act)) == act
    assert rows.receipt_from_row(rows.receipt_to_row(receipt)) == receipt
    assert rows.watch_from_row(rows.watch_to_row(watch)) == watch


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(operations, max_size=5, unique_by=lambda op: op.target.vm_id))
async def test_what_any_state_knows_comes_back_from_the_database(store, ops):
    held = {}
    run_id = RunId(a_name())
    for op in ops:
        vm = f"{run_id}/{op.target.vm_id}"
        target = replace(op.target, vm_id=vm)
        held[vm] = replace(op, run_id=run_id, wave=0, target=target)
    run = a_run(run_id, plan=run_id)
    assert await store.open_run(run, [a_wave()], list(held.values()), [], None) == Saved()
    assert {op.target.vm_id: op for op in (await store.load(run_id)).operations} == held
    assert await store.verify_chain(run_id) is None


@given(moments)
def test_a_time_is_fixed_width_text_that_sorts_as_it_reads(at):
    text = moment_text(at)
    assert len(text) == len("2026-11-22T18:00:00.000000Z")
    assert datetime.fromisoformat(text) == at
    later = moment_text(at + timedelta(microseconds=1))
    assert text < later


def test_a_time_in_any_zone_is_written_in_utc_and_one_without_is_refused():
    berlin = timezone(timedelta(hours=1))
    at = datetime(2026, 11, 22, 19, tzinfo=berlin)
    assert moment_text(at) == "2026-11-22T18:00:00.000000Z"
    with pytest.raises(ValueError, match="zone"):
        moment_text(datetime(2026, 11, 22, 19, tzinfo=UTC).replace(tzinfo=None))


@given(words)
def test_text_that_a_database_can_hold_is_left_alone(text):
    assert plain(text) == text


@given(st.text())
def test_text_that_none_can_hold_is_made_so(text):
    assert "\0" not in plain(text)
    assert len(plain(text)) == len(text)
    plain(text).encode()
