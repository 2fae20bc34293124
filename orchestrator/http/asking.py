"""What a request to steer says: bytes in, values out, every problem at once. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from orchestrator.config.durations import read_some
from orchestrator.domain.model import RunId, Share, VmId
from orchestrator.domain.record import ActKind, Emergency, Resolution

OPEN: Final = "run"
"""The one act that opens a run; all others but the next are an `ActKind`."""
CONFIRM: Final = "confirm"
"""The one act on the database."""
_NOBODY: Final = "local"
"""Who asked, when the request does not say: whoever may read the token."""
_MOST_PROBLEMS: Final = 20
_LONGEST_KEY: Final = 60

_STEERING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What turns the direction of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """An act on a run; None stands for the only open one."""

    kind: ActKind
    run: RunId | None
    actor: str
    because: str
    id: str | None
    vms: tuple[VmId, ...]
    wave: str | None
    code: str | None
    resolution: Resolution | None
    max_parallel: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlan:
    """Open a run of a plan now."""

    plan: str
    actor: str
    emergency: Emergency | None = None
    """Who lets the run override freezes, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Disable a plan's schedule, perhaps until some time, or enable it again."""

    plan: str
    enable: bool
    until: datetime | None
    actor: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Halt everything, or lift that halt: no run is meant."""

    halt: bool
    actor: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """End the database's safe mode: no run is meant."""

    actor: str
    because: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """What is wrong with the request, each in one sentence."""

    problems: tuple[str, ...]


def _one_line(text: str) -> str:
    """Make any white space one space; what steers a terminal is refused."""
    line = " ".join(text.split())
    for each in line:
        if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} or each in _STEERING:
            raise ValueError(f"no control character, please (U+{ord(each):04X})")
    if not line:
        raise ValueError("this is empty")
    return line


_Name = Annotated[str, Field(strict=True, max_length=200), AfterValidator(_one_line)]
_Vm = Annotated[str, Field(strict=True, max_length=600), AfterValidator(_one_line)]
_Reason = Annotated[str, Field(strict=True, max_length=1000), AfterValidator(_one_line)]


def _some(value: object) -> Share:
    """Read how many VMs at once: 50, or "25%"."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str):
        raise ValueError("write a count or a percentage")  # noqa: TRY004 - pydantic's protocol
    return read_some(text)


class _Body(BaseModel):
    """The body as JSON spells it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    act: Literal[
        "pause", "resume", "halt", "cancel", "retry", "resolve", "approve", "skip", "set",
        "run", "confirm", "disable", "enable",
    ]  # fmt: skip
    run: _Name | None = None
    all: Literal[True] | None = None
    plan: _Name | None = None
    approved_by: _Name | None = None
    until: AwareDatetime | None = None
    vms: Annotated[list[_Vm], Field(min_length=1)] | None = None
    wave: _Name | None = None
    reason_code: _Name | None = None
    resolution: Resolution | None = Field(default=None, alias="as")
    max_parallel: Annotated[Share, BeforeValidator(_some)] | None = None
    because: _Reason | None = None
    actor: _Name | None = None
    id: UUID | None = None


_ALWAYS = {"act", "because", "actor", "id"}
_CHOICE = {"vms", "wave", "reason_code"}
_TAKES: Final[Mapping[str, set[str]]] = {
    OPEN: {"plan", "approved_by"},
    "disable": {"plan", "until"},
    "enable": {"plan"},
    "pause": {"run"},
    "resume": {"run", "all"},
    "halt": {"run", "all"},
    "cancel": {"run"},
    "retry": {"run", *_CHOICE},
    "resolve": {"run", "as", *_CHOICE},
    "approve": {"run", "wave"},
    "skip": {"run", *_CHOICE},
    "set": {"run", "wave", "max_parallel"},
    CONFIRM: set(),
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    OPEN: ("plan",),
    "disable": ("plan", "because"),
    "enable": ("plan", "because"),
    "pause": (),
    "resume": ("because",),
    "halt": ("because",),
    "cancel": ("because",),
    "retry": ("because",),
    "resolve": ("because", "as"),
    "approve": ("because",),
    "skip": ("because",),
    "set": ("because", "max_parallel"),
    CONFIRM: ("because",),
}


def read(body: bytes) -> Steer | Fleet | OpenPlan | Schedule | Confirm | Unclear:
    """Read the body of `POST /api/v1/acts`."""
    try:
        given = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        said = f": {error}" if isinstance(error, _TwiceError) else ""
        return Unclear((f"the body is no JSON that can be read{said}",))
    if not isinstance(given, dict):
        return Unclear(("the body is no JSON object",))
    problems = list(_unfit(given))
    try:
        asked = _Body.model_validate(given)
    except ValidationError as error:
        problems = [*_told(error), *problems]
        return Unclear(tuple(problems[:_MOST_PROBLEMS]))
    return Unclear(tuple(problems)) if problems else _value(asked)


class _TwiceError(ValueError):
    """A key stands twice: nobody can tell which was meant."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError("a key stands twice")
    return found


def _unfit(given: Mapping[str, Any]) -> Iterator[str]:
    """Tell what an act lacks, and what it was given and would have to ignore."""
    act = given.get("act")
    if not isinstance(act, str) or act not in _TAKES:
        return
    there = {key for key, value in given.items() if value is not None}
    for key in _NEEDS[act]:
        if key not in there:
            yield f"{key}: {act} needs it"
    if act == OPEN and "approved_by" in there and "because" not in there:
        yield "because: a run that somebody approved needs it"
    if {"run", "all"} <= there and _TAKES[act] >= {"run", "all"}:
        yield f"all: {act} takes a run or all, not both"
    if act == ActKind.SKIP and not there & _CHOICE:
        yield "vms: skip needs vms, a wave or a reason_code"
    known = {field.alias or name for name, field in _Body.model_fields.items()}
    for key in sorted(there & known - _TAKES[act] - _ALWAYS):
        yield f"{key}: {act} does not take it"


def _told(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part)[:_LONGEST_KEY] for part in problem["loc"])
        what = re.sub("^Value error, ", "", problem["msg"])
        yield f"{where}: {what[:1].lower()}{what[1:]}"


def _emergency(asked: _Body) -> Emergency | None:
    if asked.approved_by is None:
        return None
    return Emergency(approved_by=asked.approved_by, because=asked.because or "")


def _value(asked: _Body) -> Steer | Fleet | OpenPlan | Schedule | Confirm:
    actor = asked.actor or _NOBODY
    if asked.act == OPEN:
        return OpenPlan(plan=asked.plan or "", actor=actor, emergency=_emergency(asked))
    if asked.act in {"disable", "enable"}:
        return Schedule(
            plan=asked.plan or "",
            enable=asked.act == "enable",
            until=asked.until,
            actor=actor,
            because=asked.because or "",
        )
    if asked.act == CONFIRM:
        return Confirm(actor=actor, because=asked.because or "")
    if asked.all:
        return Fleet(halt=asked.act == "halt", actor=actor, because=asked.because or "")
    return Steer(
        kind=ActKind(asked.act),
        run=RunId(asked.run) if asked.run else None,
        actor=actor,
        because=asked.because or "",
        id=str(asked.id) if asked.id else None,
        vms=tuple(VmId(name) for name in asked.vms or ()),
        wave=asked.wave,
        code=asked.reason_code,
        resolution=asked.resolution,
        max_parallel=asked.max_parallel,
    )
