"""The example that users know from the start: what of it works now, and what is refused by name."""

import re

from tests.config.kit import loaded, wrong

EXAMPLE = """\
azure: {cloud: public, credential: default}          # cloud: public | usgov | china
database: sqlite:///orchestrator.db                  # or postgresql://user@host/db
http: {listen: 127.0.0.1:8470}
defaults: {timezone: Europe/Berlin, max_duration: 90m, reboot: if_required,
  missed: {policy: skip, grace: 30m}, overlap: skip}
limits: {in_flight: 400, per: {subscription_region: 150, zone: 50%, "tag:cluster": 1}}
freezes: [{name: Black Week, from: 2026-11-23, to: 2026-11-30}]
plans:
  - name: monthly
    schedule: {patch_tuesday: +4d, at: "22:00"}
    window: {start: "22:00", length: 4h}
    deadline: 14d
    patches:
      windows: {classifications: [Critical, Security]}
      linux: {classifications: [Critical, Security]}
      pin: first_wave  # later
    waves:
      - {name: canary, select: {tags: {ring: canary}}, allow_failures: 0, bake: 48h}
      - {name: early, select: {tags: {ring: [early, test]}}, max_parallel: 25%,
         allow_failures: 3, bake: 72h}
      - name: broad
        select: {tags: {ring: broad}}
        exclude: {tags: {patching: "off"}}
        max_parallel: 200
        allow_failures:
          percent: 2
          in_a_row: 5
          budget: strict
        approve: platform-oncall
        before: [{http: "https://lb.example/drain/{vm_name}", timeout: 5m}]  # later
        check: [{http: "https://{tag.app}.example/healthz", for: 5m}]  # later
"""
LATER = re.compile(r".*# later\n")


def test_what_works_now_is_loaded_without_a_warning(tmp_path):
    settings = loaded(tmp_path, LATER.sub("", EXAMPLE))
    assert [wave.name for wave in settings.plans[0].spec.waves] == ["canary", "early", "broad"]
    assert settings.warnings == ()


def test_what_comes_later_is_refused_by_name_and_nothing_else_is(tmp_path):
    found = wrong(tmp_path, EXAMPLE)
    assert {problem.message for problem in found} == {"not supported yet"}
    lines = [n for n, line in enumerate(EXAMPLE.splitlines(True), 1) if LATER.match(line)]
    assert [problem.line for problem in found] == lines
