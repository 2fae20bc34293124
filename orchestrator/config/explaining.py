"""From pydantic's errors to problems with a place, what was found, and a fix."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from orchestrator.config import later
from orchestrator.config.id_file import WrongFile
from orchestrator.config.keys import Keys, names_of
from orchestrator.config.models import Config
from orchestrator.config.nodes import ListNode, MapNode, Mark, Node, Scalar, shown
from orchestrator.config.problems import Problem, Wrong, quoted

MOST_EXPLAINED = 200
"""More errors than a person reads at once are counted, not explained."""

Detail = Mapping[str, Any]
"""One of pydantic's errors: `type`, `loc`, `msg` and perhaps `ctx`."""

_LONGEST_KEY = 64
_KINDS = {
    "string_type": ("not a text", "put it in quotes"),
    "int_type": ("not a whole number", "write it like 3, without quotes"),
    "bool_type": ("neither true nor false", "write true or false, without quotes"),
    "list_type": ("not a list", "write one item a line, each after a dash"),
    "dict_type": ("not a mapping", "write `key: value` pairs"),
    "model_type": ("not a mapping", "write `key: value` pairs"),
    "too_short": ("empty", "write at least one, or delete the key"),
    "string_pattern_mismatch": ("not an api-version", "write it like 2025-04-01"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: the last node on it, its key path, and what of the path has no node."""

    node: Node
    key_mark: Mark
    key: str
    rest: tuple[str, ...] = ()

    @property
    def mark(self) -> Mark:
        """Where to look: at a value, or at the key of a mapping."""
        return self.key_mark if self.rest or isinstance(self.node, MapNode) else self.node.mark


def explain(error: ValidationError, root: Node) -> list[Problem]:
    """Return the problems behind a validation error, the first 200 of them."""
    problems: list[Problem] = []
    for detail in error.errors(include_url=False, include_input=False)[:MOST_EXPLAINED]:
        problems += _problems(detail, root)
    return problems


def find(root: Node, path: Sequence[str | int]) -> Place:
    """Follow a path of keys and indices as far as nodes go. Items with a name are called by it."""
    place = Place(root, root.mark, "")
    steps = [step for step in path if not str(step).startswith(("<", "["))]
    for done, step in enumerate(steps):
        match place.node:
            case MapNode(entries=entries, marks=marks) if isinstance(step, str) and step in entries:
                place = Place(entries[step], marks[step], _joined(place.key, step))
            case ListNode(items=items) if isinstance(step, int) and step < len(items):
                item = items[step]
                place = Place(item, item.mark, f"{place.key}[{_called(item, step)}]")
            case _:
                rest = tuple(str(each) for each in steps[done:])
                return replace(place, rest=rest)
    return place


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _called(node: Node, index: int) -> str:
    name = node.entries.get("name") if isinstance(node, MapNode) else None
    if isinstance(name, Scalar) and isinstance(name.value, str) and len(name.text) <= _LONGEST_KEY:
        return name.text
    return str(index + 1)


def _problems(detail: Detail, root: Node) -> Iterator[Problem]:
    place = find(root, detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    match detail["type"]:
        case "extra_forbidden":
            yield _unknown(detail["loc"], place)
        case "missing":
            yield _missing(place)
        case "literal_error":
            yield _no_such_word(detail, place)
        case _ if isinstance(cause, WrongFile) and cause.problems:
            yield from cause.problems
        case _ if isinstance(cause, Wrong):
            found = "" if cause.secret else _found(place)
            yield _at(place, cause.message, cause.fix, found)
        case _:
            message, fix = _kind(detail, place)
            yield _at(place, message, fix, _found(place))


def _at(place: Place, message: str, fix: str, found: str = "") -> Problem:
    where = place.mark._asdict()
    return Problem(**where, key=place.key, message=message, found=found, fix=fix)


def _found(place: Place) -> str:
    """Say what stands there; where a mapping belongs, a mapping needs no mention."""
    return "" if isinstance(place.node, MapNode) and not place.rest else shown(place.node)


def _kind(detail: Detail, place: Place) -> tuple[str, str]:
    """Say what kind of value belongs there."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "form":
            return detail["msg"], f"write {detail['msg'].removeprefix('not ')}"
        case "greater_than_equal":
            return f"less than {context['ge']}", f"write at least {context['ge']}"
        case "less_than_equal":
            return f"more than {context['le']}", f"write at most {context['le']}"
        case "string_type" if isinstance(place.node, Scalar) and place.node.text:
            return "not a text", f'put it in quotes: "{place.node.text[:_LONGEST_KEY]}"'
        case kind:
            return _KINDS.get(kind, (detail["msg"], "see docs/configuration.md"))


def _missing(place: Place) -> Problem:
    name = place.rest[-1]
    key = _joined(place.key, name)
    where = place.mark._asdict()
    return Problem(**where, key=key, message="this key is missing", fix=f"add `{name}:`")


def _no_such_word(detail: Detail, place: Place) -> Problem:
    written = place.node.text if isinstance(place.node, Scalar) else ""
    name = place.key.rpartition(".")[2]
    words = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    close = get_close_matches(written.lower()[:_LONGEST_KEY], words, n=1)
    fix = f"did you mean {close[0]}?" if close else f"write {' or '.join(words)}"
    found = "" if name == "credential" else _found(place) or "a mapping"  # it may be a secret
    return _at(place, f"not one of {', '.join(words)}", fix, found)


# -------------------------------------------------------------------------- unknown keys


def _unknown(path: Sequence[str | int], place: Place) -> Problem:
    """Explain a key that is not known there; its value is not shown, it may be a secret."""
    written = str(path[-1])
    where = place.key_mark._asdict()
    message, fix = "unknown key", _nearest(written, path[:-1])
    if written in later.KEYS:
        message, fix = later.MESSAGE, later.FIX
    found = quoted(written)
    return Problem(**where, key=place.key, message=message, found=found, fix=fix)


def _nearest(written: str, path: Sequence[str | int]) -> str:
    """Suggest what was meant: a similar key, the place where this key belongs, or what there is."""
    known = sorted({name for model in _models_at(path) for name in names_of(model)})
    if close := get_close_matches(written.lower()[:_LONGEST_KEY], known, n=1):
        return f"did you mean `{close[0]}`?"
    if homes := _homes(written):
        return f"`{written}` belongs in {' or '.join(homes)}"
    if close := get_close_matches(written.lower()[:_LONGEST_KEY], later.KEYS, n=1):
        return f"if you mean `{close[0]}`: it is {later.MESSAGE}"
    return f"known here: {', '.join(known)}"


def _models_at(path: Sequence[str | int]) -> list[type[Keys]]:
    """Return the models that describe the mapping at a path."""
    models: list[type[Keys]] = [Config]
    for step in path:
        if isinstance(step, str) and not step.startswith("<"):
            fields = [names_of(model)[step] for model in models if step in names_of(model)]
            models = [model for field in fields for model in models_in(field.annotation)]
    return models


def models_in(annotation: Any) -> list[type[Keys]]:  # noqa: ANN401 - any type at all
    """Return the models inside a type: of its members, of its items."""
    if isinstance(annotation, type) and issubclass(annotation, Keys):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def _homes(key: str) -> list[str]:
    """Return the places where a key belongs, as people call them."""
    homes = []
    seen: list[type[Keys]] = []
    waiting: list[tuple[str, type[Keys]]] = [("the top level", Config)]
    while waiting:
        name, model = waiting.pop(0)
        seen.append(model)
        if key in names_of(model):
            homes.append(name)
        for field_name, field in names_of(model).items():
            inner = [each for each in models_in(field.annotation) if each not in seen]
            waiting += [(f"`{field_name}`", each) for each in inner]
    return list(dict.fromkeys(homes))
