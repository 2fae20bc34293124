"""The fleet-wide halt with real processes: durable, beside a daemon and alone."""

import pytest

from tests.acceptance.processes import end, staged, wait_for
from tests.acceptance.test_driving import SLOW, a_plan
from tests.kit.stage import machines


def test_it_holds_over_a_kill_and_is_lifted_by_name(tmp_path, any_database_url):
    with staged(tmp_path, machines("w", 9, SLOW), a_plan(parallel=2), 240, any_database_url) as on:
        daemon = on.serve()
        on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] == 2, "two starts")
        halted = on.run("halt", "--all", "--because", "a bad patch is out")
        assert "everything is halted" in halted.stdout, halted.stderr
        wait_for(lambda: on.newest()["in_progress"] == 0, "what ran to end")
        end(daemon)  # kill -9
        on.serve()
        row = on.newest()
        assert (row["status"], row["queued"]) == ("open", 7)
        started = len(on.installations())
        told = on.run("status", row["run_id"])
        assert told.stdout.startswith("everything is halted by "), told.stderr
        assert "7 queued: everything is halted" in told.stdout
        followed = on.run("run", "nightly", "--resume", "--json")
        assert (followed.returncode, "a bad patch is out" in followed.stderr) == (3, True)
        assert len(on.installations()) == started == 2
        assert "lifted" in on.run("resume", "--all", "--because", "it is pulled").stdout
        wait_for(lambda: bool(on.newest()["closed_at"]), "the end")
        assert on.newest()["status"] == "passed"
        assert list(on.installations().values()) == [1] * 9


@pytest.mark.parametrize("daemon", [True, False])
def test_no_run_opens_under_it(tmp_path, daemon):
    with staged(tmp_path, machines("w", 1), a_plan(), speed=600) as on:
        if daemon:
            on.serve()
        assert on.run("halt", "--all", "--because", "a bad patch is out").returncode == 0
        refused = on.run("run", "nightly")
        assert refused.returncode == 3
        assert "a bad patch is out" in refused.stderr
        assert "resume --all" in refused.stderr
        assert on.rows() == []
        assert on.run("resume", "--all", "--because", "it is pulled").returncode == 0
        assert on.run("run", "nightly").returncode == 0


def test_the_brake_works_beside_a_daemon_although_the_file_was_edited_wrongly(tmp_path):
    with staged(tmp_path, machines("w", 6, SLOW), a_plan(parallel=1), speed=240) as on:
        on.serve()
        on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] > 0, "a start")
        path = tmp_path / "orchestrator.yaml"
        path.write_text(path.read_text().replace("max_parallel: 1", "max_parallel: lots"))
        on.environ.pop("ACCEPTANCE_TOKEN")
        paused = on.run("pause")
        assert "paused: nothing starts any more" in paused.stdout, paused.stderr
        assert "max_parallel" in paused.stderr
        assert "ACCEPTANCE_TOKEN" in paused.stderr
        assert on.run("run", "nightly").returncode == 2
