"""Approvals, skips, ramps and gates with real processes: the command line, a daemon, a health
check."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.acceptance.processes import staged, wait_for
from tests.acceptance.test_driving import SLOW
from tests.kit.stage import machines

TWO = """\
  - name: nightly
    waves:
      - {name: canary, select: {tags: {ring: canary}}, max_parallel: 5}
      - {name: broad, select: {tags: {ring: broad}}, max_parallel: 1, approve: on-call}
"""
GATED = """\
  - name: nightly
    waves:
      - name: canary
        select: {tags: {ring: canary}}
        check: [{http: "URL", for: 1s, timeout: 2s}]
"""


@contextmanager
def health(answers: list[int]) -> Iterator[str]:
    """Serve a health check that answers the first status of the list; yields its URL."""

    class Check(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Check)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/healthz"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_a_wave_waits_is_steered_and_approved(tmp_path, any_database_url):
    fleet = (*machines("canary", 1), *machines("broad", 6, SLOW))
    with staged(tmp_path, fleet, TWO, 240, any_database_url) as on:
        on.serve()
        waits = on.run("run", "nightly", "--no-wait")
        assert waits.returncode == 4, waits.stderr
        assert "awaiting_approval" in waits.stdout
        assert on.run("skip", "--because", "moved").returncode == 2
        for said in ("1 VM will not start", "nothing to do"):
            skipped = on.run("skip", "broad-05", "--because", "being moved")
            assert said in skipped.stdout, skipped.stderr
        assert on.run("set", "max_parallel=0", "--because", "x").returncode == 2
        widened = on.run("set", "--wave", "broad", "max_parallel=100%", "--because", "it is late")
        assert "max_parallel is 5" in widened.stdout, widened.stderr
        refused = on.run("approve")
        assert (refused.returncode, "--because" in refused.stderr) == (2, True)
        assert len(on.installations()) == 1
        assert "broad is approved" in on.run("approve", "--because", "canary is well").stdout
        wait_for(lambda: bool(on.newest()["closed_at"]), "the end")
        row = on.newest()
        assert (row["status"], row["skipped"], len(on.installations())) == ("passed", 1, 6)
        (_, wave) = on.rows("v_waves", run_id=row["run_id"])
        assert (wave["approval"], wave["max_parallel"]) == ("on-call", 5)
        (line,) = on.rows("v_events", run_id=row["run_id"], event="wave.approved")
        assert (line["why"], line["actor"]) == ("canary is well", wave["approved_by"])


def test_a_health_check_that_is_red_halts_the_run_and_a_green_one_lets_it_pass(tmp_path):
    answers = [503]
    with (
        health(answers) as url,
        staged(tmp_path, machines("canary", 2), GATED.replace("URL", url), speed=600) as on,
    ):
        halted = on.run("run", "nightly", "--json")
        assert halted.returncode == 3, halted.stderr
        assert "is red since" in json.loads(halted.stdout)["reason"]
        assert "status 503, not 200" in on.run("status", on.newest()["run_id"]).stdout
        answers[0] = 200
        assert on.run("resume", "--because", "it answers again").returncode == 0
        passed = on.run("run", "nightly", "--resume", "--json")
        assert (passed.returncode, on.newest()["status"]) == (0, "passed"), passed.stderr
