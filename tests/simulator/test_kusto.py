"""The query language: what is understood, what is refused, and never a guess."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.simulator.kusto import parse
from orchestrator.simulator.kusto_run import pinned, run
from orchestrator.simulator.kusto_values import KustoError

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
COLUMNS = ("id", "name", "type", "properties")
ROWS = [
    {
        "id": f"/Subs/VM-{name}/Results/{name}",
        "name": name,
        "type": "a/b",
        "properties": {"n": number, "at": at, "by": by, "deep": {"list": [1, 2]}},
    }
    for name, number, at, by in (
        ("one", 1, "2026-11-22T17:30:00.1234567Z", "User"),
        ("two", 2, "2026-11-22T10:00:00-05:00", "Platform"),
        ("three", None, None, ""),
    )
]


def names(stages):
    query = parse(f"t | {stages}" if stages else "t", COLUMNS)
    return [row["name"] for row in run(query, ROWS, NOW)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name == 'one'", ["one"]),
        ("name == 'ONE'", []),
        ("name =~ 'ONE'", ["one"]),
        ("name != 'one'", ["two", "three"]),
        ("name !~ 'ONE'", ["two", "three"]),
        ("id startswith '/subs/vm-t'", ["two", "three"]),
        ("id endswith 'ONE'", ["one"]),
        ("id contains 'm-tw'", ["two"]),
        ("id has 'two'", ["two"]),
        ("id has 'tw'", []),
        ("name in ('one', 'THREE')", ["one"]),
        ("name in~ ('one', 'THREE')", ["one", "three"]),
        ("type =~ 'A/B' and name == \"two\"", ["two"]),
        ("name == 'one' or name == 'two' and type == 'x'", ["one"]),
        ("(name == 'one' or name == 'two') and type == 'a/b'", ["one", "two"]),
        ("not(name == 'one')", ["two", "three"]),
        ("properties.n >= 2", ["two"]),
        ("properties['n'] < 2", ["one"]),
        ("properties.deep.list[1] == 2 and name == 'one'", ["one"]),
        ("properties.deep.list[7] == 2", []),
        ("properties.nothing == 2", []),
        ("isnull(properties.n)", ["three"]),
        ("isnotnull(properties.n)", ["one", "two"]),
        ("isempty(properties.by)", ["three"]),
        ("todatetime(properties.at) > ago(2h)", ["one"]),
        ("todatetime(properties.at) > ago(1d)", ["one", "two"]),
        ("todatetime(properties.at) >= datetime(2026-11-22T15:00:00Z)", ["one", "two"]),
        ("todatetime(properties.at) > now()", []),
        (
            "isnull(todatetime(properties.at)) or todatetime(properties.at) > ago(2h)",
            ["one", "three"],
        ),
        ("coalesce(properties.by, 'nobody') == 'nobody'", ["three"]),
        ("tolower(tostring(split(id, '/Results/')[0])) == '/subs/vm-one'", ["one"]),
        ("toint(properties.n) == 1 // a remark", ["one"]),
        ("true", ["one", "two", "three"]),
    ],
)
def test_a_condition_keeps_the_rows_for_which_it_holds(condition, expected):
    assert names(f"where {condition}") == expected


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r"'it\'s'", "it's"),
        (r'"a \"b\""', 'a "b"'),
        (r"'back\\slash'", "back\\slash"),
        ("@'it''s'", "it's"),
        (r"@'c:\d'", r"c:\d"),
        ("'a | b // c'", "a | b // c"),
    ],
)
def test_a_string_means_what_it_says(literal, text):
    (row,) = run(parse(f"t | project x = {literal}", COLUMNS), [ROWS[0]], NOW)
    assert row == {"x": text}


def test_columns_are_named_added_and_dropped():
    query = parse("t | extend p = properties, n = 3 | project name, p, n | take 1", COLUMNS)
    assert run(query, ROWS, NOW) == [{"name": "one", "p": ROWS[0]["properties"], "n": 3}]


def test_rows_are_sorted_downwards_unless_told_otherwise():
    assert names("order by name") == ["two", "three", "one"]
    assert names("order by name asc") == ["one", "three", "two"]
    assert names("sort by properties.n asc, name desc") == ["three", "one", "two"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "| where true",
        "t |",
        "t | where",
        "t | where name ==",
        "t | where nobody == 'x'",
        "t | project name | where id == 'x'",
        "t | where name = 'one'",
        "t | where name == 'one",
        "t | where name == 'one'' or '1'",
        "t | where name == 'a' 'b'",
        "t | where name matches regex '.*'",
        "t | where strlen(name) > 3",
        "t | where tolower() == 'x'",
        "t | where name > 3",
        "t | where ago(name) > now()",
        "t | summarize count() by name",
        "t | join (t) on name",
        "t | take many",
        "t; t",
        "let x = 1; t",
        "t | where name == 'a' | drop table t",
    ],
)
def test_what_is_not_simulated_is_refused(query):
    with pytest.raises(KustoError):
        run(parse(query, COLUMNS), ROWS, NOW)


@given(st.text(alphabet="t|where nam='\\\"@()[].,=~<>12dh/*\n", max_size=40))
def test_no_text_breaks_the_reader(text):
    try:
        run(parse(f"t | where {text}", COLUMNS), ROWS, NOW)
    except KustoError:
        return


@pytest.mark.parametrize(
    ("stages", "prefix"),
    [
        ("where id startswith '/Subs/X'", "/subs/x"),
        ("where type == 'y' and id =~ '/Subs/X'", "/subs/x"),
        ("where type == 'y' | where id == '/Subs/X'", "/subs/x"),
        ("where id startswith '/Subs/X' or name == 'one'", None),
        ("where not(id startswith '/Subs/X')", None),
        ("extend id = 'y' | where id startswith '/Subs/X'", None),
        ("project id", None),
    ],
)
def test_a_query_for_one_resource_is_known_as_such(stages, prefix):
    assert pinned(parse(f"t | {stages}", COLUMNS), "id") == prefix
