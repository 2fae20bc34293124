"""Counting what is in flight and what is bad, inside an intent's transaction. No policy: what may
not be exceeded is given, and compared by the domain.

Only a start whose intent is on disk counts here: two daemons that prepare VMs of one group block
each other no longer than until one of them intends. On PostgreSQL the groups are locked first, in
the order of their keys, and counted then, so that nobody counts beside somebody else's uncommitted
start. SQLite has one writer.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Select,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)

from orchestrator.domain.bounds import Bounds, StrictBudget
from orchestrator.domain.budgets import over_strict
from orchestrator.domain.limits import TAG, groups_of, over
from orchestrator.domain.model import RunId, Target, VmId
from orchestrator.ports import Refused
from orchestrator.store import documents, schema
from orchestrator.store.column_types import Moment

_operation, _wave = schema.operation, schema.wave
_LOCK: Final = text("SELECT pg_advisory_xact_lock(key) FROM unnest(:keys) AS key").bindparams(
    bindparam("keys", type_=ARRAY(BigInteger))
)
_STANDING: Final = ("wave", "state", "outcome", "forgiven")
_NAMES: Final = select(_wave.c.position, _wave.c.name).where(_wave.c.run_id == bindparam("the_run"))


def lock(connection: Connection, bounds: Iterable[Bounds]) -> None:
    """Lock all groups that these starts are counted in over all runs."""
    if connection.dialect.name != "postgresql":
        return
    groups = {each.group for bound in bounds for each in bound.ceilings if each.everywhere}
    if groups:
        connection.execute(_LOCK, {"keys": sorted(map(_key, groups))}).all()


def _key(group: str) -> int:
    return int.from_bytes(blake2b(group.encode(), digest_size=8).digest(), "big", signed=True)


def elsewhere(
    connection: Connection, run_id: RunId, kinds: Collection[str], now: datetime
) -> Mapping[str, int]:
    """Count the VMs in flight in other runs, by group."""
    found: Counter[str] = Counter()
    for mine, groups, vms in _taken(connection, run_id, kinds, now):
        if not mine:
            found.update(dict.fromkeys(groups, vms))
    return found


@dataclass(slots=True)
class Ledger:
    """What is in flight and bad as the transaction sees it, for the intents of one run in it."""

    own: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)
    flying: Counter[int] = field(default_factory=Counter)
    bad: Counter[int] = field(default_factory=Counter)
    names: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls, connection: Connection, run_id: RunId, bounds: Collection[Bounds], now: datetime
    ) -> "Ledger":
        """Count what these bounds ask for, and nothing when they ask for nothing."""
        ledger = cls()
        kinds = {each.kind for bound in bounds for each in bound.ceilings}
        for mine, groups, vms in _taken(connection, run_id, kinds, now) if kinds else ():
            ledger.all.update(dict.fromkeys(groups, vms))
            ledger.own.update(dict.fromkeys(groups, vms if mine else 0))
        if any(bound.strict for bound in bounds):
            ledger._count(connection, run_id, {w for bound in bounds for w in bound.warned})
        return ledger

    def refusal(self, bounds: Bounds) -> Refused | None:
        """Say which bound one more start would exceed."""
        for ceiling in bounds.ceilings:
            taken = self.all if ceiling.everywhere else self.own
            if (reason := over(ceiling, taken[ceiling.group])) is not None:
                return Refused("limit", reason)
        for budget in bounds.strict:
            reason = over_strict(budget, self.names, *self._standing(budget))
            if reason is not None:
                return Refused("budget", reason)
        return None

    def add(self, wave: int, bounds: Bounds) -> None:
        """Count a start that will be written."""
        groups = [ceiling.group for ceiling in bounds.ceilings]
        self.own.update(groups)
        self.all.update(groups)
        self.flying[wave] += 1

    def _standing(self, budget: StrictBudget) -> tuple[int, int]:
        if budget.wave is not None:
            return self.flying[budget.wave], self.bad[budget.wave]
        return self.flying.total(), self.bad.total()

    def _count(self, connection: Connection, run_id: RunId, warned: Collection[int]) -> None:
        for wave, state, outcome, forgiven, vms in connection.execute(
            _standing(), {"the_run": run_id}
        ):
            if state not in {"needs_human", "failed", "succeeded"}:
                self.flying[wave] += vms
            elif not forgiven and (outcome != "warned" or wave in warned):
                self.bad[wave] += vms
        named = connection.execute(_NAMES, {"the_run": run_id})
        self.names = {row.position: row.name for row in named}


def _taken(
    connection: Connection, run_id: RunId, kinds: Collection[str], now: datetime
) -> Iterable[tuple[bool, tuple[str, ...], int]]:
    """Yield how many VMs hold the slots of which groups, and whether they are of this run."""
    values = {"the_run": run_id, "now": now}
    for row in connection.execute(_held(any(k.startswith(TAG) for k in kinds)), values):
        target = Target(
            vm_id=VmId(""),
            name="",
            subscription_id=row.subscription_id,
            resource_group="",
            region=row.region,
            os="",
            zone=row.zone,
            availability_set=row.availability_set,
            tags=documents.tags_from(row.tags),
        )
        yield bool(row.mine), groups_of(kinds, target), row.vms


@cache
def _held(tags: bool) -> Select[Any]:
    """Ask for all that hold their slots, by what a group may be made of: each part in the words of
    an index of its own, else that is not used."""
    named = [_operation.c[name] for name in ("subscription_id", "region", "zone")]
    said = _operation.c.tags if tags else literal("{}").label("tags")
    wanted = [
        (_operation.c.run_id == bindparam("the_run")).label("mine"),
        *named,
        _operation.c.availability_set,
        said,
    ]
    locked = _operation.c.locked_until > bindparam("now", type_=Moment())
    parts = union_all(
        select(*wanted).where(text(schema.HELD)),
        select(*wanted).where(text(schema.LEFT), (_operation.c.state == "verifying") | locked),
    ).subquery()
    return select(*parts.c, func.count().label("vms")).group_by(*parts.c)


@cache
def _standing() -> Select[Any]:
    columns = [_operation.c[name] for name in _STANDING]
    mine = _operation.c.run_id == bindparam("the_run")
    parts = union_all(
        *(
            select(*columns).where(mine, text(words))
            for words in (schema.HELD, schema.LEFT, schema.BAD)
        )
    ).subquery()
    return select(*parts.c, func.count(literal_column("*"))).group_by(*parts.c)
