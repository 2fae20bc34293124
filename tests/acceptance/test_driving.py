"""The real processes end to end: run, serve, steer, kill -9."""

import json
import signal
import sqlite3
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.tempers import Temper
from tests.acceptance.processes import FIRST, TRACKING, bare, end, staged, wait_for
from tests.kit.stage import a_machine, machines

PLAN = """\
  - name: nightly
    waves:
      - name: w
        select: {{tags: {{ring: w}}}}
        max_parallel: {parallel}
        allow_failures: {allow}
"""
SLOW = Temper(takes=timedelta(minutes=20))


def a_plan(parallel=200, allow=0):
    return PLAN.format(parallel=parallel, allow=allow)


STATES = ("preparing", "submitting", "unknown", "in_progress", "verifying")


def in_flight(row):
    return sum(row[state] for state in STATES)


def test_two_hundred_vms_in_flight_survive_kill_9_and_are_patched_once(tmp_path, any_database_url):
    calm = TRACKING.replace("poll: 1s", "poll: 3s")
    fleet = machines("w", 200, SLOW)
    with staged(tmp_path, fleet, a_plan(), 45, any_database_url, calm) as on:
        daemon = on.serve()
        on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] == 200, "200 in flight")
        end(daemon)  # kill -9
        on.serve()
        wait_for(lambda: bool(on.newest()["closed_at"]), "the run to end")
        row = on.newest()
        assert (row["status"], row["succeeded"] + row["nothing_to_do"]) == ("passed", 200)
        assert list(on.installations().values()) == [1] * 200


def test_kill_9_among_the_submits_patches_nobody_twice_and_loses_nobody(tmp_path, any_database_url):
    with staged(tmp_path, machines("w", 60, SLOW), a_plan(allow=60), 120, any_database_url) as on:
        daemon = on.serve()
        on.start("run", "nightly", "--json")
        for least in (5, 25):
            wait_for(lambda least=least: in_flight(on.newest()) >= least, f"{least} in flight")
            end(daemon)  # kill -9
            daemon = on.serve()
        wait_for(lambda: bool(on.newest()["closed_at"]), "the run to end")
        row = on.newest()
        traceless = on.rows("v_operations", run_id=row["run_id"], state="needs_human")
        started = on.installations()
        assert row["succeeded"] + row["nothing_to_do"] + row["needs_human"] == 60
        assert set(started.values()) == {1}
        assert set(started).isdisjoint({each["vm_id"] for each in traceless})
        assert len(started) + len(traceless) == 60


@pytest.mark.parametrize("temper", ["swallowed_reply", "swallowed_request"])
def test_a_connection_dropped_after_the_post_never_gets_a_second_one(tmp_path, temper):
    fleet = tuple(replace(m, temper=TEMPERS[temper]) for m in machines("w", 4))
    with staged(tmp_path, fleet, a_plan(), speed=120) as on:
        done = on.run("run", "nightly", "--json")
        row = json.loads(done.stdout)
        assert set(on.ledger()["posts"].values()) == {1}
        if temper == "swallowed_reply":
            assert (done.returncode, row["status"]) == (0, "passed")
        else:
            assert done.returncode == 4, done.stderr
            assert row["needs_human"] >= 1


def test_run_drives_alone_and_tells_each_end_by_its_code(tmp_path):
    plans = a_plan() + a_plan(parallel=1).replace("nightly", "careless").replace(
        "ring: w", "ring: x"
    )
    fleet = (*machines("w", 3), a_machine("x-00", TEMPERS["fails"]), a_machine("x-01"))
    with staged(tmp_path, fleet, plans, speed=600) as on:
        passed = on.run("run", "nightly")
        assert passed.returncode == 0, passed.stderr
        assert "3 succeeded" in passed.stdout or "nothing_to_do" in passed.stdout
        halted = on.run("run", "careless")
        assert halted.returncode == 3, halted.stderr
        assert "1 bad VM, 0 allowed" in halted.stdout
        again = on.run("run", "careless")
        assert (again.returncode, "--resume" in again.stderr) == (2, True)
        cancelled = on.run("cancel", "--because", "enough")
        assert cancelled.returncode == 0, cancelled.stderr
        followed = on.run("run", "careless", "--resume")
        assert followed.returncode == 5, followed.stderr
        with sqlite3.connect(tmp_path / "status.db") as database:
            found = database.execute("SELECT plan, status FROM v_runs ORDER BY opened_at")
            assert found.fetchall() == [("nightly", "passed"), ("careless", "cancelled")]
        database.close()


def test_beside_a_daemon_people_steer_through_its_door(tmp_path):
    with staged(tmp_path, machines("w", 12, SLOW), a_plan(parallel=2), speed=240) as on:
        daemon = on.serve()
        follower = on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] > 0, "a start")
        paused = on.run("pause")
        assert "paused: nothing starts any more" in paused.stdout
        wait_for(lambda: on.newest()["in_progress"] == 0, "what ran to end")
        assert on.newest()["status"] == "paused"
        assert "open again" in on.run("resume", "--because", "coffee is over").stdout
        halted = on.run("halt", "--because", "wrong night")
        assert halted.returncode == 0, halted.stderr
        assert "nothing to do" in on.run("halt", "--because", "again").stdout
        assert "cancelled" in on.run("cancel", "--because", "wrong night").stdout
        wait_for(lambda: bool(on.newest()["closed_at"]), "the end")
        follower.wait(timeout=60)
        assert follower.returncode == 4  # it came to rest when the run was paused
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=60) == 0, on.errors()
        assert on.newest()["cancelled"] > 0
        metrics = [line for line in on.errors().splitlines() if '"event"' in line]
        assert any("operation.moved" in line for line in metrics)


def test_sigterm_leaves_the_run_open_and_the_next_daemon_goes_on(tmp_path):
    with staged(tmp_path, machines("w", 6, SLOW), a_plan(parallel=3), speed=240) as on:
        daemon = on.serve()
        on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] == 3, "three starts")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=60) == 0, on.errors()
        assert on.newest()["status"] == "open"
        on.serve()
        wait_for(lambda: bool(on.newest()["closed_at"]), "the end")
        assert on.newest()["status"] == "passed"
        assert set(on.installations().values()) == {1}


def test_a_second_daemon_on_one_file_is_refused(tmp_path):
    with staged(tmp_path, machines("w", 1), a_plan()) as on:
        daemon = on.serve()
        second = on.run("serve")
        assert second.returncode == 6
        assert f"in use by another orchestrator, process {daemon.pid}" in second.stderr
        assert "Traceback" not in second.stderr


def test_the_demo_tells_its_story_and_leaves_a_database(tmp_path):
    with bare(tmp_path) as on:
        done = on.run("demo", "--keep", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "67 installations started, 0 VMs patched twice" in done.stdout
    assert "its answer was lost: looked up, not resent" in done.stdout
    query = "SELECT plan, status, vms, failed, warned FROM v_runs ORDER BY opened_at"
    with sqlite3.connect(tmp_path / "demo" / "demo.db") as database:
        rows = database.execute(query).fetchall()
        adopted = database.execute(
            "SELECT count(*) FROM v_events WHERE event = 'operation.accepted'"
            ' AND detail LIKE \'%"from":"unknown"%\''
        ).fetchone()
    database.close()
    assert rows == [("monthly", "passed", 62, 1, 1), ("careless", "halted", 8, 2, 0)]
    assert adopted == (1,)


@pytest.mark.parametrize(
    ("change", "arguments", "code", "said"),
    [
        ({}, ("run", "nihgtly"), 2, "Did you mean nightly?"),
        ({}, ("status", "no-such-run"), 6, "There is no database"),
        ({"database": "sqlite:///missing/status.db"}, ("run", "nightly"), 6, "there is no folder"),
        (
            {"database": "postgresql://nobody@127.0.0.1:1/none"},
            ("run", "nightly"),
            6,
            "127.0.0.1:1",
        ),
        ({"parallel": "lots"}, ("run", "nightly"), 2, "orchestrator.yaml:12"),
        ({}, ("run", "nightly"), 6, "Azure"),
        ({"token": ""}, ("run", "nightly"), 2, "ACCEPTANCE_TOKEN"),
    ],
)
def test_bad_input_is_one_clear_message_and_no_traceback(tmp_path, change, arguments, code, said):
    with bare(tmp_path) as on:
        on.configure(a_plan())
        path = tmp_path / "orchestrator.yaml"
        text = path.read_text()
        text = text.replace("sqlite:///status.db", change.get("database", "sqlite:///status.db"))
        text = text.replace("max_parallel: 200", f"max_parallel: {change.get('parallel', 200)}")
        path.write_text(text)
        if "token" in change:
            on.environ = {key: v for key, v in on.environ.items() if key != "ACCEPTANCE_TOKEN"}
        done = on.run(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_run_that_is_interrupted_stays_open(tmp_path):
    with staged(tmp_path, machines("w", 3, SLOW), a_plan(parallel=1), speed=240) as on:
        running = on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] == 1, "a start")
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 130, on.errors()
        assert on.newest()["status"] == "open"
        resumed: subprocess.CompletedProcess[str] = on.run("run", "nightly", "--resume", "--json")
        assert resumed.returncode == 0, resumed.stderr
        assert set(on.installations().values()) == {1}


def test_resume_takes_up_the_run_of_a_retry_and_opens_no_other(tmp_path):
    fleet = (a_machine("w-00", TEMPERS["fails_once"]), a_machine("w-01"))
    with staged(tmp_path, fleet, a_plan(allow=1), 600) as on:
        assert on.run("run", "nightly", "--json").returncode == 0
        retried = on.run("retry", "--because", "fixed the repository", on.newest()["run_id"])
        assert "opened run" in retried.stdout, retried.stderr
        resumed = on.run("run", "nightly", "--resume", "--json")
        row = json.loads(resumed.stdout)
        assert (resumed.returncode, row["status"], row["vms"]) == (0, "passed", 1)
        assert "-retry-" in row["run_id"]
        assert sorted(on.installations().values()) == [1, 2]


def test_beside_a_run_nothing_is_opened_that_nobody_would_drive(tmp_path):
    plans = a_plan(allow=1) + a_plan().replace("nightly", "second").replace("ring: w", "ring: x")
    fleet = (
        a_machine("w-00", TEMPERS["fails_once"]),
        a_machine("w-01"),
        a_machine("x-00", Temper(takes=timedelta(hours=3))),
    )
    with staged(tmp_path, fleet, plans, speed=240) as on:
        on.run("run", "nightly", "--json")
        ended = on.newest()["run_id"]
        on.start("run", "second", "--json")
        wait_for(lambda: on.newest()["plan"] == "second", "the run to be opened")
        wait_for(on.ready, "its door to open")
        for asked in (("run", "nightly"), ("retry", ended, "--because", "mended")):
            refused = on.run(*asked)
            assert (refused.returncode, "start `serve`" in refused.stderr) == (6, True)
        assert [row["plan"] for row in on.rows()] == ["nightly", "second"]


@pytest.mark.parametrize("who", ["another program", "the daemon of another database"])
def test_a_run_whose_port_is_taken_says_how_it_is_stopped(tmp_path, who):
    long = Temper(takes=timedelta(hours=3))
    with staged(tmp_path, machines("w", 1, long), a_plan(), speed=60) as on:
        if who == "another program":
            program = on.start("simulate", "--listen", f"127.0.0.1:{on.ports[FIRST]}")
            assert program.stdout is not None
            program.stdout.readline()
        else:
            (tmp_path / "elsewhere").mkdir()
            elsewhere = (tmp_path / f"{FIRST}.yaml").read_text().replace("status.db", "else.db")
            (tmp_path / "elsewhere" / f"{FIRST}.yaml").write_text(elsewhere)
            on.start("serve", "-c", f"elsewhere/{FIRST}.yaml")
            wait_for(on.ready, "the other daemon")
        running = on.start("run", "nightly", "--json")
        wait_for(lambda: on.newest()["in_progress"] == 1, "a start")
        assert f"SIGTERM to process {running.pid}" in on.errors()
        halted = on.run("halt", "--because", "wrong night")
        assert halted.returncode == 6
        assert f"{who} answers at http://127.0.0.1:{on.ports[FIRST]}" in halted.stderr
        assert f"process {running.pid}, cannot be reached there: end it" in halted.stderr
