"""The audit log in the database: lines are appended, and a chain can be verified.

Folding the `changed` of a run's lines gives the rows of its operations, its waves and the run
itself (but for the configured documents, which never change): INV-18.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, select

from orchestrator.store import chain, schema, statements
from orchestrator.store.chain import Broken, Head, Line

SYSTEM: Final = ""
"""The `run_id` of the chain that belongs to no run: fires of schedules."""

_head = schema.event_head
_event = schema.event
_APPEND: Final = _event.insert()
_HEAD: Final = select(_head.c.seq, _head.c.hash).where(_head.c.run_id == bindparam("run_id"))
_HEAD_TO_MOVE: Final = _HEAD.with_for_update()


def append(connection: Connection, run_id: str, lines: Sequence[Line]) -> None:
    """Append lines to a run's chain, in this order. On PostgreSQL the chain is locked."""
    if not lines:
        return
    before = _read(connection, _HEAD_TO_MOVE, run_id)
    rows, head = chain.link(run_id, before, lines)
    statements.run_each(connection, _APPEND, rows)
    row = {"run_id": run_id, "seq": head.seq, "hash": head.hash}
    statements.upsert(connection, _head, [row])


def verify_chain(connection: Connection, run_id: str) -> Broken | None:
    """Read a run's whole chain and tell where it breaks; None: it is as it was written."""
    head = _read(connection, _HEAD, run_id)
    return chain.verify(_lines(connection, run_id), head)


def _lines(connection: Connection, run_id: str) -> Iterator[RowMapping]:
    query = select(_event).where(_event.c.run_id == run_id).order_by(_event.c.seq)
    yield from connection.execute(query).mappings()


def _read(connection: Connection, query: Select[int, str], run_id: str) -> Head:
    row = connection.execute(query, {"run_id": run_id}).one_or_none()
    return Head() if row is None else Head(row.seq, row.hash)
