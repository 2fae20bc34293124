"""What `diff` says of two configurations: every key that differs, as a file writes it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from orchestrator.config.comparing import Difference, differences
from orchestrator.config.explaining import models_in
from orchestrator.config.keys import Keys, names_of
from orchestrator.config.models import Config
from tests.config.changes import FOR_A_PLAN, FOR_A_WAVE, FOR_ALL, OWN
from tests.config.kit import GROUP, OTHER_VM, loaded

NOW = datetime(2026, 10, 1, tzinfo=UTC)
TOKEN = "hush-hush-hush"
EVERYWHERE = {"TOKEN": TOKEN, "OTHER_TOKEN": TOKEN, "PW": TOKEN, "OTHER_PW": f"{TOKEN}-2"}
WAVE = "select: {tags: {ring: canary}}"

ELSEWHERE = {"name", "select", "plans", "waves", "from", "to", "fixed_token", "holidays"}
"""Keys with a test of their own below, that name what differs, or that come to a freeze as others
do."""


def a_file(top: str = "", plan: str = "", wave: str = "") -> str:
    between = [", " if keys else "" for keys in (plan, wave)]
    waves = f"waves: [{{{WAVE}{between[1]}{wave}}}]"
    return f"{top}\nplans: [{{name: p, {plan}{between[0]}{waves}}}]\n"


def told(folder, old: str, new: str) -> list[str]:
    """Return the lines of `diff`, as near as matters here."""
    (folder / "days.ics").write_text(CALENDAR)
    before, after = (loaded(folder, text, **EVERYWHERE) for text in (old, new))
    return [line(each) for each in differences(before, after, NOW)]


def line(each: Difference) -> str:
    plan = f"plan {each.plan} " if each.plan else ""
    return f"{plan}{each.key}: {each.before or 'not set'} -> {each.after or 'not set'}"


CALENDAR = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
SUMMARY:Fair
DTSTART;VALUE=DATE:20261102
DTEND;VALUE=DATE:20261104
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(("keys", "expected"), FOR_ALL)
def test_what_changes_for_every_plan_is_told_as_a_file_writes_it(tmp_path, keys, expected):
    assert told(tmp_path, a_file(), a_file(top=keys)) == [expected]


@pytest.mark.parametrize(("keys", "expected"), FOR_A_PLAN)
def test_what_changes_of_a_plan_is_told_as_a_file_writes_it(tmp_path, keys, expected):
    assert f"plan p {expected}" in told(tmp_path, a_file(), a_file(plan=keys))


@pytest.mark.parametrize(("keys", "expected"), FOR_A_WAVE)
def test_what_changes_of_a_wave_is_told_as_a_file_writes_it(tmp_path, keys, expected):
    assert f"plan p waves[1].{expected}" in told(tmp_path, a_file(), a_file(wave=keys))


def keys_of(model: type[Keys], seen: set[type[Keys]]) -> Iterator[str]:
    seen.add(model)
    for name, field in names_of(model).items():
        inner = [each for each in models_in(field.annotation) if each not in seen]
        if not models_in(field.annotation):
            yield name
        for each in inner:
            yield from keys_of(each, seen)


def test_every_key_that_a_file_may_have_is_told_when_it_changes():
    shown = "\n".join(keys for keys, _ in (*FOR_ALL, *FOR_A_PLAN, *FOR_A_WAVE))
    found = set(keys_of(Config, set()))
    assert {name for name in found - ELSEWHERE if f"{name}:" not in shown} == set()


def test_two_files_that_mean_the_same_differ_in_nothing(tmp_path):
    terse = a_file(wave="bake: 2h")
    wordy = a_file(
        top="defaults: {bake: PT120M, max_duration: 90m}\nthrottle: {reserve: 20%}",
        plan="overlap: skip",
    )
    assert told(tmp_path, terse, wordy) == []


def test_a_value_in_a_window_or_a_gate_is_seen_to_change(tmp_path):
    old, new = 'window: {start: "22:00", length: 4h}', 'window: {start: "22:00", length: 6h}'
    assert told(tmp_path, a_file(wave=old), a_file(wave=new)) == [
        f"plan p waves[1].{old} -> {new.removeprefix('window: ')}"
    ]
    two = f"window: [{old.removeprefix('window: ')}, {new.removeprefix('window: ')}]"
    (only,) = told(tmp_path, a_file(wave=old), a_file(wave=two))
    assert only.endswith(f" -> {two.removeprefix('window: ')}")


def test_a_changed_token_or_password_is_named_and_never_shown(tmp_path):
    cloud = f'cloud: {{endpoint: "{OWN}:1"}}'
    old = a_file(
        top=f"azure: {{{cloud}, credential: {{fixed_token: TOKEN}}}}\n"
        "database: postgresql://me:${PW}@host/db"
    )
    lines = told(tmp_path, old, old.replace("TOKEN", "OTHER_TOKEN").replace("${PW}", "${OTHER_PW}"))
    assert lines == [
        "azure.credential: {fixed_token: TOKEN} -> {fixed_token: OTHER_TOKEN}",
        (
            'database: "postgresql://me:[redacted]@host/db" -> "postgresql://me:[redacted]@host/db",'
            " and what is hidden differs"
        ),
    ]
    assert TOKEN not in "".join(lines)


def test_a_password_of_any_length_is_not_shown(tmp_path):
    url = f"postgresql://me:{'x' * 9_000}@host/db?password={'y' * 9_000}"
    old, new = (loaded(tmp_path, a_file(top=top), URL=url) for top in ("", "database: ${URL}"))
    (only,) = differences(old, new, NOW)
    assert "xx" not in only.after
    assert "yy" not in only.after
    assert only.after.startswith('"postgresql://me:[redacted]@host/db?password=[redacted]')


def test_a_copy_of_a_file_in_another_folder_differs_in_nothing(tmp_path):
    (tmp_path / "copy").mkdir()
    text = a_file(top="database: sqlite:///state/fleet.db")
    here, there = loaded(tmp_path, text), loaded(tmp_path / "copy", text)
    assert here.database != there.database
    assert list(differences(here, there, NOW)) == []


def test_a_key_in_the_url_of_a_gate_is_hidden_and_its_change_is_not(tmp_path):
    gates = [f'check: [{{http: "https://a.example/x?code={code}"}}]' for code in ("aaaa", "bbbb")]
    (only,) = told(tmp_path, *(a_file(wave=gate) for gate in gates))
    assert only == (
        'plan p waves[1].check[1]: {http: "https://a.example/x?code=[redacted]"} ->'
        ' {http: "https://a.example/x?code=[redacted]"}, and what is hidden differs'
    )


def test_waves_that_come_go_or_change_places_are_told_in_one_line(tmp_path):
    canary, broad, late = (f"{{name: {name}, {WAVE}}}" for name in ("canary", "broad", "late"))
    plan = "plans: [{{name: p, waves: [{}]}}]".format
    both = plan(f"{canary}, {broad}")
    assert told(tmp_path, both, plan(f"{broad}, {canary}")) == [
        "plan p waves: [canary, broad] -> [broad, canary]"
    ]
    assert told(tmp_path, both, plan(canary)) == ["plan p waves: [canary, broad] -> [canary]"]
    lines = told(tmp_path, both, plan(f"{canary}, {broad}, {late}"))
    assert lines[0] == "plan p waves: [canary, broad] -> [canary, broad, late]"
    assert "plan p waves[late].select.tags.ring: not set -> canary" in lines


def test_a_plan_that_comes_and_one_that_goes_are_told_by_name(tmp_path):
    old = a_file()
    new = old.replace("name: p", "name: q")
    assert told(tmp_path, old, new) == ["plan q : not set -> new", "plan p : gone -> not set"]


def test_of_a_long_list_it_is_told_how_long_it_is_and_what_the_other_has_not(tmp_path):
    many = [f"{GROUP}/providers/Microsoft.Compute/virtualMachines/v{n}".lower() for n in range(30)]
    waves = [f"exclude: {{ids: [{', '.join(ids)}]}}" for ids in (many, [*many[1:], OTHER_VM])]
    assert told(tmp_path, *(a_file(wave=wave) for wave in waves)) == [
        (
            f"plan p waves[1].exclude.ids: 30 items with [{many[0]}] ->"
            f" 30 items with [{OTHER_VM.lower()}]"
        )
    ]
    turned = [waves[0], f"exclude: {{ids: [{', '.join(reversed(many))}]}}"]
    assert told(tmp_path, *(a_file(wave=wave) for wave in turned)) == [
        "plan p waves[1].exclude.ids: 30 items -> 30 items in another order"
    ]


def test_a_freeze_that_moves_is_told_and_one_that_has_ended_is_not(tmp_path):
    freezes = "freezes: [{{name: F, from: 2026-{0}, to: 2026-{0}}}]".format
    assert told(tmp_path, a_file(top=freezes("11-23")), a_file(top=freezes("11-24"))) == [
        (
            'freezes[F]: {from: "2026-11-23 00:00Z", to: "2026-11-24 00:00Z"} ->'
            ' {from: "2026-11-24 00:00Z", to: "2026-11-25 00:00Z"}'
        )
    ]
    assert told(tmp_path, a_file(top=freezes("08-01")), a_file()) == []
