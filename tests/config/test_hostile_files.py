"""Files that nobody wrote by hand: whatever they hold, the answer is settings or problems."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config.loading import load
from orchestrator.config.problems import ConfigError, Problem
from tests.config.kit import VM

GOOD = f"""\
azure: {{cloud: public, credential: default, api_version: 2025-04-01}}
database: sqlite:///x.db
http: {{listen: 127.0.0.1:8470}}
tracking: {{poll: 30s, settle: 15m, max_unknown: 3}}
defaults: {{timezone: Europe/Berlin, missed: {{policy: skip, grace: 30m}}}}
plans:
  - name: monthly
    schedule: {{patch_tuesday: +4d, at: "22:00", offset: -1h}}
    deadline: 14d
    patches: {{windows: {{classifications: [Critical], kb_exclude: [KB5034441]}}}}
    waves:
      - {{name: canary, select: {{ids: [{VM}]}}, allow_failures: 0, bake: 48h}}
      - {{select: {{tags: {{ring: [a, b]}}}}, max_parallel: 25%, allow_failures: {{percent: 2}}}}
"""
PIECES = ["", " ", "\n", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!int ", "'", '"', "null"]
PIECES += ["0", "-1", "1e999", ".nan", "true", "\t", "#", "%", "|\n", "?", "<<", "\u202e", "é"]
PIECES += [
    "name",
    "waves",
    "select",
    "cron",
    "limits",
    "${HOME}",
    "file:",
    "/",
    "2d",
    "99999999999d",
]
EDITS = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(PIECES),
)
KEYS = ["azure", "cloud", "plans", "waves", "select", "ids", "tags", "schedule", "cron", "name"]
KEYS += ["defaults", "bake", "allow_failures", "max_parallel", "patches", "windows", "count", "x"]
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
QUIET = settings(
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def judged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    problems: tuple[Problem, ...] = ()
    try:
        assert load(path, {}).plans
    except ConfigError as error:
        problems = error.problems
    lines = content.count(b"\n") + content.count(b"\r") + 2
    assert all(problem.message and problem.fix for problem in problems)
    assert all(1 <= problem.line <= lines for problem in problems)


def test_the_file_that_is_edited_is_in_order(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(GOOD)
    assert load(path, {}).plans[0].spec.name == "monthly"


@QUIET
@given(edits=EDITS)
def test_a_file_with_slips_is_loaded_or_explained(tmp_path, edits):
    text = GOOD
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    judged(tmp_path / "fleet.yaml", text.encode())


@QUIET
@given(tree=TREES)
def test_a_file_of_any_shape_is_loaded_or_explained(tmp_path, tree):
    judged(tmp_path / "fleet.yaml", repr_yaml({"plans": tree, "azure": tree}).encode())


def repr_yaml(value: object) -> str:
    """Write a tree in flow style; texts unquoted when that is possible, to meet the resolver."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {repr_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(repr_yaml(item) for item in value) + "]"
    if isinstance(value, str) and not value.isidentifier():
        return "'" + value.replace("'", "''") + "'"
    return "null" if value is None else str(value)
