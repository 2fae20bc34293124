"""What a body may say. Every problem is told at once, and nothing that is given is ignored."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.record import Emergency
from orchestrator.http.asking import Fleet, OpenPlan, Schedule, Steer, Unclear, read

DEEP = b"[" * 30_000


def problems(body: object) -> tuple[str, ...]:
    found = read(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(found, Unclear), found
    return found.problems


def understood(**body: object) -> Steer:
    found = read(json.dumps(body).encode())
    assert isinstance(found, Steer), found
    return found


def test_every_problem_is_told_at_once():
    told = problems({"act": "resolve", "as": "fine", "vms": [], "plan": "x", "color": 1, "id": "7"})
    assert {problem.partition(":")[0] for problem in told} == {
        "as",
        "because",
        "vms",
        "plan",
        "color",
        "id",
    }


@pytest.mark.parametrize(
    "act", ["resume", "halt", "cancel", "retry", "resolve", "approve", "skip", "set"]
)
@pytest.mark.parametrize("because", [None, "", " \n "])
def test_every_act_but_pause_and_run_needs_a_reason(act, because):
    told = problems({"act": act, "because": because, "as": "failed"})
    assert any(problem.startswith("because: ") for problem in told)


def test_pause_needs_nothing_and_run_needs_a_plan():
    assert understood(act="pause").run is None
    assert read(b'{"act": "run", "plan": "monthly"}') == OpenPlan(plan="monthly", actor="local")
    assert problems({"act": "run"}) == ("plan: run needs it",)


@pytest.mark.parametrize(("act", "halt"), [("halt", True), ("resume", False)])
def test_all_means_the_whole_fleet_and_no_run(act, halt):
    found = read(json.dumps({"act": act, "all": True, "because": "x", "actor": "kim"}).encode())
    assert found == Fleet(halt=halt, actor="kim", because="x")
    told = problems({"act": act, "all": True, "run": "monthly-1", "because": "x"})
    assert told == (f"all: {act} takes a run or all, not both",)
    assert problems({"act": act, "all": True}) == (f"because: {act} needs it",)


@pytest.mark.parametrize("wrong", [False, 0, 2, "yes", "true"])
def test_all_is_true_or_not_there(wrong):
    assert problems({"act": "halt", "all": wrong, "because": "x"})[0].startswith("all: ")


@pytest.mark.parametrize("act", ["pause", "cancel", "retry", "resolve", "run"])
def test_only_halt_and_resume_mean_the_whole_fleet(act):
    told = problems({"act": act, "all": True, "because": "x", "as": "failed", "plan": "m"})
    assert f"all: {act} does not take it" in told


def test_skip_needs_to_know_what_so_that_nothing_is_skipped_by_leaving_it_out():
    told = problems({"act": "skip", "because": "x"})
    assert told == ("vms: skip needs vms, a wave or a reason_code",)
    assert understood(act="skip", because="x", wave="canary").wave == "canary"


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "0", "0%", "101%", "many", "", [], {}])
def test_set_needs_a_number_at_which_something_can_start(wrong):
    told = problems({"act": "set", "because": "x", "max_parallel": wrong})
    assert [problem for problem in told if problem.startswith("max_parallel")]
    assert problems({"act": "set", "because": "x"}) == ("max_parallel: set needs it",)


def test_resolve_needs_to_know_as_what():
    assert problems({"act": "resolve", "because": "x"}) == ("as: resolve needs it",)


@pytest.mark.parametrize(
    ("act", "key", "value"),
    [
        ("pause", "vms", ["vm-1"]),
        ("halt", "wave", "canary"),
        ("cancel", "reason_code", "busy"),
        ("resume", "as", "failed"),
        ("retry", "as", "failed"),
        ("retry", "plan", "monthly"),
        ("run", "run", "monthly-1"),
        ("run", "vms", ["vm-1"]),
    ],
)
def test_what_an_act_would_ignore_is_refused(act, key, value):
    needed = {"plan": "monthly"} if act == "run" else {"because": "x"}
    assert problems({"act": act, **needed, key: value}) == (f"{key}: {act} does not take it",)


def test_an_empty_list_of_vms_does_not_mean_all_of_them():
    assert any("vms" in told for told in problems({"act": "retry", "because": "x", "vms": []}))


def test_line_breaks_of_a_reason_become_spaces():
    assert understood(act="halt", because=" two\n lines\t").because == "two lines"


@pytest.mark.parametrize("key", ["because", "actor", "run"])
@pytest.mark.parametrize("foreign", ["\x1b[2J", "a\x00b", "a\u202eb", "\x9b", "a\u2066b"])
def test_what_steers_a_terminal_or_turns_text_is_refused(key, foreign):
    told = problems({"act": "halt", "because": "x", key: foreign})
    assert [problem.partition(":")[0] for problem in told] == [key]
    assert "\x1b" not in told[0]


def test_a_lone_surrogate_is_refused():
    assert problems(b'{"act": "halt", "because": "\\ud800"}')


@pytest.mark.parametrize("text", ["Größe", "\N{FAMILY}\u200d\N{BOY}", "原因"])
def test_people_write_as_they_do(text):
    assert understood(act="halt", because=text).because == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"halt"',
        b"1" * 60_000,
        DEEP,
        DEEP.replace(b"[", b'{"a":'),
        b'{"act": "halt", "act": "cancel", "because": "x"}',
        b'{"act": 1}',
        b'{"act": ["halt"]}',
        b'{"act": null}',
        b'{"act": "approve"}',
        b'{"act": "pause", "run": 7}',
        b'{"act": "pause", "id": 7}',
        b'{"act": "retry", "because": "x", "vms": "vm-1"}',
        b'{"act": "retry", "because": "x", "vms": [1]}',
        b'{"act": "pause", "run": "' + b"x" * 5000 + b'"}',
    ],
)
def test_a_body_that_makes_no_sense_is_told_in_few_words(body):
    assert 0 < len("; ".join(problems(body))) < 500


def test_a_key_that_stands_twice_is_refused():
    assert "twice" in problems(b'{"act": "pause", "run": "a", "run": "b"}')[0]


def test_a_thousand_problems_are_not_all_told():
    told = problems({"act": "pause", **{f"k{'x' * 200}{n}": n for n in range(1000)}})
    assert len(told) <= 20
    assert max(len(problem) for problem in told) < 200


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(body):
    assert isinstance(read(body), Steer | Fleet | OpenPlan | Unclear)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=4), each),
    max_leaves=5,
)
_KEYS = ["act", "run", "plan", "vms", "wave", "reason_code", "as", "because", "actor", "id"]


@given(
    st.sampled_from(["pause", "halt", "retry", "resolve", "run"]),
    st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=5),
)
def test_no_json_is_too_strange(act, body):
    assert isinstance(
        read(json.dumps({"act": act} | body).encode()), Steer | Fleet | OpenPlan | Unclear
    )


def test_an_emergency_names_who_approved_it_and_why():
    body = {"act": "run", "plan": "zero-day", "approved_by": "the CISO", "because": "a CVE"}
    assert read(json.dumps(body).encode()) == OpenPlan(
        plan="zero-day", actor="local", emergency=Emergency(approved_by="the CISO", because="a CVE")
    )
    del body["because"]
    assert problems(body) == ("because: a run that somebody approved needs it",)
    assert problems({**body, "approved_by": " ", "because": "x"})[0].startswith("approved_by: ")


def test_a_schedule_is_disabled_until_a_time_with_its_offset_and_enabled():
    body = {"act": "disable", "plan": "monthly", "because": "Christmas", "actor": "kim"}
    found = read(json.dumps({**body, "until": "2026-12-24T18:00:00+01:00"}).encode())
    assert found == Schedule(
        plan="monthly",
        enable=False,
        until=datetime(2026, 12, 24, 17, tzinfo=UTC),
        actor="kim",
        because="Christmas",
    )
    assert problems({**body, "until": "2026-12-24T18:00:00"})[0].startswith("until: ")
    assert problems({"act": "enable", "plan": "monthly"}) == ("because: enable needs it",)
    told = problems({**body, "act": "enable", "until": "2026-12-24T18:00:00Z"})
    assert told == ("until: enable does not take it",)
