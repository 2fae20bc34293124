"""The repository as the house tests read it: files, imports, lines of code. It judges nothing."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OURS = {"__pycache__", "build", "dist", "htmlcov", "node_modules"}
NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Return every text file of the tree; of the hidden folders only the one that CI runs."""
    return tuple(path for path in _below(ROOT) if b"\0" not in path.read_bytes())


@cache
def modules(folder: str = ".") -> tuple[Path, ...]:
    """Return the Python files below a folder."""
    root = ROOT / folder
    return tuple(path for path in files() if path.suffix == ".py" and path.is_relative_to(root))


@cache
def text(path: Path) -> str:
    """Return what a file says."""
    return path.read_text("utf-8", errors="replace")


@cache
def parse(path: Path) -> ast.Module:
    """Return a Python file's syntax tree."""
    return ast.parse(text(path), str(path))


def name(path: Path) -> str:
    """Return how a message names a file."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    """Yield every function of a Python file, the inner ones too."""
    return (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def imports(path: Path) -> Iterator[str]:
    """Yield what a Python file imports, as dotted names: of `from a import b` it is `a.b`."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every comment of a Python file."""
    return (
        (token.start[0], token.string) for token in _tokens(path) if token.type == tokenize.COMMENT
    )


@cache
def code_lines(path: Path) -> frozenset[int]:
    """Return the numbers of the lines that hold code: no blank one, no comment, no docstring."""
    code = chain.from_iterable(
        range(token.start[0], token.end[0] + 1)
        for token in _tokens(path)
        if token.type not in NO_CODE
    )
    return frozenset(code) - frozenset(_docstring_lines(parse(path)))


def length(path: Path, function: Function) -> int:
    """Return how many lines of code a function of the file has, its decorators left out."""
    lines = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    return len(code_lines(path).intersection(lines))


def _tokens(path: Path) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text(path)).readline)


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node):
            says = node.body[0]
            yield from range(says.lineno, (says.end_lineno or says.lineno) + 1)


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name == ".ci" or not (path.name.startswith(".") or path.name in NOT_OURS):
                yield from _below(path)
        elif path.is_file():
            yield path
