"""What ships beside the code: the examples, the JSON schema, and the page about the keys."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none

from orchestrator.config.document import read
from orchestrator.config.explaining import models_in
from orchestrator.config.keys import Keys, names_of
from orchestrator.config.later import KEYS
from orchestrator.config.loading import load
from orchestrator.config.models import Config
from orchestrator.config.nodes import plain
from orchestrator.config.schema import schema_text
from tests.config.kit import PLAN

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "config").glob("*.yaml"))
ENVIRON = {"DATABASE_PASSWORD": "x", "SIMULATOR_TOKEN": "x"}
DRAFT = Draft202012Validator(json.loads(schema_text()))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_in_order_without_a_warning(path):
    assert load(path, ENVIRON).warnings == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_the_schema_which_it_names(path):
    node, _ = read(path.name, path.read_bytes())
    assert node
    assert not list(DRAFT.iter_errors(plain(node)))
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=./schema.json\n")


def test_there_is_an_example_of_each_kind():
    assert {path.stem for path in EXAMPLES} == {"starter", "rings", "patch-tuesday", "simulator"}


def test_the_committed_schema_is_the_generated_one():
    Draft202012Validator.check_schema(json.loads(schema_text()))
    assert (ROOT / "config" / "schema.json").read_text("utf-8") == schema_text(), (
        "run: orchestrator schema > config/schema.json"
    )


WRONG = [PLAN + "databse: x", PLAN.replace("ring: canary", "ring: 1"), "plans: []", "{}"]
WRONG += [PLAN + "defaults: {bake: 3}", PLAN + "defaults: {bake: }", PLAN + "tracking: {poll: x}"]


@pytest.mark.parametrize("text", WRONG)
def test_the_schema_refuses_what_an_editor_can_see(text):
    node, _ = read("f.yaml", text.encode())
    assert node
    assert list(DRAFT.iter_errors(plain(node)))


def test_what_init_writes_is_the_starter_example():
    shipped = ROOT / "orchestrator" / "config" / "starter.yaml"
    assert shipped.read_bytes() == (ROOT / "config" / "starter.yaml").read_bytes()


def every_key() -> set[str]:
    """The names of all keys of all models."""
    keys: set[str] = set()
    waiting: list[type[Keys]] = [Config]
    seen: list[type[Keys]] = []
    while waiting:
        model = waiting.pop()
        seen.append(model)
        keys |= set(names_of(model))
        inner = [m for field in model.model_fields.values() for m in models_in(field.annotation)]
        waiting += [each for each in inner if each not in seen]
    return keys


def test_the_page_explains_every_key():
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert not [key for key in sorted(every_key()) if f"`{key}`" not in page]


def test_the_page_names_every_key_that_comes_later():
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert not [key for key in sorted(KEYS) if f"`{key}`" not in page]


def test_no_key_is_both_known_and_coming_later():
    assert not every_key() & KEYS
