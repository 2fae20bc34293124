"""Budgets, limits and the order of starts: from what is written to what the domain knows."""

import pytest

from orchestrator.domain.model import Rate, Share, Tolerance
from tests.config.kit import VM, loaded, the_wave


def the_plan(tmp_path, keys):
    text = f"plans: [{{name: p, {keys}, waves: [{{select: {{ids: {VM}}}}}]}}]\n"
    return loaded(tmp_path, text).plans[0]


@pytest.mark.parametrize(
    ("written", "tolerance"),
    [
        ("3", Tolerance(count=3)),
        ("0", Tolerance(count=0)),
        ("10%", Tolerance(percent=10)),
        ('"2.5 %"', Tolerance(percent=2.5)),
        ("{count: 3}", Tolerance(count=3)),
        ("{count: 3, percent: 2}", Tolerance(count=3, percent=2)),
        ("{percent: 2.5%}", Tolerance(percent=2.5)),
        ("{count: 3, in_a_row: 2}", Tolerance(count=3, in_a_row=2)),
        ("{percent: 2, budget: strict}", Tolerance(percent=2, strict=True)),
        ("{count: 3, quarantine: true}", Tolerance(count=3, quarantine=True)),
        ("{in_a_row: 3, quarantine: false}", Tolerance(in_a_row=3)),
        ("{rate: {percent: 30}}", Tolerance(rate=Rate(percent=30))),
        (
            "{rate: {percent: 30%, last: 9, min_sample: 4}}",
            Tolerance(rate=Rate(percent=30, last=9, min_sample=4)),
        ),
    ],
)
def test_allow_failures_is_what_its_wave_or_plan_says(tmp_path, written, tolerance):
    assert the_wave(tmp_path, f"allow_failures: {written}").allow_failures == tolerance
    assert the_plan(tmp_path, f"allow_failures: {written}").spec.allow_failures == tolerance


def test_a_wave_may_be_strict_about_the_default_of_its_size(tmp_path):
    found = the_wave(tmp_path, "allow_failures: {budget: strict}").allow_failures
    assert found == Tolerance(strict=True)


def test_a_wave_may_hold_a_group_back_by_the_default_of_its_size(tmp_path):
    found = the_wave(tmp_path, "allow_failures: {quarantine: true}").allow_failures
    assert found == Tolerance(quarantine=True)


@pytest.mark.parametrize("budget", ["count: 0", "count: 3, in_a_row: 1"])
def test_a_budget_that_breaks_before_a_group_shows_is_warned_of(tmp_path, budget):
    """In a wave and in a plan, at the line where it stands."""
    said = f"allow_failures: {{{budget}, quarantine: true}}"
    wave = f"plans:\n- name: p\n  waves:\n  - select: {{ids: {VM}}}\n    {said}\n"
    plan = f"plans:\n- name: p\n  {said}\n  waves: [{{select: {{ids: {VM}}}}}]\n"
    for text, line in ((wave, 5), (plan, 3)):
        (warning,) = loaded(tmp_path, text).warnings
        assert (warning.line, "two are needed" in warning.message) == (line, True)
        assert warning.key.endswith("allow_failures.quarantine")
        assert warning.fix


def test_every_plan_has_the_limits_of_the_file(tmp_path):
    plans = "plans: [{name: a, waves: [{select: {tags: {r: a}}}]}]\n"
    said = 'limits: {in_flight: 400, per: {zone: 50%, subscription: 9, "tag:Cluster": 1}}\n'
    limits = loaded(tmp_path, said + plans).plans[0].spec.limits
    assert limits.in_flight == 400
    assert {each.kind: each.most for each in limits.per} == {
        "zone": Share(percent=50),
        "subscription": Share(count=9),
        "tag:Cluster": Share(count=1),
    }


@pytest.mark.parametrize("order", ["as_listed", "longest_first", "shuffle"])
def test_the_order_of_starts_may_stand_where_max_parallel_may(tmp_path, order):
    assert the_wave(tmp_path, f"order: {order}").order == order
    assert the_plan(tmp_path, f"order: {order}").spec.waves[0].order == order


def test_vms_are_started_as_listed_unless_told_otherwise(tmp_path):
    assert the_wave(tmp_path, "max_parallel: 2").order == "as_listed"
