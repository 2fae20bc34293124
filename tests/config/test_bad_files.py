"""Files that are not in order: each error names its place, the key, what was found, and a fix."""

import pytest

from tests.config.bad_gates import BAD_GATES
from tests.config.bad_reboots import BAD_REBOOTS
from tests.config.kit import PLAN, VM, wrong

ARC = "/subscriptions/x/resourceGroups/r/providers/Microsoft.HybridCompute/machines/m"

# The text, the line, the key path, and words of the message and of the fix.
BAD = [
    # --- not YAML
    ("a: 1\n\tb: 2\n", 2, "", "not YAML", "spaces, not with tabs"),
    ("a: b: c\n", 1, "", "not YAML: mapping values", "in quotes"),
    ("plans:\n  - [1, 2\nx: 3\n", 3, "", "not YAML", "close the list"),
    ("x: 1\nname: 'open\n", 2, "", "end of stream", "close the quote"),
    ("- a\nb: 1\n", 2, "", "not YAML", "line up"),
    ("x: @home\n", 1, "", "cannot start any token", "quotes"),
    ("a: 1\nb 2\n", 2, "", "expected ':'", "key: value"),
    ("a:\n  b: 1\n c: 2\n", 3, "", "expected key", "line up"),
    ("a: *nothing\n", 1, "", "no such anchor", "write the value out"),
    ("a: &a [*a]\n", 1, "", "no such anchor", "write the value out"),
    ("a: !!python/object:os.system x\n", 1, "", "tags are not allowed", "delete the tag"),
    ("a: 1\n---\nb: 2\n", 2, "", "second document", "one file"),
    ("? [a]\n: b\n", 1, "", "key must be text", "quotes"),
    ("a: \x07\n", 1, "", "a character that has no place", "delete"),
    ("a: 1\nb: '\u2028'\n", 2, "", "a character that has no place", "delete"),
    ("x: {<<: {a: 1}}\n", 1, "<<", "merge keys", "defaults"),
    ("x: {a: 1,\n '': 2}\n", 2, "", "without a name", "name"),
    # --- not a configuration
    ("", 1, "", "nothing is configured", "init"),
    ("# only a comment\n", 1, "", "nothing is configured", "init"),
    ("- a\n", 1, "", "not a mapping", "key: value"),
    ("hello\n", 1, "", "not a mapping", "key: value"),
    ("azure: {}\n", 1, "plans", "missing", "add `plans:`"),
    (PLAN + "plans: []\n", 2, "plans", "second time; the first is on line 1", "keep one"),
    ("plans: []\n", 1, "plans", "empty", "at least one"),
    ("plans:\n", 1, "plans", "no value", "give it one"),
    ("plans: {name: p}\n", 1, "plans", "not a list", "after a dash"),
    ("plans: [3]\n", 1, "plans[1]", "not a mapping", "key: value"),
    # --- unknown keys, and keys of later versions
    (PLAN + "databse: x\n", 2, "databse", "unknown key", "did you mean `database`?"),
    (PLAN + "bake: 4h\n", 2, "bake", "unknown key", "`defaults` or `plans` or `waves`"),
    (PLAN + "zzz: 4h\n", 2, "zzz", "unknown key", "known here: azure, database"),
    (PLAN + "defaults: {hoks: x}\n", 2, "defaults.hoks", "unknown", "not supported yet"),
    (PLAN + "limits: {in_flight: 0}\n", 2, "limits.in_flight", "less than 1", "least 1"),
    (PLAN + "limits: {in_flight: 5%}\n", 2, "limits.in_flight", "not a whole", ""),
    (PLAN + "limits: {per: {zones: 1}}\n", 2, "limits.per", "zones is no group", "tag:NAME"),
    (PLAN + "limits: {per: {'tag:': 1}}\n", 2, "limits.per", "no group", "tag:NAME"),
    (PLAN + "limits: {per: {'tag:A': 1, 'tag:a': 2}}\n", 2, "limits.per", "twice", "keep one"),
    (PLAN + "limits: {per: {zone: 0%}}\n", 2, "limits.per.zone", "ever start", "1"),
    (PLAN + "limits: {per: {zone: 101%}}\n", 2, "limits.per.zone", "100", ""),
    # --- azure, database, http, tracking
    (PLAN + "azure: {cloud: publik}\n", 2, "azure.cloud", "not one of", "mean public?"),
    (PLAN + "azure: {cloud: 3}\n", 2, "azure.cloud", "not public, usgov", "endpoint"),
    (PLAN + "azure: {cloud: {}}\n", 2, "azure.cloud.endpoint", "missing", "add `endpoint:`"),
    (
        PLAN + "azure: {cloud: {endpoint: http://example.com}}\n",
        2,
        "azure.cloud.endpoint",
        "loopback only",
        "https://example.com",
    ),
    (
        PLAN + "azure: {cloud: {endpoint: https://u@h/x}}\n",
        2,
        "azure.cloud.endpoint",
        "not the URL of a host",
        "https://",
    ),
    (PLAN + "azure: {credential: mi}\n", 2, "azure.credential", "not one of", "write default"),
    (
        PLAN + "azure: {credential: {managed_identity: me}}\n",
        2,
        "azure.credential.managed_identity",
        "not a guid",
        "01234567",
    ),
    (PLAN + "azure: {credential: {}}\n", 2, "azure.credential", "exactly one", "keep one"),
    (
        PLAN + "azure: {cloud: {endpoint: https://h}, credential: {fixed_token: TOKEN}}\n",
        2,
        "azure.credential.fixed_token",
        "TOKEN is not set",
        "set TOKEN",
    ),
    (PLAN + "azure: {api_version: latest}\n", 2, "azure.api_version", "api-version", "2025-04-01"),
    (PLAN + "azure: {subscriptions: [x]}\n", 2, "azure.subscriptions[1]", "guid", "0123"),
    (PLAN + "database: mysql://h/d\n", 2, "database", "not the URL of a database", "sqlite:///"),
    (PLAN + 'database: "sqlite:///:memory:"\n', 2, "database", "a file that stays", "sqlite:///"),
    (PLAN + "database: sqlite:///a.db?mode=ro\n", 2, "database", "a file that stays", "path"),
    (PLAN + "database: postgresql://u@h\n", 2, "database", "PostgreSQL", "user@host/database"),
    (PLAN + "database: ${DB}\n", 2, "database", "DB is not set", "set DB"),
    (PLAN + "database: ${file:no.txt}\n", 2, "database", "no.txt cannot be read", "readable"),
    (PLAN + "database: 3\n", 2, "database", "not a text", 'quotes: "3"'),
    (PLAN + "http: {listen: 0.0.0.0:80}\n", 2, "http.listen", "not supported yet", "127.0.0.1"),
    (PLAN + "http: {listen: 8470}\n", 2, "http.listen", "not a text", "quotes"),
    (PLAN + "http: {listen: 127.0.0.1}\n", 2, "http.listen", "host and a port", "8470"),
    (PLAN + "tracking: {poll: 30}\n", 2, "tracking.poll", "needs a unit", "30s"),
    (PLAN + "tracking: {poll: 0s}\n", 2, "tracking.poll", "too short", "1ms"),
    (PLAN + "tracking: {max_unknown: 0}\n", 2, "tracking.max_unknown", "less than 1", "least 1"),
    (PLAN + "tracking: {max_unknown: yes}\n", 2, "tracking.max_unknown", "whole number", "3"),
    (PLAN + "throttle: {reserve: 20}\n", 2, "throttle.reserve", "not a percentage", "20%"),
    (PLAN + "throttle: {reserve: 0.2}\n", 2, "throttle.reserve", "not a percentage", "20%"),
    (PLAN + "throttle: {reserve: 100%}\n", 2, "throttle.reserve", "nothing could", "less than"),
    (PLAN + "throttle: {reserve: 101%}\n", 2, "throttle.reserve", "more than 100", "0% to 100%"),
    (PLAN + "throttle: {reserve: -1%}\n", 2, "throttle.reserve", "percentage", "25%"),
    # --- defaults
    (PLAN + "defaults: {timezone: Berlin}\n", 2, "defaults.timezone", "IANA", "Europe/Berlin"),
    (
        PLAN + "defaults: {timezone: W. Europe Standard Time}\n",
        2,
        "defaults.timezone",
        "IANA",
        "such as Europe/Berlin",
    ),
    (PLAN + "defaults: {reboot: nver}\n", 2, "defaults.reboot", "not one of", "mean never?"),
    (PLAN + "defaults: {overlap: allow}\n", 2, "defaults.overlap", "not one of", "skip or queue"),
    (PLAN + "defaults: {max_duration: 24h}\n", 2, "defaults.max_duration", "too long", "23h59m"),
    (PLAN + "defaults: {max_duration: 90s}\n", 2, "defaults.max_duration", "minutes", "90m"),
    (PLAN + "defaults: {max_duration: 01:30:00}\n", 2, "defaults.max_duration", "time", "1h30m"),
    (PLAN + "defaults: {bake: P1M}\n", 2, "defaults.bake", "months and years", "30d"),
    (PLAN + "defaults: {bake: -5m}\n", 2, "defaults.bake", "no sign", "write 5m"),
    (PLAN + "defaults: {warnings: ignore}\n", 2, "defaults.warnings", "pass, fail", "pass or fail"),
    (PLAN + "defaults: {missed: {policy: late}}\n", 2, "defaults.missed.policy", "skip", "late"),
]

# Each stands inside `plans: [{name: p, <here>, waves: [...]}]`, on line 2.
BAD_PLAN_KEYS = [
    ("schedule: {cron: 0 22 * *}", "schedule.cron", "5 fields", "minute, hour, day"),
    ("schedule: {cron: 61 * * * *}", "schedule.cron", "minute field", "0 22"),
    ("schedule: {cron: 0 0 30 2 *}", "schedule.cron", "day-of-month", "0 22"),
    ('schedule: {cron: "0 0 */20 * TUE#2"}', "schedule.cron", "never fires", "0 22"),
    ("schedule: {patch_tuesday: +4d}", "schedule", "without a time", "at:"),
    ('schedule: {patch_tuesday: +4d, at: "24:00"}', "schedule.at", "time of day", "22:00"),
    ('schedule: {patch_tuesday: 4, at: "22:00"}', "schedule.patch_tuesday", "days", "+4d"),
    ('schedule: {patch_tuesday: 61d, at: "22:00"}', "schedule.patch_tuesday", "60", "60d"),
    ('schedule: {patch_tuesday: 12h, at: "22:00"}', "schedule.patch_tuesday", "days", "`at`"),
    ('schedule: {cron: 0 0 1 * *, at: "22:00"}', "schedule", "its own time", "delete `at`"),
    ("schedule: {offset: 3d}", "schedule", "exactly one of cron", "keep one"),
    ("schedule: {cron: 0 0 1 * *, offset: 90s}", "schedule.offset", "minutes", "90m"),
    ("schedule: {cron: 0 0 1 * *, timezone: X/Y}", "schedule.timezone", "IANA", "Europe/Berlin"),
    ("deadline: 0s", "deadline", "too short", "at least"),
    ("deadline: 11y", "deadline", "not a duration", "14d"),
    ("deadline: 9999999d", "deadline", "ten years", "shorter"),
    ("allow_failures: 2.5", "allow_failures", "a count, a percentage", "write a count"),
    ("allow_failures: -1", "allow_failures", "less than 0", "at least 0"),
    ("allow_failures: true", "allow_failures", "a count, a percentage", "write a count"),
    ("allow_failures: {}", "allow_failures", "says nothing", "in_a_row"),
    ("allow_failures: {percent: 200}", "allow_failures.percent", "not a percentage", "2%"),
    ("allow_failures: {percent: 101}", "allow_failures.percent", "not a percentage", "2%"),
    ("allow_failures: 101%", "allow_failures", "more than 100 %", "0% to 100%"),
    ("allow_failures: {rate: {percent: 101%}}", "allow_failures.rate.percent", "100 %", "100%"),
    ("max_parallel: [10%, 101%]", "max_parallel[2]", "more than 100 %", "0% to 100%"),
    ("allow_failures: {in_a_row: 0}", "allow_failures.in_a_row", "less than 1", "least 1"),
    ("allow_failures: {budget: loose}", "allow_failures.budget", "strict", "strict"),
    ("allow_failures: {budget: strict}", "allow_failures", "without a number", "count or percent"),
    ("allow_failures: {quarantine: true}", "allow_failures", "could break", "count, percent"),
    ("allow_failures: {count: 1, quarantine: image}", "allow_failures.quarantine", "", "true"),
    ("allow_failures: {rate: {last: 5}}", "allow_failures.rate.percent", "missing", "percent"),
    (
        "allow_failures: {rate: {percent: 5, last: 5, min_sample: 6}}",
        "allow_failures.rate",
        "never be reached",
        "raise",
    ),
    ("max_parallel: 0", "max_parallel", "less than 1", "at least 1"),
    ("max_parallel: 0%", "max_parallel", "nothing could ever start", "above 0%"),
    ("max_parallel: 101%", "max_parallel", "more than 100", "0% to 100%"),
    ("max_parallel: lots", "max_parallel", "nor a percentage", "25%"),
    ("window: {start: x, length: 4h}", "window.start", "not a time of day", "22:00"),
    ("window: {start: 22:00}", "window.length", "missing", "add `length:`"),
    ("window: [{start: 22:00, length: 8d}]", "window[1].length", "longer than 7d", "at most 7d"),
    ("window: [{start: 22:00, length: 0m}]", "window[1].length", "too short", "at least 1m"),
    ("window: {start: 22:00, length: 4}", "window.length", "needs a unit", "4h"),
    ("window: {start: 22:00, length: 4h, days: [sat, sonntag]}", "window.days[2]", "day", "sun"),
    ("window: [[]]", "window[1]", "not a mapping", "key: value"),
    ("reboot_reserve: 13h", "reboot_reserve", "longer than 12h", "at most 12h"),
    ("carry_over: 11", "carry_over", "more than 10", "at most 10"),
    ("patches: {windws: {}}", "patches.windws", "unknown key", "`windows`"),
    ("patches: {pin: first_wave}", "patches.pin", "not supported yet", "delete"),
    (
        "patches: {windows: {classifications: [Update Rollups]}}",
        "patches.windows.classifications[1]",
        "not one of Critical",
        "did you mean UpdateRollUp?",
    ),
    (
        "patches: {windows: {kb_include: [4512508]}}",
        "patches.windows.kb_include[1]",
        "without its prefix",
        "write KB4512508",
    ),
    (
        "patches: {windows: {kb_exclude: [KB1]}}",
        "patches.windows.kb_exclude[1]",
        "not a KB number",
        "KB4512508",
    ),
    (
        "patches: {windows: {name_masks_include: [a-b]}}",
        "patches.windows.name_masks_include[1]",
        "letters, digits",
        "*Defender*",
    ),
    (
        "patches: {windows: {max_publish_date: tomorrow}}",
        "patches.windows.max_publish_date",
        "neither a date nor a time",
        "2026-11-30",
    ),
    (
        "patches: {windows: {max_publish_date: 2026-11-30T10:00}}",
        "patches.windows.max_publish_date",
        "without an offset",
        "2026-11-30T10:00Z",
    ),
    (
        "patches: {windows: {exclude_kbs_requiring_reboot: on}}",
        "patches.windows.exclude_kbs_requiring_reboot",
        "neither true nor false",
        "true or false",
    ),
    (
        "patches: {linux: {classifications: [Critical]}}",
        "patches.linux",
        "one unit",
        "add Security",
    ),
    (
        "patches: {linux: {package_masks_include: [a b]}}",
        "patches.linux.package_masks_include[1]",
        "no spaces",
        "kernel*",
    ),
]

# Each is a wave, on line 3 of its file.
BAD_WAVES = [
    ("{}", "waves[1].select", "missing", "add `select:`"),
    ("{select: {}}", "waves[1].select", "selects nothing", "give ids"),
    ("{select: {ids: []}}", "waves[1].select.ids", "empty", "at least one"),
    ("{select: {ids: [x]}}", "waves[1].select.ids[1]", "not the resource id", "virtualMachines"),
    (f"{{select: {{ids: [{ARC}]}}}}", "waves[1].select.ids[1]", "not supported yet", "leave"),
    ("{select: {file: no.csv}}", "waves[1].select.file", "cannot be read", "path and rights"),
    ("{select: {resource_groups: [a/b]}}", "waves[1].select.resource_groups[1]", "group", "path"),
    ("{select: {subscriptions: s}}", "waves[1].select.subscriptions", "not a guid", "0123"),
    ("{select: {tags: {}}}", "waves[1].select.tags", "empty", "at least one"),
    ("{select: {tags: {ring: 1}}}", "waves[1].select.tags.ring", "not a text", '"1"'),
    ("{select: {tags: {ring: [1]}}}", "waves[1].select.tags.ring[1]", "not a text", '"1"'),
    ("{select: {tags: [ring]}}", "waves[1].select.tags", "not a mapping", "key: value"),
    ("{select: {kql: x, os: linux}}", "waves[1].select.kql", "not supported yet", "delete"),
    ("{select: {tag: {a: b}}}", "waves[1].select.tag", "unknown key", "`tags`"),
    ("{name: a/b, select: {tags: {a: b}}}", "waves[a/b].name", "cannot be used", "letters"),
    ("{name: early, exclude: {ids: x}}", "waves[early].exclude.ids", "resource id", "/subscr"),
    ("{select: {tags: {a: b}}, allow_empty: 1}", "waves[1].allow_empty", "true", "true or"),
    ("{select: {tags: {a: b}}, missed: {grace: 1h}}", "waves[1].missed", "unknown", "`plans`"),
    ("{select: {tags: {a: b}}, approve: 7}", "waves[1].approve", "not a group", "mapping"),
    (
        "{select: {tags: {a: b}}, approve: {group: x, timeout: 5}}",
        "waves[1].approve.timeout",
        "unit",
        "5m",
    ),
    ("{select: {tags: {a: b}}, check: []}", "waves[1].check", "empty", "at least one"),
    ("{select: {tags: {a: b}}, after: []}", "waves[1].after", "not supported yet", "delete"),
    (
        "{select: {tags: {a: b}}, max_parallel: [5, 1]}",
        "waves[1].max_parallel",
        "goes down",
        "smallest",
    ),
    (
        "{select: {tags: {a: b}}, max_parallel: []}",
        "waves[1].max_parallel",
        "empty",
        "at least one",
    ),
    (
        "{select: {tags: {a: b}}, max_parallel: [0]}",
        "waves[1].max_parallel[1]",
        "less than 1",
        "at least",
    ),
    *(
        (f"{{select: {{tags: {{a: b}}}}, check: [{gate}]}}", f"waves[1].{key}", message, fix)
        for gate, key, message, fix in BAD_GATES
    ),
    *(
        (f"{{select: {{tags: {{a: b}}}}, reboot: {reboot}}}", f"waves[1].{key}", message, fix)
        for reboot, key, message, fix in BAD_REBOOTS
    ),
]


@pytest.mark.parametrize(("text", "line", "key", "message", "fix"), BAD)
def test_a_bad_file_is_told_with_its_place_and_a_fix(tmp_path, text, line, key, message, fix):
    found = wrong(tmp_path, text)
    assert [p for p in found if matches(p, line, key, message, fix)], "\n".join(map(str, found))


@pytest.mark.parametrize(("keys", "key", "message", "fix"), BAD_PLAN_KEYS)
def test_a_bad_plan_is_told_with_its_place_and_a_fix(tmp_path, keys, key, message, fix):
    text = f"plans:\n- {{name: p, {keys}, waves: [{{select: {{ids: {VM}}}}}]}}\n"
    found = wrong(tmp_path, text)
    assert len(found) == 1, "\n".join(map(str, found))
    assert matches(found[0], 2, f"plans[p].{key}", message, fix), found[0]


@pytest.mark.parametrize(("wave", "key", "message", "fix"), BAD_WAVES)
def test_a_bad_wave_is_told_with_its_place_and_a_fix(tmp_path, wave, key, message, fix):
    found = wrong(tmp_path, f"plans:\n- name: p\n  waves: [{wave}]\n")
    assert [p for p in found if matches(p, 3, f"plans[p].{key}", message, fix)], "\n".join(
        map(str, found)
    )


def matches(problem, line, key, message, fix) -> bool:
    named = problem.file.endswith("fleet.yaml") and problem.line == line and problem.column > 0
    return named and problem.key == key and message in problem.message and fix in problem.fix
