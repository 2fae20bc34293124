"""From a path to settings: the one door. Reads the file, what it refers to, and the environment."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from orchestrator.config.checks import cautions, check
from orchestrator.config.document import MOST_BYTES, read
from orchestrator.config.explaining import explain
from orchestrator.config.hours import about_hours
from orchestrator.config.models import AccessKeys, Config
from orchestrator.config.nodes import ListNode, MapNode, Mark, Node, Scalar, plain, shown
from orchestrator.config.problems import ConfigError, Problem
from orchestrator.config.references import Surroundings, database_url, read_listen
from orchestrator.config.resolving import (
    resolve_azure,
    resolve_config_freezes,
    resolve_plans,
    resolve_reserve,
)
from orchestrator.config.settings import Access, Settings

MOST_FILES = 200
"""How many files a folder may hold."""


def load(
    path: Path, environ: Mapping[str, str] = os.environ, *, now: datetime | None = None
) -> Settings:
    """Read a configuration file, or every `*.yaml` and `*.yml` of a folder as one.

    With `now` it is also seen whether windows, freezes and deadlines leave anything to start.
    Raises `ConfigError` with everything that is wrong, each with its place and a fix.
    """
    root, problems = _root(path)
    around = _around(path, environ)
    problems += check(root)
    try:
        config = Config.model_validate(plain(root), context=around)
    except ValidationError as error:
        raise ConfigError(_once([*problems, *explain(error, root)])) from None
    if problems:
        raise ConfigError(problems)
    plans, freezes = resolve_plans(config), resolve_config_freezes(config)
    hours = about_hours(root, plans, freezes, now)
    if wrong := [problem for problem, fatal in hours if fatal]:
        raise ConfigError(wrong)
    host, port = read_listen(config.http.listen)
    return Settings(
        path=path.absolute(),
        config_hash=_hash(config),
        azure=resolve_azure(config.azure),
        database=database_url(config.database, around),
        http_host=host,
        http_port=port,
        plans=plans,
        freezes=freezes,
        reserve=resolve_reserve(config.throttle),
        warnings=(*cautions(root, plans), *(problem for problem, _ in hours)),
    )


def load_access(
    path: Path, environ: Mapping[str, str] = os.environ
) -> tuple[Access, tuple[Problem, ...]]:
    """Read what looking and braking need, whatever else is wrong with the configuration.

    Returns whole `Settings` where all is in order; else where the database and the door are, with
    what is wrong elsewhere. Raises `ConfigError` when it is not certain which database is meant.
    """
    try:
        return load(path, environ), ()
    except ConfigError as error:
        access = None if _touches_access(error.problems) else _access(path, environ)
        if access is None:
            raise
        return access, error.problems


_ACCESS = frozenset(AccessKeys.model_fields)


def _touches_access(problems: Sequence[Problem]) -> bool:
    return any(problem.key.partition(".")[0] in _ACCESS for problem in problems)


def _access(path: Path, environ: Mapping[str, str]) -> Access | None:
    """Read `database` and `http` alone. A file that cannot be read at all, or a key that nobody
    knows, may be where the database was meant to stand: then it must stand elsewhere."""
    found = [read(str(file), _content(file))[0] for file in _files(path)]
    roots = [node for node in found if isinstance(node, MapNode)]
    if not roots:
        return None
    root, _ = _merged(roots)
    sure = len(roots) == len(found) and not set(root.entries) - set(Config.model_fields)
    if "database" not in root.entries and not sure:
        return None
    given = {key: plain(node) for key, node in root.entries.items() if key in _ACCESS}
    around = _around(path, environ)
    try:
        keys = AccessKeys.model_validate(given, context=around)
    except ValidationError:  # told already, under the key that it is about
        return None
    host, port = read_listen(keys.http.listen)
    database = database_url(keys.database, around)
    return Access(path=path.absolute(), database=database, http_host=host, http_port=port)


def _around(path: Path, environ: Mapping[str, str]) -> Surroundings:
    folder = path if path.is_dir() else path.parent
    return Surroundings(folder.absolute(), environ)


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Keep the first problem of each key: a key without a value has no wrong type besides."""
    return list({(p.file, p.line, p.column, p.key): p for p in reversed(problems)}.values())


def _hash(config: Config) -> str:
    """Hash what the content means. Secrets are references here, so that none of them is in it."""
    # A percentage is kept as a number, which pydantic did not read from the file and warns about.
    content = config.model_dump(mode="json", exclude_none=True, warnings=False)
    content["plans"].sort(key=lambda plan: plan["name"])
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# -------------------------------------------------------------------------- one file, or several


def _root(path: Path) -> tuple[MapNode, list[Problem]]:
    """Read the file or folder into one mapping. Raises `ConfigError` when a file cannot be read."""
    roots: list[MapNode] = []
    problems: list[Problem] = []
    files = _files(path)
    unread = False
    for file in files:
        node, wrong = read(str(file), _content(file))
        problems += wrong
        match node:
            case MapNode():
                roots.append(node)
            case None:  # a file of comments only may lie in a folder
                unread = unread or bool(wrong)
            case _:
                unread = True
                problems.append(_no_mapping(file, node))
    if not unread and not roots:
        problems.append(_no_mapping(path, None))
    if unread or not roots:
        raise ConfigError(problems)
    merged, doubles = _merged(roots)
    return merged, [*problems, *doubles]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
    files = [file for file in found if not file.name.startswith(".")]
    if 0 < len(files) <= MOST_FILES:
        return files
    message = f"the folder holds {len(files)} *.yaml files, not 1 to {MOST_FILES}"
    raise ConfigError([Problem(file=str(path), message=message, fix="name a file, or add some")])


def _content(file: Path) -> bytes:
    """Read at most one byte more than may be read, so that a device cannot fill the memory."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        message, fix = "no such file", "name one with -c, or write one with `orchestrator init`"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message, fix = f"it cannot be read: {reason}", "check the path and its rights"
    raise ConfigError([Problem(file=str(file), message=message, fix=fix)])


def _no_mapping(file: Path, node: Node | None) -> Problem:
    fix = "write `key: value` lines; `orchestrator init` shows how"
    if node is None:
        return Problem(file=str(file), line=1, column=1, message="nothing is configured", fix=fix)
    found = "a text" if isinstance(node, Scalar) else shown(node)  # it may be a file of a secret
    return Problem(**node.mark._asdict(), message="not a mapping of keys", found=found, fix=fix)


def _merged(roots: Sequence[MapNode]) -> tuple[MapNode, list[Problem]]:
    """Join the files of a folder: plans are strung together, any other key stands in one file."""
    entries: dict[str, Node] = {}
    marks: dict[str, Mark] = {}
    problems: list[Problem] = []
    for root in roots:
        for key, node in root.entries.items():
            earlier, mark = entries.get(key), root.marks[key]
            if earlier is None:
                entries[key], marks[key] = node, mark
            elif key == "plans" and isinstance(earlier, ListNode) and isinstance(node, ListNode):
                items = (*earlier.items, *node.items)
                entries[key] = ListNode(earlier.mark, items, len(items), earlier.levels)
            else:
                there = f"{marks[key].file}:{marks[key].line}"
                message = f"this key stands in another file, too: {there}"
                fix = "keep one of them; only `plans` may stand in several files"
                problems.append(Problem(**mark._asdict(), key=key, message=message, fix=fix))
    first = roots[0]
    return MapNode(first.mark, entries, marks, first.size, first.levels), problems
