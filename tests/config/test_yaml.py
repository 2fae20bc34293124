"""YAML 1.2 as it is read here: what plain scalars mean, and what a hostile file cannot do."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.document import MOST_ALIASES, MOST_BYTES, MOST_LEVELS, MOST_VALUES, read
from orchestrator.config.nodes import plain
from orchestrator.config.scalars import resolve


def value_of(text: str) -> Any:
    node, problems = read("f.yaml", text.encode())
    assert not problems
    assert node
    return plain(node)


def refused(content: bytes) -> str:
    node, problems = read("f.yaml", content)
    assert node is None
    assert len(problems) == 1
    return problems[0].message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:30", "22:30"),
        ("1:20:30", "1:20:30"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("-7", -7),
        ("+4d", "+4d"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("25%", "25%"),
        ("-.inf", -math.inf),
        ("=", "="),
        ("9" * 5000, "9" * 5000),
        ("'12'", "12"),
        ('"null"', "null"),
    ],
)
def test_an_unquoted_scalar_means_what_yaml_1_2_says(text, value):
    assert value_of(f"k: {text}") == {"k": value}


@given(st.text(max_size=60))
def test_no_scalar_breaks_the_resolution(text):
    value = resolve(text)
    assert value is None or isinstance(value, str | int | float)


def test_keys_are_texts_whatever_they_look_like():
    assert value_of("{2024: a, no: b, 1.5: c, 'x': d}") == {
        "2024": "a",
        "no": "b",
        "1.5": "c",
        "x": "d",
    }


def test_an_alias_stands_for_its_value_and_keeps_its_place():
    assert value_of("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_every_duplicate_key_is_told_and_the_first_holds():
    node, problems = read("f.yaml", b"a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(p.line, p.key) for p in problems] == [(2, "a"), (3, "c")]
    assert node
    assert plain(node) == {"a": 1, "b": {"c": 1}}


def test_a_byte_order_mark_is_no_content():
    assert value_of("\ufeffa: 1") == {"a": 1}


def bomb(width: int, levels: int) -> bytes:
    rows = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels))
    return "\n".join(["a0: &a0 lol", *rows]).encode()


@pytest.mark.parametrize(
    "content",
    [bomb(9, 10), bomb(2, 25), bomb(3, 16), b"a: &a x\nb: [" + b"*a," * (MOST_ALIASES + 1) + b"]"],
)
def test_aliases_cannot_blow_a_file_up(content):
    assert "aliases" in refused(content) or "levels" in refused(content)


def test_as_many_aliases_as_allowed_are_read():
    assert len(value_of("a: &a x\nb: [" + "*a," * MOST_ALIASES + "]")["b"]) == MOST_ALIASES


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_has_an_end(opening):
    assert "levels" in refused((opening * (MOST_LEVELS + 1)).encode())
    assert "levels" in refused((opening * 100_000).encode())


def test_depth_through_aliases_has_an_end():
    inner = "[" * 11 + "]" * 11
    assert "levels" in refused(f"a: &a {inner}\nb: {'[' * 10}*a{']' * 10}\n".encode())


def test_size_has_an_end():
    assert "1 MiB" in refused(b"#" * (MOST_BYTES + 1))
    assert "values" in refused(b"[" + b"1," * (MOST_VALUES + 1) + b"]")


def test_a_file_at_its_limits_is_read():
    listed = value_of("[" + "1," * (MOST_VALUES - 1) + "]")
    assert isinstance(listed, list)
    assert len(listed) == MOST_VALUES - 1


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_breaks_the_reader(text):
    node, problems = read("f.yaml", text.encode())
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert node is None or plain(node) is not object


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content):
    _, problems = read("f.yaml", content)
    assert all(problem.message for problem in problems)
