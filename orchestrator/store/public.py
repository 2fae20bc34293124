"""The public views: names, columns, types and the order in which `rows` reads them.

Their SQL is in `views/`. They are a promise to people and programs outside (design 11): a column
is added at the end or not at all. `docs/status-database.md` says what each one means.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from orchestrator.store import schema
from orchestrator.store.column_types import MomentText, plain

_KINDS: Final[Mapping[str, type[TypeEngine[Any]]]] = {
    "": Text,
    "time": MomentText,
    "number": Integer,
    "flag": Boolean,
}
_views = MetaData()


def _view(name: str, *columns: str) -> Table:
    """Describe a view: its columns in order, as `name` (a text) or `name:kind`."""
    parted = [column.partition(":") for part in columns for column in part.split()]
    return Table(name, _views, *(Column(name, _KINDS[kind]) for name, _, kind in parted))


_COUNTS: Final = (
    "queued:number preparing:number submitting:number in_progress:number unknown:number"
    " verifying:number needs_human:number succeeded:number warned:number reboot_pending:number"
    " nothing_to_do:number failed:number skipped:number cancelled:number"
)
_RUNS: Final = _view(
    "v_runs",
    "run_id plan status reason config_hash opened_at:time closed_at:time",
    "waves:number waves_passed:number vms:number",
    _COUNTS,
    "reminded_at:time quarantine reboot_queued:number rebooting:number",
    "bad:number accepted:number",
)
_WAVES: Final = _view(
    "v_waves",
    "run_id position:number wave status reason opened_at:time baking_until:time closed_at:time",
    "allowed_failures:number vms:number in_flight:number",
    _COUNTS,
    "max_parallel:number approval asked_at:time approved_at:time approved_by gates",
    "reboot_queued:number rebooting:number reboots_at:time reboots_at_once:number",
    "reboots_allowed:number bad:number accepted:number",
)
_OPERATIONS: Final = _view(
    "v_operations",
    "run_id wave vm_id vm_name subscription_id resource_group region os",
    "state outcome failure_class reason attempt:number client_request_id activity_id",
    "started_at:time finished_at:time polls:number last_polled_at:time next_poll_at:time",
    "installed:number failed:number pending:number excluded:number not_selected:number",
    "reboot_status window_exceeded:flag zone availability_set image tags failed_patches",
    "reboot_at:time patched_at:time",
)
_PATCHES: Final = _view(
    "v_patches", "run_id vm_id patch_id name version kb_id classifications state"
)
_ATTEMPTS: Final = _view(
    "v_attempts",
    "run_id vm_id attempt:number client_request_id intent_at:time sent_at:time ended_at:time end",
    "http_status:number activity_id verdict superseded_verdict kind",
)
_EVENTS: Final = _view("v_events", "seq:number at:time run_id vm_id event actor why detail")
_SCHEDULES: Final = _view(
    "v_schedules",
    "plan next_fire:time last_fire:time last_result disabled_at:time disabled_until:time",
    "disabled_by disabled_because queued_fire",
)
_FREEZES: Final = _view("v_freezes", "name begins:time ends:time source")
_DATABASE: Final = _view(
    "v_database", "incarnation confirmed:number safe_since:time safe_code safe_reason"
)

VIEWS: Final[Mapping[str, Table]] = _views.tables
"""Every public view by its name; its columns are in the documented order."""


def create(connection: Connection) -> None:
    """Create every view from its file."""
    for name in VIEWS:
        connection.exec_driver_sql(definition(name))


def drop(connection: Connection) -> None:
    """Drop every view of ours, before the tables below them change."""
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def definition(view: str) -> str:
    """Return the statement that creates a view."""
    return (resources.files("orchestrator.store") / "views" / f"{view}.sql").read_text("utf-8")


def rows(
    connection: Connection, view: str, where: Mapping[str, str | int]
) -> Sequence[Mapping[str, Any]]:
    """Read a view: the same values on both databases, times as fixed-width UTC text.

    Raises `LookupError` for a view or a column that is not public, `ValueError` for a value that
    its column cannot hold.
    """
    if view not in VIEWS:
        raise LookupError(f"there is no view {view}; there are {', '.join(VIEWS)}")
    table = VIEWS[view]
    if unknown := sorted(set(where) - set(table.columns.keys())):
        raise LookupError(f"{view} has no column {unknown[0]}; it has {', '.join(table.c.keys())}")
    equal = [table.c[name] == _fitting(table.c[name], value) for name, value in where.items()]
    query = select(table).where(*equal).order_by(*_ORDER[view])
    return [dict(row) for row in connection.execute(query).mappings()]


def events(
    connection: Connection, run_id: str, after: int, most: int
) -> Sequence[Mapping[str, Any]]:
    """Read the lines of a run's log behind `after`, as `v_events` has them, oldest first."""
    behind = (_EVENTS.c.run_id == run_id, _EVENTS.c.seq > after)
    query = select(_EVENTS).where(*behind).order_by(_EVENTS.c.seq).limit(most)
    return [dict(row) for row in connection.execute(query).mappings()]


def _fitting(column: Column[Any], value: str | int) -> str | int | bool:
    kind = column.type
    if isinstance(kind, Boolean):
        return bool(int(value))
    return int(value) if isinstance(kind, Integer) else plain(str(value))


def _place_of_wave() -> ColumnElement[Any]:
    wave = schema.wave
    mine = (wave.c.run_id == _OPERATIONS.c.run_id, wave.c.name == _OPERATIONS.c.wave)
    return select(func.min(wave.c.position)).where(*mine).scalar_subquery()


_ORDER: Final[Mapping[str, Sequence[ColumnElement[Any]]]] = {
    "v_runs": (_RUNS.c.opened_at, _RUNS.c.run_id),
    "v_waves": (_WAVES.c.run_id, _WAVES.c.position),
    "v_operations": (_OPERATIONS.c.run_id, _place_of_wave(), _OPERATIONS.c.vm_id),
    "v_patches": (_PATCHES.c.run_id, _PATCHES.c.vm_id, _PATCHES.c.patch_id),
    "v_attempts": (_ATTEMPTS.c.intent_at, _ATTEMPTS.c.client_request_id),
    "v_events": (_EVENTS.c.run_id, _EVENTS.c.seq),
    "v_schedules": (_SCHEDULES.c.plan,),
    "v_freezes": (_FREEZES.c.begins, _FREEZES.c.ends, _FREEZES.c.name),
    "v_database": (_DATABASE.c.incarnation,),
}
