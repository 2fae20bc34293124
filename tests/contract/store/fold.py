"""The state tables again, from nothing but the audit log (INV-18)."""

import json
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.store import schema
from orchestrator.store.column_types import moment_text

FOLDED = {"run": schema.run, "wave": schema.wave, "operation": schema.operation}
NOT_FOLDED = {"spec"}
Rows = dict[str, dict[str, dict[str, Any]]]


def folded(connection: Connection, run_id: str) -> Rows:
    """Replay a run's log: rows by table and key, columns that are null left out."""
    query = select(schema.event).where(schema.event.c.run_id == run_id)
    found: Rows = {name: defaultdict(dict) for name in FOLDED}
    for line in connection.execute(query.order_by(schema.event.c.seq)).mappings():
        changed = json.loads(line["detail"]).get("changed", {})
        if "run" in changed:
            found["run"][run_id] |= changed["run"]
        for position, columns in changed.get("waves", {}).items():
            found["wave"][position] |= columns
        if "operation" in changed:
            found["operation"][line["vm_id"]] |= changed["operation"]
    return {name: {key: _set(row) for key, row in rows.items()} for name, rows in found.items()}


def stored(connection: Connection, run_id: str) -> Rows:
    """Read the state tables in the same form."""
    keys = {"run": "id", "wave": "position", "operation": "vm_id"}
    found: Rows = {}
    for name, table in FOLDED.items():
        mine = table.c.id if name == "run" else table.c.run_id
        rows = connection.execute(select(table).where(mine == run_id)).mappings()
        found[name] = {str(row[keys[name]]): _set(dict(row)) for row in rows}
    return found


def _set(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: moment_text(value) if hasattr(value, "tzinfo") else value
        for name, value in row.items()
        if value is not None and name not in NOT_FOLDED
    }
