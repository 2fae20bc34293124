"""Staged reboots with real processes: a daemon that is killed among restarts makes none twice."""

from orchestrator.simulator.tempers import Temper
from tests.acceptance.processes import end, staged, wait_for
from tests.kit.stage import machines

PLAN = """\
  - name: nightly
    reboot: {policy: staged, max_parallel: 2}
    waves:
      - {name: w, select: {tags: {ring: w}}, max_parallel: 6, allow_failures: 6}
"""


def test_kill_9_among_the_restarts_makes_none_twice(tmp_path, any_database_url):
    fleet = machines("w", 6, Temper(needs_reboot=True, patches=2))
    with staged(tmp_path, fleet, PLAN, 240, any_database_url) as on:
        daemon = on.serve()
        run = on.start("run", "nightly")
        wait_for(lambda: len(on.ledger()["restarts"]) >= 2, "two restarts")
        end(daemon)
        on.serve()
        wait_for(lambda: bool(on.newest()["closed_at"]), "the end")
        restarted = [each["vm_id"] for each in on.ledger()["restarts"]]
        assert len(restarted) == len(set(restarted))
        row = on.newest()
        assert row["succeeded"] + row["needs_human"] == 6
        assert row["succeeded"] >= 4
        assert run.wait(timeout=60) in {0, 4, 6}
