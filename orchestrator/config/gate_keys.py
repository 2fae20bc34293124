"""The keys of what must hold before a wave opens or closes: approvals and gates."""

import re
from functools import partial
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, Tag, model_validator

from orchestrator.config import later, values
from orchestrator.config.keys import Keys, forms
from orchestrator.config.problems import Wrong
from orchestrator.config.values import Editor
from orchestrator.domain.addresses import is_allowed, is_literal
from orchestrator.domain.gate import Bound, Relation

_LONGEST_URL = 2_000
_BOUND = re.compile(r"(<=|>=|==|!=|<|>) ?([+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:e[+-]?[0-9]{1,2})?)")


def _url(text: str, *, query: bool) -> str:
    fix = "write it like https://app.example/healthz"
    if "{" in text:
        raise Wrong(later.MESSAGE, "a gate asks one URL for its whole wave, not one for each VM")
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text:
        raise Wrong("not a URL", fix)
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise Wrong("not a URL", fix) from None
    if parts.scheme not in {"http", "https"} or not host or parts.fragment:
        raise Wrong("not a URL", fix)
    if parts.username is not None or parts.password is not None:
        raise Wrong("a URL with a password in it", "delete it: gates ask without", secret=True)
    if parts.query and not query:
        raise Wrong("the address of a Prometheus with a query", "put the query under `query`")
    if is_literal(host) and not is_allowed(host):
        raise Wrong("an address that no gate may be read from", "see docs/configuration.md, Gates")
    return text


def _bound(text: str) -> Bound:
    found = _BOUND.fullmatch(text.strip())
    if not found:
        raise Wrong("not a bound", 'write it like "< 0.01": <, <=, >, >=, == or !=, and a number')
    return Bound(relation=Relation(found[1]), value=float(found[2]))


def _bound_of(value: object) -> Bound:
    if not isinstance(value, str):
        raise Wrong("not a bound", 'write it like "< 0.01", in quotes')
    return _bound(value)


Url = Annotated[str, AfterValidator(partial(_url, query=True))]
BaseUrl = Annotated[str, AfterValidator(partial(_url, query=False))]
BoundText = Annotated[
    Bound,
    BeforeValidator(_bound_of),
    Editor({"type": "string", "examples": ["< 0.01", ">= 3"]}),
]


class ApprovalKeys(Keys):
    """Who approves, and how long is waited for them."""

    group: values.Text
    """Who is asked; it is told in every notice."""
    timeout: values.PositiveDuration | None = None
    """After this time without an approval the run is paused. Default: never."""


Approve = Annotated[
    Annotated[values.Text, Tag("<text>")] | Annotated[ApprovalKeys, Tag("<mapping>")],
    forms("a group or a mapping of group and timeout", mapping=True),
]


class PrometheusKeys(Keys):
    """A query, and what its values must be."""

    url: BaseUrl
    """Where Prometheus answers; `/api/v1/query` is added."""
    query: values.Text
    """An instant query. A query without a value is red."""
    expect: BoundText
    """What each value must be: `"< 0.01"`."""


class GateKeys(Keys):
    """One answer that must be good before the wave opens (before) or closes (check)."""

    http: Url | None = None
    """A URL that must answer a GET with the status `expect`. No redirect is followed."""
    expect: Annotated[int, Field(ge=100, le=599)] | None = None
    """The status that is good, of `http`. Default: 200."""
    prometheus: PrometheusKeys | None = None
    """A Prometheus that is asked instead."""
    held_for: Annotated[values.Duration | None, Field(alias="for")] = None
    """How long the answer must have been good without a break. Default: once will do."""
    timeout: values.PositiveDuration | None = None
    """Red for this long, the run halts. Default: 1h."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.http is None) == (self.prometheus is None):
            raise Wrong("not exactly one of http and prometheus", "keep one of them")
        if self.prometheus is not None and self.expect is not None:
            raise Wrong("a status is no answer of Prometheus", "put `expect` under `prometheus`")
        return self


Gates = Annotated[list[GateKeys], Field(min_length=1, max_length=20)]
