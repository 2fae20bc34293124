"""A configuration file as nodes: values that know where they stand. They do nothing."""

from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.config.problems import quoted
from orchestrator.config.scalars import Value


class Mark(NamedTuple):
    """Where something stands; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: its value, and the text as it was written (without its quotes)."""

    mark: Mark
    value: Value
    text: str
    size: int = 1
    levels: int = 0


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: tuple["Node", ...]
    size: int
    levels: int


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; `marks` says where each key stands."""

    mark: Mark
    entries: dict[str, "Node"]
    marks: dict[str, Mark]
    size: int
    levels: int


Node = Scalar | ListNode | MapNode


def plain(node: Node) -> object:
    """Return the value of a node as Python lists, dicts and scalars."""
    match node:
        case Scalar(value=value):
            return value
        case ListNode(items=items):
            return [plain(item) for item in items]
        case MapNode(entries=entries):
            return {key: plain(value) for key, value in entries.items()}


def shown(node: Node) -> str:
    """Say what was found, for a message."""
    match node:
        case Scalar(value=None):
            return "nothing"
        case Scalar(text=text):
            return quoted(text)
        case ListNode(items=items):
            return "a list" if items else "an empty list"
        case MapNode():
            return "a mapping"
