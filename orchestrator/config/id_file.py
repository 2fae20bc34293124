"""VM ids from a file beside the configuration: CSV, JSON lines, or one id a line. Only reads."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.config.azure_words import read_vm_id
from orchestrator.config.file_text import read_text
from orchestrator.config.problems import Problem, Wrong, quoted
from orchestrator.domain.model import VmId

MOST_BYTES = 64 << 20
MOST_PROBLEMS = 20
COLUMNS = ("id", "vm_id", "vmid", "resource_id", "resourceid")
"""What the column (CSV) or the key (JSON) with the id may be called; case does not matter."""

_LINE_FORMS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


class WrongFile(Wrong):
    """A file of ids cannot be used; `problems` name the places inside it."""

    def __init__(self, message: str, fix: str, problems: tuple[Problem, ...] = ()) -> None:
        """Keep the places beside the sentence."""
        super().__init__(message, fix)
        self.problems = problems


def read(path: Path) -> list[VmId]:
    """Return the ids of a file in its order, each once. Raises `WrongFile`.

    `.csv` has a header with one of `COLUMNS`; `.jsonl`, `.ndjson` and `.json` hold a text or an
    object with such a key on each line; any other file one id a line, with `#` comments.
    """
    ids: dict[VmId, None] = {}
    problems: list[Problem] = []
    for line, written in _entries(path, _lines(path)):
        try:
            if isinstance(written, Wrong):
                raise written
            ids[read_vm_id(written)] = None
        except Wrong as wrong:
            found = "" if isinstance(written, Wrong) else quoted(written)
            message, fix = wrong.message, wrong.fix
            problem = Problem(
                file=str(path), line=line, column=1, message=message, found=found, fix=fix
            )
            problems.append(problem)
            if len(problems) >= MOST_PROBLEMS:
                break
    if problems:
        raise WrongFile(f"{path} cannot be used", "mend the lines named", tuple(problems))
    if not ids:
        raise WrongFile(f"{path} names no VM", "write at least one id into it")
    return list(ids)


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path, MOST_BYTES, "split it among several waves").splitlines()
    except Wrong as wrong:
        raise WrongFile(wrong.message, wrong.fix) from None


def _entries(path: Path, lines: list[str]) -> Iterator[tuple[int, str | Wrong]]:
    """Yield line numbers with what should be an id, or with what is wrong there."""
    match _LINE_FORMS.get(path.suffix.lower()):
        case "csv":
            yield from _csv(lines)
        case "json":
            yield from ((n, _json(text)) for n, text in enumerate(lines, 1) if text.strip())
        case _:
            bare = ((n, text.partition("#")[0].strip()) for n, text in enumerate(lines, 1))
            yield from ((n, text) for n, text in bare if text)


def _csv(lines: list[str]) -> Iterator[tuple[int, str | Wrong]]:
    reader = csv.reader(lines)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        column = next((header.index(name) for name in COLUMNS if name in header), None)
        if column is None:
            fix = f"name the column with the resource ids {COLUMNS[0]}"
            yield 1, Wrong("no column of the header is called id or resource_id", fix)
            return
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row[column].strip() if column < len(row) else ""
    except csv.Error as error:
        yield reader.line_num, Wrong(f"not CSV: {error}", "mend the line")


def _json(text: str) -> str | Wrong:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Wrong("not JSON", "write one object or text on each line")
    if isinstance(value, Mapping):
        known = {str(key).lower(): item for key, item in value.items()}
        value = next((known[name] for name in COLUMNS if name in known), None)
    if isinstance(value, str):
        return value
    return Wrong('neither a text nor an object with an "id"', 'write {"id": "/subscriptions/…"}')
