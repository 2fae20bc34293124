"""The little of Kusto's query language that is understood here: text in, stages out.

`table | where … | extend … | project … | order by … | take n`, with comparisons, `and`, `or`,
`not()`, `in`, paths into `properties` and a handful of functions (`kusto_values.py`). Whatever it
does not understand is refused as Azure refuses a query, and never guessed at. It sees no data.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.simulator.kusto_values import FUNCTIONS, KustoError, instant, span

COMPARISONS = (
    *("==", "!=", "=~", "!~", ">=", "<=", ">", "<"),
    *("startswith", "endswith", "contains", "has"),
)
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<datetime>datetime\s*\(\s*["']?(?P<instant>[^)"']*)["']?\s*\))
    |(?P<verbatim>@'(?:[^']|'')*'|@"(?:[^"]|"")*")
    |(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<span>\d+(?:\.\d+)?(?:ms|d|h|m|s)\b)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>in~|[A-Za-z_]\w*)
    |(?P<sign>==|!=|=~|!~|>=|<=|[><|,()\[\].=])""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_T = TypeVar("_T")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, span of time or instant."""

    value: object


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """What stands in a dynamic value under a name, or in a list at an index."""

    of: "Node"
    key: str | int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of these values; `and`, `or`, `in`, `in~` and comparisons are such, too."""

    name: str
    given: tuple["Node", ...]


Node = Literal | Column | Member | Call


@dataclass(frozen=True, slots=True)
class Where:
    """Keeps the rows for which this holds."""

    holds: Node


@dataclass(frozen=True, slots=True)
class Columns:
    """Names columns by what is in them; `only`: the others are dropped."""

    named: tuple[tuple[str, Node], ...]
    only: bool


@dataclass(frozen=True, slots=True)
class Order:
    """Sorts by columns; the flag says descending."""

    by: tuple[tuple[Node, bool], ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Keeps so many rows."""

    count: int


Stage = Where | Columns | Order | Take


@dataclass(frozen=True, slots=True)
class Query:
    """A table, and what is done with its rows, in order."""

    table: str
    stages: tuple[Stage, ...]


def parse(text: str, columns: Sequence[str]) -> Query:
    """Read a query over a table with these columns. Raises KustoError."""
    return _Parser(list(_tokens(text)), set(columns)).query()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    value: object = None


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise KustoError(f"unexpected character at position {at}")
        at = match.end()
        kind, said = next((kind, said) for kind, said in match.groupdict().items() if said)
        if kind != "space":
            yield _Token(kind, said, _value(kind, said, match["instant"]))
    yield _Token("end", "the end of the query")


def _value(kind: str, said: str, given: str | None) -> object:
    match kind:
        case "datetime":
            return instant(given)
        case "verbatim":
            quote = said[1]
            return said[2:-1].replace(quote * 2, quote)
        case "string":
            return _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), said[1:-1])
        case "span":
            return span(said)
        case "number":
            return float(said) if "." in said else int(said)
        case _:
            return None


class _Parser:
    def __init__(self, tokens: list[_Token], columns: set[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._columns = columns

    def query(self) -> Query:
        table = self._name()
        stages = []
        while self._took("|"):
            stages.append(self._stage())
        if self._now.kind != "end":
            raise KustoError(f"unexpected {self._now.text}")
        return Query(table.lower(), tuple(stages))

    def _stage(self) -> Stage:
        word = self._name().lower()
        match word:
            case "where":
                return Where(self._either())
            case "project" | "extend":
                return self._naming(only=word == "project")
            case "order" | "sort":
                self._need("by")
                return Order(tuple(self._listed(self._direction)))
            case "take" | "limit":
                return Take(self._whole())
            case _:
                raise KustoError(f"the operator {word} is not simulated")

    def _naming(self, *, only: bool) -> Columns:
        named = tuple(self._listed(self._named))
        names = {name for name, _ in named}
        self._columns = names if only else self._columns | names
        return Columns(named, only)

    def _named(self) -> tuple[str, Node]:
        if self._tokens[self._at + 1].text == "=":
            name = self._name()
            self._need("=")
            return name, self._either()
        column = self._name()
        return column, self._column(column)

    def _direction(self) -> tuple[Node, bool]:
        by = self._term()
        if self._took("asc"):
            return by, False
        self._took("desc")
        return by, True

    def _listed(self, read: Callable[[], _T]) -> list[_T]:
        found = [read()]
        while self._took(","):
            found.append(read())
        return found

    # ------------------------------------------------------------------ expressions

    def _either(self) -> Node:
        return self._joined("or", lambda: self._joined("and", self._comparison))

    def _joined(self, word: str, read: Callable[[], Node]) -> Node:
        parts = [read()]
        while self._took(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else Call(word, tuple(parts))

    def _comparison(self) -> Node:
        left = self._term()
        word = self._now.text.lower()
        if word in {"in", "in~"}:
            self._at += 1
            return Call(word, (left, *self._bracketed()))
        if word in COMPARISONS:
            self._at += 1
            return Call(word, (left, self._term()))
        return left

    def _term(self) -> Node:
        node = self._simple()
        while self._now.text in {".", "["}:
            if self._took("."):
                node = Member(node, self._name())
            else:
                self._need("[")
                node = Member(node, self._key())
                self._need("]")
        return node

    def _simple(self) -> Node:
        token = self._now
        if token.kind == "name":
            return self._named_thing()
        if self._took("("):
            node = self._either()
            self._need(")")
            return node
        if token.kind in {"sign", "end"}:
            raise KustoError(f"unexpected {token.text}")
        self._at += 1
        return Literal(token.value)

    def _named_thing(self) -> Node:
        name = self._name()
        if self._now.text != "(":
            return Literal(name == "true") if name in {"true", "false"} else self._column(name)
        if name.lower() not in FUNCTIONS:
            raise KustoError(f"the function {name} is not simulated")
        return Call(name.lower(), self._bracketed())

    def _bracketed(self) -> tuple[Node, ...]:
        self._need("(")
        given = () if self._now.text == ")" else tuple(self._listed(self._either))
        self._need(")")
        return given

    # ------------------------------------------------------------------ words

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            raise KustoError(f"there is no column {name}")
        return Column(name)

    def _name(self) -> str:
        token = self._now
        if token.kind != "name":
            raise KustoError(f"a name was expected, not {token.text}")
        self._at += 1
        return token.text

    def _whole(self) -> int:
        value = self._now.value
        if not isinstance(value, int):
            raise KustoError(f"a whole number was expected, not {self._now.text}")
        self._at += 1
        return value

    def _key(self) -> str | int:
        value = self._now.value
        if not isinstance(value, str | int):
            raise KustoError(f"a name or an index was expected, not {self._now.text}")
        self._at += 1
        return value

    def _took(self, text: str) -> bool:
        """Step over this word or sign, if it comes next."""
        found = self._now.kind in {"name", "sign"} and self._now.text.lower() == text
        self._at += found
        return found

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise KustoError(f"{text} was expected, not {self._now.text}")
