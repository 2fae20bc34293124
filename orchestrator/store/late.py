"""What closed runs may still have to do: VMs that need a person, and late ends that are verified.
It looks at none."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, or_, select, text

from orchestrator.domain.model import RunId
from orchestrator.domain.polling import HOURLY
from orchestrator.domain.rollout import LOOKED_AT_FOR
from orchestrator.store import schema

_run, _operation, _watch = schema.run, schema.operation, schema.watch
_LOOKED_AT: Final = or_(
    _operation.c.locked_until > bindparam("now"), _operation.c.since > bindparam("too_late")
)
_DUE: Final = or_(
    _watch.c.next_at <= bindparam("now"),
    and_(_watch.c.next_at.is_(None), _operation.c.since <= bindparam("an_hour_ago")),
)
_LATE: Final = (
    select(_run.c.id)
    .join(_operation, _operation.c.run_id == _run.c.id)
    .outerjoin(
        _watch, and_(_watch.c.run_id == _operation.c.run_id, _watch.c.vm_id == _operation.c.vm_id)
    )
    .where(
        text(f"operation.{schema.LEFT}"),  # in the index's own words: else it is not used
        _run.c.closed_at.is_not(None),
        or_(
            _operation.c.state == "verifying",
            and_(_operation.c.activity_id.is_not(None), _LOOKED_AT, _DUE),
        ),
    )
    .group_by(_run.c.id, _run.c.opened_at)
    .order_by(_run.c.opened_at, _run.c.id)
)


def runs(connection: Connection, now: datetime) -> Sequence[RunId]:
    """Name the closed runs in which a VM that needs a person is due for its look, or whose late end
    is being verified, oldest first."""
    values = {"now": now, "an_hour_ago": now - HOURLY, "too_late": now - LOOKED_AT_FOR}
    return [RunId(run_id) for run_id in connection.execute(_LATE, values).scalars()]
