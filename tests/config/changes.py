"""A key that a configuration did not have, and the line of `diff` that tells it."""

from tests.config.kit import SUBSCRIPTION, VM

OTHER = SUBSCRIPTION.replace("0", "1")
OWN = "http://127.0.0.1"
OWN_CLOUD = f"{{endpoint: {OWN}:1, audience: {OWN}:2, authority: {OWN}:3}}"
PROMETHEUS = 'prometheus: {url: "https://p.example", query: "sum(up) by (x)", expect: "< 0.01"}'

FOR_ALL = [
    ("azure: {cloud: usgov}", "azure.cloud: public -> usgov"),
    (
        f"azure: {{cloud: {OWN_CLOUD}}}",
        f"azure.cloud: public -> {OWN_CLOUD}",
    ),
    ("azure: {credential: azure_cli}", "azure.credential: default -> azure_cli"),
    (
        f"azure: {{credential: {{managed_identity: {SUBSCRIPTION}}}}}",
        f"azure.credential: default -> {{managed_identity: {SUBSCRIPTION}}}",
    ),
    ("azure: {api_version: 2026-01-01}", "azure.api_version: 2025-04-01 -> 2026-01-01"),
    (
        f"azure: {{subscriptions: {SUBSCRIPTION}}}",
        f"azure.subscriptions: not set -> [{SUBSCRIPTION}]",
    ),
    (
        "database: postgresql://me@host/db",
        "database: sqlite:///orchestrator.db -> postgresql://me@host/db",
    ),
    ("http: {listen: 127.0.0.1:8480}", 'http.listen: "127.0.0.1:8470" -> "127.0.0.1:8480"'),
    ("tracking: {poll: 90s}", "tracking.poll: 30s -> 1m30s"),
    ("tracking: {settle: 2m}", "tracking.settle: 15m -> 2m"),
    ("tracking: {send_within: 500ms}", "tracking.send_within: 5s -> 500ms"),
    ("tracking: {overdue: 1h}", "tracking.overdue: 45m -> 1h"),
    ("tracking: {max_unknown: 4}", "tracking.max_unknown: 3 -> 4"),
    ("tracking: {request_timeout: 10s}", "tracking.request_timeout: 30s -> 10s"),
    ("throttle: {reserve: 30%}", "throttle.reserve: 20% -> 30%"),
    ("limits: {in_flight: 400}", "limits.in_flight: not set -> 400"),
    ('limits: {per: {"tag:cluster": 1}}', "limits.per.tag:cluster: not set -> 1"),
    (
        "freezes: [{name: Black Week, from: 2026-11-23, to: 2026-11-30}]",
        'freezes[Black Week]: not set -> {from: "2026-11-23 00:00Z", to: "2026-12-01 00:00Z"}',
    ),
    (
        "freezes: [{name: F, from: 2026-11-23, to: 2026-11-30, timezone: Asia/Tokyo}]",
        'freezes[F]: not set -> {from: "2026-11-22 15:00Z", to: "2026-11-30 15:00Z"}',
    ),
    (
        "freezes: [{file: days.ics}]",
        'freezes[Fair]: not set -> {from: "2026-11-02 00:00Z", to: "2026-11-04 00:00Z"}',
    ),
    (
        "defaults: {bake: 2h}",
        "plan p waves[1].bake: 0s -> 2h",
    ),
]
"""A key at the top of a file that had nothing there, and the line."""

FOR_A_PLAN = [
    ("timezone: Europe/Berlin", "timezone: UTC -> Europe/Berlin"),
    ("overlap: queue", "overlap: skip -> queue"),
    ("deadline: 36h", "deadline: 14d -> 1d12h"),
    ("min_interval: 0s", "min_interval: 12h -> 0s"),
    ("carry_over: 0", "carry_over: 2 -> 0"),
    ("emergency: true", "emergency: false -> true"),
    ("allow_failures: 2%", "allow_failures: not set -> 2%"),
    (
        "allow_failures: {count: 5, in_a_row: 3, rate: {percent: 10, last: 40, min_sample: 9}}",
        (
            "allow_failures: not set ->"
            " {count: 5, in_a_row: 3, rate: {percent: 10, last: 40, min_sample: 9}}"
        ),
    ),
    ('schedule: {cron: "0 22 * * TUE#2"}', 'schedule.cron: not set -> "0 22 * * TUE#2"'),
    ('schedule: {patch_tuesday: +4d, at: "22:00"}', "schedule.patch_tuesday: not set -> +4d"),
    ('schedule: {patch_tuesday: +4d, at: "22:00"}', 'schedule.at: not set -> "22:00"'),
    ('schedule: {cron: "0 22 * * *", offset: -12h}', "schedule.offset: not set -> -12h"),
    (
        'schedule: {cron: "0 22 * * *", timezone: Europe/Berlin}',
        "schedule.timezone: not set -> Europe/Berlin",
    ),
    (
        'schedule: {cron: "0 22 * * *"}, missed: {policy: run_late, grace: 2h}',
        "missed.policy: not set -> run_late",
    ),
    (
        "patches: {windows: {classifications: [Critical, Security]}}",
        "patches.windows.classifications: not set -> [Critical, Security]",
    ),
    (
        "patches: {windows: {kb_include: [KB5005001, KB5005002], kb_exclude: KB5005003}}",
        "patches.windows.kb_include: not set -> [KB5005001, KB5005002]",
    ),
    (
        "patches: {windows: {exclude_kbs_requiring_reboot: true}}",
        "patches.windows.exclude_kbs_requiring_reboot: not set -> true",
    ),
    (
        "patches: {windows: {max_publish_date: 2026-11-30}}",
        'patches.windows.max_publish_date: not set -> "2026-11-30T00:00:00Z"',
    ),
    (
        'patches: {windows: {name_masks_include: "a*", name_masks_exclude: "*b"}}',
        'patches.windows.name_masks_exclude: not set -> ["*b"]',
    ),
    (
        'patches: {linux: {package_masks_include: "vim*", package_masks_exclude: "kernel*"}}',
        "patches.linux.package_masks_include: not set -> [vim*]",
    ),
    (
        "patches: {linux: {maintenance_run_id: CHG 47}}",
        "patches.linux.maintenance_run_id: not set -> CHG 47",
    ),
]
"""A key of a plan that had nothing there, and the line behind the plan's name."""

FOR_A_WAVE = [
    ("max_parallel: 25%", "max_parallel: not set -> 25%"),
    ("max_parallel: [1, 5, 25%]", "max_parallel: not set -> [1, 5, 25%]"),
    ("order: longest_first", "order: as_listed -> longest_first"),
    ("allow_failures: 3", "allow_failures: not set -> 3"),
    (
        "allow_failures: {percent: 2.5, budget: strict, quarantine: true}",
        "allow_failures: not set -> {percent: 2.5%, budget: strict, quarantine: true}",
    ),
    ("allow_empty: true", "allow_empty: false -> true"),
    ("bake: 30m", "bake: 0s -> 30m"),
    ("max_duration: 2h", "max_duration: 1h30m -> 2h"),
    ("reboot: never", "reboot: if_required -> never"),
    ("warnings: fail", "warnings: pass -> fail"),
    (
        'window: {start: "22:00", length: 4h, days: [sat, sun]}',
        'window: not set -> {start: "22:00", length: 4h, days: [sat, sun]}',
    ),
    (
        'window: {start: "22:00", length: 4h}, reboot_reserve: 20m',
        "reboot_reserve: not set -> 20m",
    ),
    (
        'reboot: {policy: staged, window: {start: "04:00", length: 1h}}',
        'reboot.window: not set -> {start: "04:00", length: 1h}',
    ),
    ("reboot: {policy: staged, max_parallel: 2}", "reboot.max_parallel: not set -> 2"),
    ("reboot: {policy: staged, allow_failures: 0}", "reboot.allow_failures: not set -> 0"),
    ("approve: ops", "approve: not set -> ops"),
    ("approve: {group: ops, timeout: 4h}", "approve: not set -> {group: ops, timeout: 4h}"),
    (
        'before: [{http: "https://a.example/x", expect: 204, for: 5m}]',
        "before[1]: not set -> {http: https://a.example/x, expect: 204, for: 5m}",
    ),
    (
        f"check: [{{{PROMETHEUS}, timeout: 30m}}]",
        (
            "check[1]: not set -> {prometheus: {url: https://p.example,"
            ' query: "sum(up) by (x)", expect: "< 0.01"}, timeout: 30m}'
        ),
    ),
    (f"exclude: {{ids: [{VM}]}}", f"exclude.ids: not set -> [{VM.lower()}]"),
    ("exclude: {resource_groups: rg}", "exclude.resource_groups: not set -> [rg]"),
    (
        f"exclude: {{subscriptions: [{SUBSCRIPTION}, {OTHER}]}}",
        f"exclude.subscriptions: not set -> [{SUBSCRIPTION}, {OTHER}]",
    ),
    ('exclude: {tags: {patching: "off"}}', "exclude.tags.patching: not set -> off"),
    ("exclude: {tags: {app: [a, 'b, c']}}", 'exclude.tags.app: not set -> [a, "b, c"]'),
]
"""A key of a wave that had nothing there, and the line behind the wave's name."""
