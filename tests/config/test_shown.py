"""What `validate` says of a plan's gates."""

from datetime import UTC, datetime

from orchestrator.cli.showing import as_text
from tests.config.kit import loaded

PLAN = """\
plans:
  - name: monthly
    waves:
      - name: broad
        select: {tags: {ring: broad}}
        max_parallel: [1, 5, 25%]
        approve: {group: on-call, timeout: 24h}
        before: [{http: "https://status.example/green?key=secret", expect: 204}]
        check:
          - prometheus: {url: "http://prometheus:9090", query: "rate(errors[5m])", expect: "< 0.01"}
            for: 10m
            timeout: 2h
"""


def test_validate_says_who_approves_what_is_asked_and_how_a_wave_ramps_up(tmp_path):
    text = "\n".join(as_text(loaded(tmp_path, PLAN), datetime(2026, 1, 1, tzinfo=UTC)))
    assert "max parallel 1, then 5, then 25%" in text
    assert "approved by on-call before it opens; after 1d the run is paused" in text
    assert "https://status.example/green good before it opens; red for 1h halts the run" in text
    assert "rate(errors[5m]) < 0.01 good for 10m before it closes; red for 2h halts" in text
    assert "secret" not in text
