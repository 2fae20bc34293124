"""The real processes on a database that went back in time, or is not well."""

import shutil
import sqlite3
from contextlib import closing

from tests.acceptance.processes import end, staged, wait_for
from tests.acceptance.test_driving import SLOW, a_plan, in_flight
from tests.kit.stage import machines


def snapped(source, target):
    """Copy a live database, as a backup tool does."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target


def all_over(on):
    """Tell whether every installation that Azure ever began has ended."""
    return all(each["ended_at"] for each in on.ledger()["installations"])


def put_back(copy, file):
    for leftover in (f"{file}-wal", f"{file}-shm"):
        file.with_name(leftover.rsplit("/", 1)[-1]).unlink(missing_ok=True)
    shutil.copy(copy, file)


def test_an_old_copy_put_back_starts_nothing_until_it_is_confirmed_and_nobody_twice(tmp_path):
    with staged(tmp_path, machines("w", 8, SLOW), a_plan(parallel=4, allow=8), 150) as on:
        file = tmp_path / "status.db"
        daemon = on.serve()
        on.start("run", "nightly", "--json")
        wait_for(lambda: bool(on.rows()), "the run to open")
        wait_for(lambda: in_flight(on.newest()) >= 1, "a start")
        copy = snapped(file, tmp_path / "copy.db")
        wait_for(lambda: len(on.installations()) >= 6, "starts that the copy has forgotten")
        end(daemon)  # kill -9
        posts = on.ledger()["posts"]
        put_back(copy, file)
        on.serve()
        wait_for(lambda: bool(on.rows("v_events", event="survey.ended")), "the survey's end")
        run_id = on.newest()["run_id"]
        assert on.ledger()["posts"] == posts
        assert on.rows("v_events", event="survey.found")
        said = on.run("status")
        assert (said.returncode, "safe mode since" in said.stdout) == (0, True)
        refused = on.run("run", "nightly")
        assert (refused.returncode, "db confirm" in refused.stderr) == (4, True), refused.stderr
        assert on.run("db", "check").returncode == 4
        assert on.ledger()["posts"] == posts
        wait_for(lambda: all_over(on), "what the copy has forgotten to end")  # else each is busy
        confirmed = on.run("db", "confirm", "--because", "looked at every one of them")
        assert confirmed.returncode == 0, confirmed.stderr
        wait_for(lambda: bool(on.rows(run_id=run_id)[0]["closed_at"]), "the run to end")
        assert set(on.installations().values()) == {1}
        assert on.run("db", "check").returncode == 0, on.errors()


def test_a_backup_is_a_copy_that_waits_for_its_confirmation(tmp_path):
    with staged(tmp_path, machines("w", 2), a_plan(), 600) as on:
        assert on.run("run", "nightly", "--json").returncode == 0
        assert on.run("db", "backup", "copy.db").returncode == 0
        again = on.run("db", "backup", "copy.db")
        assert (again.returncode, "--force" in again.stderr) == (2, True)
        put_back(tmp_path / "copy.db", tmp_path / "status.db")
        refused = on.run("run", "nightly")
        assert (refused.returncode, "db confirm" in refused.stderr) == (4, True), refused.stderr
        assert on.run("db", "confirm", "--because", "restored").returncode == 0  # no daemon runs
        assert "nothing to do" in on.run("db", "confirm", "--because", "again").stdout
        assert on.run("run", "nightly", "--json").returncode == 0


def test_a_damaged_file_is_refused_with_one_sentence(tmp_path):
    with staged(tmp_path, machines("w", 2), a_plan(), 600) as on:
        assert on.run("run", "nightly", "--json").returncode == 0
        posts = on.ledger()["posts"]
        content = bytearray((tmp_path / "status.db").read_bytes())
        content[4096:8192] = bytes(4096)
        (tmp_path / "status.db").write_bytes(content)
        for command in (["serve"], ["run", "nightly"], ["db", "check"], ["status"]):
            done = on.run(*command)
            assert done.returncode in {1, 6}, (command, done.stdout, done.stderr)
            assert "damaged" in done.stdout + done.stderr, command
            assert "Traceback" not in done.stderr
        assert on.ledger()["posts"] == posts
