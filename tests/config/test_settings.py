"""What a file in order becomes: every default filled in, the nearest place holding."""

from datetime import UTC, datetime, time, timedelta

import pytest

from orchestrator.config.settings import Overlap
from orchestrator.domain.model import (
    Reboot,
    Selection,
    Share,
    Tracking,
    Warnings,
)
from orchestrator.domain.schedule import Cron, Missed, MissedPolicy, PatchTuesday
from orchestrator.ports import CredentialKind
from tests.config.kit import OTHER_VM, PLAN, SUBSCRIPTION, VM, loaded, the_wave, write

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def the_plan(tmp_path, keys, above=""):
    text = f"{above}\nplans: [{{name: p, {keys}, waves: [{{select: {{ids: {VM}}}}}]}}]\n"
    return loaded(tmp_path, text).plans[0]


def test_the_shortest_configuration_has_every_default(tmp_path):
    settings = loaded(tmp_path, PLAN)
    assert settings.path == tmp_path / "fleet.yaml"
    assert settings.database == f"sqlite:///{tmp_path}/orchestrator.db"
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8470)
    assert (settings.azure.cloud, settings.azure.endpoint) == ("public", None)
    assert settings.azure.credential.kind is CredentialKind.DEFAULT
    assert settings.azure.api_version == "2025-04-01"
    assert settings.azure.subscriptions == ()
    (plan,) = settings.plans
    assert (plan.schedule, plan.overlap, plan.timezone) == (None, Overlap.SKIP, "UTC")
    assert plan.spec.tracking == Tracking()
    assert (plan.spec.deadline, plan.spec.min_interval) == (14 * DAY, 12 * HOUR)
    assert plan.spec.allow_failures is None
    (wave,) = plan.spec.waves
    assert wave.name == "1"
    assert wave.select == Selection(tags=(("ring", ("canary",)),))
    assert wave.exclude == Selection()
    assert (wave.max_parallel, wave.allow_failures) == (None, None)
    assert (wave.bake, wave.allow_empty) == (timedelta(0), False)
    assert (wave.max_duration, wave.reboot) == (90 * timedelta(minutes=1), Reboot.IF_REQUIRED)
    assert wave.warnings is Warnings.PASS
    assert settings.warnings == ()


def test_max_parallel_is_a_count_or_a_percentage(tmp_path):
    assert the_wave(tmp_path, "max_parallel: 200").max_parallel == Share(count=200)
    assert the_wave(tmp_path, "max_parallel: 25%").max_parallel == Share(percent=25)


@pytest.mark.parametrize(
    ("key", "texts", "values"),
    [
        ("max_duration", ("1h", "2h", "3h"), (HOUR, 2 * HOUR, 3 * HOUR)),
        ("reboot", ("never", "always", "if_required"), ("never", "always", "if_required")),
        ("warnings", ("fail", "pass", "fail"), ("fail", "pass", "fail")),
        ("bake", ("1h", "0s", "2h"), (HOUR, timedelta(0), 2 * HOUR)),
        ("max_parallel", ("1", "2%", "3"), (Share(count=1), Share(percent=2), Share(count=3))),
    ],
)
def test_the_nearest_of_wave_plan_and_defaults_holds(tmp_path, key, texts, values):
    far, near, own = (f"{key}: {text}" for text in texts)
    head = f"defaults: {{{far}}}\nplans:\n"
    only = loaded(tmp_path, f"{head}- {{name: p, waves: [{{select: {{ids: {VM}}}}}]}}\n")
    assert getattr(only.plans[0].spec.waves[0], key) == values[0]
    wave = f"select: {{ids: {VM}}}"
    both = loaded(tmp_path, f"{head}- {{name: p, {near}, waves: [{{{wave}}}, {{{wave}, {own}}}]}}")
    assert [getattr(w, key) for w in both.plans[0].spec.waves] == list(values[1:])


def test_what_concerns_a_plan_comes_from_the_plan_or_the_defaults(tmp_path):
    above = "defaults: {deadline: 2d, min_interval: 1h, missed: {policy: run_late, grace: 5m}}"
    schedule = "schedule: {cron: 0 22 * * *}"
    far = the_plan(tmp_path, schedule, above)
    assert (far.spec.deadline, far.spec.min_interval) == (2 * DAY, HOUR)
    assert far.schedule
    late = Missed(policy=MissedPolicy.RUN_LATE, grace=timedelta(minutes=5))
    assert far.schedule.missed == late
    keys = f"{schedule}, deadline: 3d, min_interval: 0s, missed: {{grace: 1h}}, overlap: skip"
    near = the_plan(tmp_path, keys, above)
    assert (near.spec.deadline, near.spec.min_interval) == (3 * DAY, timedelta(0))
    assert near.schedule
    assert near.schedule.missed == Missed(policy=MissedPolicy.RUN_LATE, grace=HOUR)


def test_the_zone_of_a_schedule_is_its_own_or_the_nearest(tmp_path):
    above = "defaults: {timezone: Europe/Berlin}"
    keys = "schedule: {cron: 0 22 * * *}"
    assert the_plan(tmp_path, keys).timezone == "UTC"
    assert the_plan(tmp_path, keys, above).timezone == "Europe/Berlin"
    assert the_plan(tmp_path, f"{keys}, timezone: Africa/Cairo", above).timezone == "Africa/Cairo"
    own = "schedule: {cron: 0 22 * * *, timezone: Asia/Tokyo}"
    plan = the_plan(tmp_path, own, above)
    assert plan.schedule
    assert plan.schedule.timezone == "Asia/Tokyo"


def test_a_schedule_is_cron_or_patch_tuesday_with_an_offset(tmp_path):
    cron = the_plan(tmp_path, "schedule: {cron: 0 2 * * TUE#2, offset: 3d}").schedule
    assert cron
    assert (cron.rule, cron.offset) == (Cron(expression="0 2 * * TUE#2"), 3 * DAY)
    keys = "schedule: {patch_tuesday: -1d, at: 9:05, offset: -30m}"
    tuesday = the_plan(tmp_path, keys).schedule
    assert tuesday
    assert tuesday.rule == PatchTuesday(days=-1, at=time(9, 5))
    assert tuesday.offset == timedelta(minutes=-30)


def test_patches_are_spelled_as_azure_spells_them(tmp_path):
    keys = (
        "patches: {windows: {classifications: [critical, UPDATEROLLUP], kb_include: kb4512508,"
        " kb_exclude: [KB890830], exclude_kbs_requiring_reboot: true, name_masks_include: 'a*?',"
        " max_publish_date: 2026-11-30, name_masks_exclude: [x]},"
        " linux: {classifications: [security, CRITICAL], package_masks_include: [kernel*],"
        " package_masks_exclude: ['a_1.*'], maintenance_run_id: r1}}, reboot: never"
    )
    patches = the_plan(tmp_path, keys).spec.patches
    assert patches.windows
    assert patches.windows.classifications == ("Critical", "UpdateRollUp")
    assert patches.windows.kb_include == ("KB4512508",)
    assert patches.windows.kb_exclude == ("KB890830",)
    assert patches.windows.exclude_kbs_requiring_reboot is True
    assert patches.windows.max_publish_date == datetime(2026, 11, 30, tzinfo=UTC)
    assert patches.windows.name_masks_include == ("a*?",)
    assert patches.windows.name_masks_exclude == ("x",)
    assert patches.linux
    assert patches.linux.classifications == ("Security", "Critical")
    assert patches.linux.package_masks_include == ("kernel*",)
    assert patches.linux.package_masks_exclude == ("a_1.*",)
    assert patches.linux.maintenance_run_id == "r1"


def test_a_time_with_an_offset_is_kept_in_utc(tmp_path):
    keys = "patches: {windows: {max_publish_date: 2026-11-30T01:00:00+02:00}}"
    windows = the_plan(tmp_path, keys).spec.patches.windows
    assert windows
    assert windows.max_publish_date == datetime(2026, 11, 29, 23, tzinfo=UTC)


def test_a_selection_is_in_one_spelling_without_doubles(tmp_path):
    text = (
        "plans:\n- name: p\n  waves:\n  - select:\n"
        f"      ids: [{VM}, {VM.upper()}, {OTHER_VM}/]\n"
        f"      subscriptions: {SUBSCRIPTION.upper()}\n"
        "      resource_groups: [RG-a, rg-A, b]\n"
        "      tags: {Ring: [Canary, early], app: Web}\n"
        f"    exclude: {{ids: {OTHER_VM}}}\n"
    )
    wave = loaded(tmp_path, text).plans[0].spec.waves[0]
    assert wave.select.ids == (VM.lower(), OTHER_VM.lower())
    assert wave.select.subscriptions == (SUBSCRIPTION,)
    assert wave.select.resource_groups == ("rg-a", "b")
    assert wave.select.tags == (("Ring", ("Canary", "early")), ("app", ("Web",)))
    assert wave.exclude.ids == (OTHER_VM.lower(),)


def test_tracking_may_be_fast_for_tests_and_demos(tmp_path):
    keys = "{poll: 50ms, settle: 0s, send_within: 1s, overdue: 1s, max_unknown: 9}"
    tracking = loaded(tmp_path, f"{PLAN}tracking: {keys}\n").plans[0].spec.tracking
    assert tracking == Tracking(
        poll=timedelta(milliseconds=50),
        settle=timedelta(0),
        send_within=timedelta(seconds=1),
        overdue=timedelta(seconds=1),
        max_unknown=9,
    )


@pytest.mark.parametrize(
    ("keys", "reserve"),
    [
        ("", 0.2),
        ("throttle: {}", 0.2),
        ("throttle: {reserve: 0%}", 0.0),
        ("throttle: {reserve: 12.5%}", 0.125),
        ("throttle: {reserve: 99.9%}", 0.999),
    ],
)
def test_a_fifth_of_azures_limits_is_left_to_others_or_what_is_said(tmp_path, keys, reserve):
    assert loaded(tmp_path, f"{PLAN}{keys}\n").reserve == pytest.approx(reserve)


# -------------------------------------------------------------------------- azure, database, http


@pytest.mark.parametrize("cloud", ["public", "usgov", "china"])
def test_a_cloud_with_a_name_needs_nothing_more(tmp_path, cloud):
    azure = loaded(tmp_path, f"{PLAN}azure: {{cloud: {cloud}}}\n").azure
    assert (azure.cloud, azure.endpoint, azure.audience, azure.authority) == (cloud, *[None] * 3)


def test_a_cloud_of_ones_own_needs_only_an_endpoint(tmp_path):
    azure = loaded(
        tmp_path, f"{PLAN}azure: {{cloud: {{endpoint: HTTP://LocalHost:8471/}}}}\n"
    ).azure
    assert (azure.cloud, azure.endpoint) == ("custom", "http://localhost:8471")
    assert (azure.audience, azure.authority) == (None, None)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("managed_identity", CredentialKind.MANAGED_IDENTITY),
        ("workload_identity", CredentialKind.WORKLOAD_IDENTITY),
        ("azure_cli", CredentialKind.AZURE_CLI),
        ("environment", CredentialKind.ENVIRONMENT),
        (f"{{managed_identity: {SUBSCRIPTION}}}", CredentialKind.MANAGED_IDENTITY),
    ],
)
def test_a_credential_is_called_by_its_name(tmp_path, written, kind):
    credential = loaded(tmp_path, f"{PLAN}azure: {{credential: {written}}}\n").azure.credential
    assert credential.kind is kind
    assert credential.client_id == (SUBSCRIPTION if "{" in written else None)


def test_of_a_fixed_token_only_the_name_of_its_variable_is_kept(tmp_path):
    keys = "{cloud: {endpoint: 'http://[::1]:8471'}, credential: {fixed_token: TOKEN}}"
    settings = loaded(tmp_path, f"{PLAN}azure: {keys}\n", TOKEN="hunter2")
    assert settings.azure.credential.variable == "TOKEN"
    assert "hunter2" not in repr(settings)


def test_a_path_of_the_database_is_relative_to_the_file(tmp_path):
    settings = loaded(tmp_path, f"{PLAN}database: sqlite:///data/x.db\n")
    assert settings.database == f"sqlite:///{tmp_path}/data/x.db"
    settings = loaded(tmp_path, f"{PLAN}database: sqlite:////var/x.db\n")
    assert settings.database == "sqlite:////var/x.db"


def test_the_password_of_the_database_comes_by_reference_and_is_not_shown(tmp_path):
    write(tmp_path, "hunter@2/\n", "secret.txt")
    for reference in ("${PW}", "${file:secret.txt}"):
        url = f"database: postgresql+asyncpg://u:{reference}@h:5432/d?sslmode=require\n"
        settings = loaded(tmp_path, PLAN + url, PW="hunter@2/")
        assert settings.database == "postgresql://u:hunter%402%2F@h:5432/d?sslmode=require"
        assert "hunter" not in repr(settings)
    whole = loaded(tmp_path, f"{PLAN}database: ${{URL}}\n", URL="postgres://u:p%40@h/d")
    assert whole.database == "postgresql://u:p%40@h/d"


def test_the_door_may_be_any_loopback_address_and_any_port(tmp_path):
    for listen, host, port in [("localhost:0", "localhost", 0), ("'[::1]:81'", "::1", 81)]:
        settings = loaded(tmp_path, f"{PLAN}http: {{listen: {listen}}}\n")
        assert (settings.http_host, settings.http_port) == (host, port)


# -------------------------------------------------------------------------- hash and warnings


def test_the_hash_is_of_what_is_meant_not_of_how_it_is_written(tmp_path):
    first = f"plans:\n- name: p\n  deadline: 1d\n  waves: [{{select: {{ids: {VM}}}}}]\n- name: q\n"
    other = "  waves: [{select: {tags: {a: b}}, max_parallel: 2%}]\n"
    one = loaded(tmp_path, first + other).config_hash
    text = (
        "# the same\nplans:\n  - {waves: [{max_parallel: 2.0%, select: {tags: {a: [b]}}}], name: q}"
        f"\n  - {{waves: [{{select: {{ids: [{VM.upper()}]}}}}], name: p, deadline: 24h}}\n"
    )
    assert loaded(tmp_path, text).config_hash == one
    assert len(one) == 64
    assert loaded(tmp_path, text.replace("24h", "25h")).config_hash != one
    assert loaded(tmp_path, text.replace("2.0%", "2")).config_hash != one


def test_the_hash_covers_referred_ids_and_no_secret(tmp_path):
    text = (
        "database: postgresql://u:${PW}@h/d\n"
        "plans: [{name: p, waves: [{select: {file: vms.txt}}]}]\n"
    )
    write(tmp_path, VM, "vms.txt")
    one = loaded(tmp_path, text, PW="a").config_hash
    assert loaded(tmp_path, text, PW="b").config_hash == one
    write(tmp_path, OTHER_VM, "vms.txt")
    assert loaded(tmp_path, text, PW="a").config_hash != one


WAVE = "{select: {tags: {a: b}}"
REST = "{select: {tags: {a: c}}"
BAKED = "{select: {tags: {a: [b, c], d: e}}, bake: 1d}"

WARNED = [
    (f"waves: [{WAVE}}}, {REST}}}]", "plans[p]", "no wave bakes"),
    (f"waves: [{WAVE}}}, {REST}, bake: 1d}}]", "plans[p]", "no wave bakes"),
    (f"deadline: 2d, waves: [{WAVE}, bake: 2d}}, {REST}}}]", "plans[p]", "the bakes take 2d"),
    (
        f"waves: [{BAKED}, {{select: {{tags: {{A: C, D: E, f: g}}}}}}]",
        "plans[p].waves[2].select",
        "this wave can have no VM: wave 1 selects all of them first",
    ),
    (
        f"waves: [{{select: {{ids: [{VM}, {OTHER_VM}]}}, bake: 1d}}, {{select: {{ids: {VM}}}}}]",
        "plans[p].waves[2].select",
        "this wave can have no VM",
    ),
    (
        f"waves: [{{select: {{ids: {VM}}}, bake: 1d}}, {{select: {{ids: [{VM}, {OTHER_VM}]}}}}]",
        "plans[p].waves[2].select",
        "1 VM listed here belong",
    ),
    (
        f"waves: [{WAVE}, max_duration: 29m}}]",
        "plans[p].waves[1].max_duration",
        "max_duration is 29m",
    ),
    (f"max_duration: 5m, waves: [{WAVE}}}]", "plans[p].waves[1]", "max_duration is 5m"),
    (
        f"patches: {{windows: {{exclude_kbs_requiring_reboot: true}}}}, waves: [{WAVE}}}]",
        "plans[p].patches.windows.exclude_kbs_requiring_reboot",
        "yet a reboot is allowed",
    ),
    (
        f"schedule: {{cron: 0 2 8-14 * TUE}}, waves: [{WAVE}}}]",
        "plans[p].schedule.cron",
        "either the day of the month or the weekday",
    ),
    (
        f"schedule: {{cron: '* 2 * * TUE'}}, waves: [{WAVE}}}]",
        "plans[p].schedule.cron",
        "every minute",
    ),
]


@pytest.mark.parametrize(("keys", "key", "message"), WARNED)
def test_what_is_seldom_meant_is_warned_of_with_its_place(tmp_path, keys, key, message):
    (warning,) = loaded(tmp_path, f"plans:\n- {{name: p, {keys}}}\n").warnings
    assert (warning.line, warning.key) == (2, key)
    assert message in warning.message
    assert warning.fix


@pytest.mark.parametrize(
    "waves",
    [
        f"{BAKED}, {REST}}}",  # wider than the first in one tag
        f"{BAKED}, {{select: {{tags: {{d: e}}}}}}",
        f"{BAKED}, {{select: {{ids: {VM}}}}}",  # what a VM is tagged with, no file tells
        f"{WAVE}, exclude: {{tags: {{x: y}}}}, bake: 1d}}, {WAVE}}}",  # what the first left out
        f"{{select: {{ids: {VM}, tags: {{a: b}}}}, bake: 1d}}, {{select: {{ids: {VM}}}}}",
    ],
)
def test_waves_that_may_have_vms_of_their_own_are_not_warned_of(tmp_path, waves):
    assert loaded(tmp_path, f"plans: [{{name: p, waves: [{waves}]}}]\n").warnings == ()


def test_a_plan_can_be_found_by_its_name(tmp_path):
    settings = loaded(tmp_path, PLAN)
    assert settings.plan("p") is settings.plans[0]
    assert settings.plan("q") is None
