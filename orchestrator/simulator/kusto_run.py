"""Running a query over rows: each stage in turn. Pure; the time is the caller's."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from orchestrator.simulator.kusto import (
    Call,
    Column,
    Columns,
    Literal,
    Member,
    Node,
    Order,
    Query,
    Stage,
    Take,
    Where,
)
from orchestrator.simulator.kusto_values import (
    FUNCTIONS,
    KustoError,
    compared,
    member,
    string,
)

Row = Mapping[str, object]


def run(query: Query, rows: Iterable[Row], now: datetime) -> list[Row]:
    """Return what is left of the rows. Raises KustoError for what cannot be computed."""
    found = list(rows)
    for stage in query.stages:
        found = _staged(stage, found, now)
    return found


def pinned(query: Query, column: str) -> str | None:
    """Return the text that a column of every row must begin with, whatever its case, if the query
    says so at its beginning; in lower case. A table of many rows need then not be gone through."""
    for stage in query.stages:
        if not isinstance(stage, Where):
            return None
        for part in _conjuncts(stage.holds):
            match part:
                case Call("startswith" | "=~" | "==", (Column(name), Literal(str(text)))) if (
                    name == column
                ):
                    return text.lower()
                case _:
                    pass
    return None


def asked_first(query: Query, of: str, known: Collection[str]) -> Sequence[Node]:
    """Return the conditions at the query's beginning that look at nothing of a row but these
    members of the column `of`: a row that does not meet them need not be made whole."""
    found = []
    for stage in query.stages:
        if not isinstance(stage, Where):
            break
        found += [each for each in _conjuncts(stage.holds) if _looks_only(each, of, known)]
    return found


def met(conditions: Iterable[Node], row: Row, now: datetime) -> bool:
    """Tell whether a row meets all of these conditions. Raises KustoError."""
    return all(_value(each, row, now) is True for each in conditions)


def _looks_only(node: Node, of: str, known: Collection[str]) -> bool:
    match node:
        case Literal():
            return True
        case Member(Column(name), key):
            return name == of and key in known
        case Call(_, given):
            return all(_looks_only(each, of, known) for each in given)
        case _:
            return False


def _conjuncts(node: Node) -> Sequence[Node]:
    return node.given if isinstance(node, Call) and node.name == "and" else (node,)


def _staged(stage: Stage, rows: list[Row], now: datetime) -> list[Row]:
    match stage:
        case Where(holds):
            return [row for row in rows if _value(holds, row, now) is True]
        case Columns(named, only):
            kept = [{} if only else row for row in rows]
            named_values = [{name: _value(node, row, now) for name, node in named} for row in rows]
            return [{**old, **new} for old, new in zip(kept, named_values, strict=True)]
        case Take(count):
            return rows[:count]
        case Order(by):
            for node, descending in reversed(by):
                rows = sorted(rows, key=partial(_place, node, now=now), reverse=descending)
            return rows


def _place(node: Node, row: Row, now: datetime) -> tuple[float, str]:
    """Return where a row is sorted in: nulls first, numbers by size, the rest as text."""
    value = _value(node, row, now)
    if isinstance(value, int | float):
        return float(value), ""
    text = value.isoformat() if isinstance(value, datetime) else string(value)
    return float("-inf") if value is None else 0.0, text.lower()


def _value(node: Node, row: Row, now: datetime) -> object:
    match node:
        case Literal(value):
            return value
        case Column(name):
            return row[name]
        case Member(of, key):
            return member(_value(of, row, now), key)
        case Call(name, given):
            return _called(name, given, row, now)


def _called(name: str, given: tuple[Node, ...], row: Row, now: datetime) -> object:
    if name == "and":
        return all(_value(one, row, now) is True for one in given)
    if name == "or":
        return any(_value(one, row, now) is True for one in given)
    values = [_value(one, row, now) for one in given]
    if name in {"in", "in~"}:
        sign = "==" if name == "in" else "=~"
        return any(compared(sign, values[0], one) for one in values[1:])
    if name == "now":
        return now
    if name == "ago":
        return _ago(values, now)
    if name not in FUNCTIONS:
        return compared(name, *values)
    try:
        return FUNCTIONS[name](*values)
    except TypeError:
        raise KustoError(f"{name} is given the wrong number of values") from None


def _ago(values: Sequence[object], now: datetime) -> datetime:
    match values:
        case [timedelta() as span]:
            return now - span
        case _:
            raise KustoError("ago is given a span of time")
