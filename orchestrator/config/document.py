"""From a YAML file to nodes that know where they stand. Reads one document and trusts none of it.

Refused: more than 1 MiB, 20,000 values, 50 aliases or 20 levels (aliases followed), tags, several
documents, keys that are no text, duplicate keys (`reliability.md` S11). Scalars follow YAML 1.2.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from orchestrator.config.nodes import ListNode, MapNode, Mark, Node, Scalar
from orchestrator.config.problems import Problem, quoted
from orchestrator.config.scalars import resolve

MOST_BYTES = 1 << 20
MOST_VALUES = 20_000
MOST_ALIASES = 50
MOST_LEVELS = 20

_UNWANTED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML does not allow, and U+0085, U+2028 and U+2029: line breaks that no editor shows."""


def read(name: str, content: bytes) -> tuple[Node | None, list[Problem]]:
    """Read one file's content. Whatever can be told besides the first syntax error is told."""
    reader = _Reader(name)
    try:
        reader.read(_decode(name, content))
    except _StopError as stop:
        return None, [*reader.problems, stop.problem]
    return reader.root, reader.problems


class _StopError(Exception):
    """Reading on makes no sense."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _decode(name: str, content: bytes) -> str:
    if len(content) > MOST_BYTES:
        found = f"{len(content)} bytes"
        fix = "put long lists of VMs into a `file`"
        message = "a configuration file has at most 1 MiB"
        raise _StopError(Problem(file=name, message=message, found=found, fix=fix))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        message, found = "not UTF-8", f"byte 0x{content[error.start]:02x}"
        fix = "save the file as UTF-8"
        raise _StopError(_at(Mark(name, line, column), message, fix, found=found)) from None
    if bad := _UNWANTED.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        mark = Mark(name, line, bad.start() - text.rfind("\n", 0, bad.start()))
        message, found = "a character that has no place in a configuration", f"U+{ord(bad[0]):04X}"
        raise _StopError(_at(mark, message, "delete it", found=found))
    return text


def _at(mark: Mark, message: str, fix: str, *, key: str = "", found: str = "") -> Problem:
    place = mark._asdict()
    return Problem(**place, key=key, message=message, found=found, fix=fix)


@dataclass(slots=True)
class _Frame:
    """A collection that is still being read."""

    mark: Mark
    anchor: str | None
    is_map: bool
    nodes: list[Node] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    """Of a mapping: the key of each node, and the one whose value comes next; None when refused."""
    marks: dict[str, Mark] = field(default_factory=dict)

    @property
    def awaits_key(self) -> bool:
        return self.is_map and len(self.keys) == len(self.nodes)


class _Reader:
    """Turns parser events into nodes."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._file = file
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._documents = self._aliases = self._values = 0

    def read(self, text: str) -> None:
        """Read all of a document."""
        try:
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            raise _StopError(_syntax(self._file, text, error)) from None

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.NodeEvent):
            self._count(event)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(event, "a second document in one file", "use one file for each")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case _:
                pass  # the ends of documents and of the stream say nothing

    def _count(self, event: yaml.NodeEvent) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values in one file"
            self._stop(event, message, "put long lists of VMs into a `file`")
        if tag := getattr(event, "tag", None):
            fix = "delete the tag; put text in quotes"
            self._tell(event, "YAML tags are not allowed", fix, found=_begun(str(tag)))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark, text = self._mark(event), str(event.value)
        frame = self._frames[-1] if self._frames else None
        if frame and frame.awaits_key:
            self._key(frame, event, text)
            return
        is_plain = event.implicit[0] and not event.tag
        value = resolve(text) if is_plain and not event.style else text
        self._keep(Scalar(mark, value, text), event.anchor)

    def _key(self, frame: _Frame, event: yaml.ScalarEvent, text: str) -> None:
        mark = self._mark(event)
        earlier = frame.marks.get(text)
        if text == "<<":
            fix = "write the keys out, or put what plans share under `defaults`"
            self._tell(event, "merge keys are YAML 1.1 and not supported", fix, key=text)
        elif not text:
            self._tell(event, "a key without a name", "give the key a name")
        elif earlier:
            message = f"the key stands here a second time; the first is on line {earlier.line}"
            self._tell(event, message, "keep one of them", key=text)
        else:
            frame.marks[text] = mark
            frame.keys.append(text)
            return
        frame.keys.append(None)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if self._frames and self._frames[-1].awaits_key:
            self._stop(event, "a key must be text", "put the key in quotes")
        if len(self._frames) >= MOST_LEVELS:
            self._stop(event, f"more than {MOST_LEVELS} levels deep", "nothing here needs so many")
        is_map = isinstance(event, yaml.MappingStartEvent)
        self._frames.append(_Frame(self._mark(event), event.anchor, is_map))

    def _close(self) -> None:
        frame = self._frames.pop()
        size = 1 + sum(node.size for node in frame.nodes)
        levels = 1 + max((node.levels for node in frame.nodes), default=0)
        if not frame.is_map:
            self._keep(ListNode(frame.mark, tuple(frame.nodes), size, levels), frame.anchor)
            return
        pairs = zip(frame.keys, frame.nodes, strict=True)
        entries = {key: node for key, node in pairs if key is not None}
        self._keep(MapNode(frame.mark, entries, frame.marks, size, levels), frame.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._aliases += 1
        node = self._anchors.get(event.anchor or "")
        if self._frames and self._frames[-1].awaits_key:
            self._stop(event, "a key must be text", "write the key out")
        if node is None:
            fix = "write the value out; put a text that begins with * in quotes"
            self._stop(event, "no such anchor before this", fix)
        self._values += node.size
        if self._aliases > MOST_ALIASES or self._values > MOST_VALUES:
            message = f"more than {MOST_ALIASES} aliases, or {MOST_VALUES:,} values through them"
            self._stop(event, message, "write the values out")
        if len(self._frames) + node.levels > MOST_LEVELS:
            self._stop(event, f"more than {MOST_LEVELS} levels deep", "write the value out")
        self._keep(node, None)

    def _keep(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if self._frames:
            self._frames[-1].nodes.append(node)
        else:
            self.root = node

    def _mark(self, event: yaml.Event) -> Mark:
        line, column = (m.line, m.column) if (m := event.start_mark) else (0, 0)
        return Mark(self._file, line + 1, column + 1)

    def _tell(
        self, event: yaml.Event, message: str, fix: str, *, key: str = "", found: str = ""
    ) -> None:
        self.problems.append(_at(self._mark(event), message, fix, key=key, found=found))

    def _stop(self, event: yaml.Event, message: str, fix: str) -> NoReturn:
        raise _StopError(_at(self._mark(event), message, fix))


def _begun(tag: str) -> str:
    """Show a tag of YAML's own; any other may be a password that begins with an exclamation
    mark."""
    return tag if tag.startswith(("tag:yaml.org,", "!!")) else f"{tag[:1]}…"


_UNFINISHED = ("unexpected end of stream", "could not find expected ':'")
"""The parser notices these at the end of the file; what was begun says where to look."""
_TAB = "indent with spaces, not with tabs"
_FIXES = (
    ("mapping values are not allowed", "put a text that contains `: ` in quotes"),
    ("tab character", _TAB),
    ("cannot start any token", "put a text that begins with @, %, ` or a tab in quotes"),
    ("unexpected end of stream", "close the quote"),
    ("expected ',' or ']'", "close the list with ]"),
    ("expected ',' or '}'", "close the mapping with }"),
    ("did not find expected", "line up the keys of one mapping, and the dashes of one list"),
    ("could not find expected ':'", "write `key: value`, with a space after the colon"),
)


def _syntax(name: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """Say where the parser gave up; it cannot go on from there."""
    problem = str(error.problem or "it cannot be read")
    began = any(words in problem for words in _UNFINISHED)
    at = (error.context_mark if began else None) or error.problem_mark
    line, column = (at.line, at.column) if at else (0, 0)
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    fix = next((fix for words, fix in _FIXES if words in problem), "see the line above, too")
    if written[: column + 1].strip(" ") == "\t":
        fix = _TAB
    found = quoted(written.strip()) if written.strip() else "the end of the file"
    return _at(Mark(name, line + 1, column + 1), f"not YAML: {problem}", fix, found=found)
