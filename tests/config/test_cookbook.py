"""The cookbook: each file of it is a valid configuration, and does what its page says."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none

from orchestrator.config.document import read
from orchestrator.config.loading import load
from orchestrator.config.nodes import plain
from orchestrator.config.schema import schema_text
from orchestrator.config.settings import Settings
from orchestrator.domain.model import Reboot, Warnings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "cookbook"
RECIPES = sorted(FOLDER.glob("*.yaml"))
DRAFT = Draft202012Validator(json.loads(schema_text()))
PAGE = (ROOT / "docs" / "cookbook.md").read_text("utf-8")


def loaded(name: str) -> Settings:
    return load(FOLDER / f"{name}.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_is_valid_without_a_warning(path):
    settings = load(path)
    assert settings.plans
    assert [str(warning) for warning in settings.warnings] == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_completes_in_an_editor_and_is_on_the_page(path):
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=../schema.json\n")
    assert f"(../config/cookbook/{path.name})" in PAGE


def test_there_are_ten_and_more():
    assert len(RECIPES) >= 10


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_fits_the_schema(path):
    node, _ = read(path.name, path.read_bytes())
    assert node
    assert not list(DRAFT.iter_errors(plain(node)))


def test_one_domain_controller_of_a_domain_is_patched_at_a_time():
    (plan,) = loaded("domain-controllers").plans
    assert [(limit.kind, limit.most.count) for limit in plan.spec.limits.per] == [
        ("tag:ad-domain", 1)
    ]
    assert plan.spec.waves[1].approve is not None


def test_the_last_ring_begins_with_one_vm():
    waves = loaded("rings").plans[0].spec.waves
    assert [step.count for step in waves[2].ramp] == [1, 5, 20, None]
    assert waves[0].check


def test_vms_are_patched_by_day_and_restarted_in_a_night_of_their_own():
    for wave in loaded("reboots-at-night").plans[0].spec.waves:
        assert wave.reboot is Reboot.NEVER
        assert wave.staged is not None
        (night,) = wave.staged.hours.windows
        assert (night.start.hour, night.days) == (2, (5,))
        assert {window.start.hour for window in wave.hours.windows} == {9}


def test_an_emergency_is_opened_by_hand_and_overrides_a_freeze():
    settings = loaded("zero-day-tonight")
    (plan,) = settings.plans
    assert (plan.emergency, plan.schedule) == (True, None)
    assert settings.freezes.fixed


def test_the_change_boards_calendar_is_read():
    freezes = loaded("change-freezes").freezes.from_(datetime(2026, 12, 1, tzinfo=UTC))
    assert {each.name for each in freezes} == {"end of the year", "Quarter end", "Data centre move"}


def test_a_regulated_wave_waits_for_a_name_and_breaks_as_few_as_can_be():
    wave = loaded("regulated").plans[0].spec.waves[1]
    assert wave.approve is not None
    assert wave.allow_failures is not None
    assert wave.allow_failures.strict
    assert wave.warnings is Warnings.FAIL
