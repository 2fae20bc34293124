"""What probes and Prometheus read."""

from datetime import timedelta

import pytest

from orchestrator.domain.record import SafeMode
from orchestrator.http.probes import PROOF, QUESTION
from orchestrator.http.token import proof
from orchestrator.ports import StoreUnavailableError
from tests.contract.http.bench import EVENING, TOKEN, Bench

SECRET_PLACE = "/srv/private/orchestrator.db"


async def test_a_daemon_whose_engine_scans_is_alive_and_ready(bench: Bench):
    async with bench.served() as visitor:
        assert (await visitor.ask("GET", "/livez")).said == {"status": "alive"}
        assert (await visitor.ask("GET", "/readyz")).said == {"status": "ready"}


async def test_a_daemon_proves_whose_it_is_and_an_overheard_proof_serves_nobody(bench: Bench):
    async with bench.served() as visitor:
        asked = [await visitor.ask("GET", "/livez", headers={QUESTION: q * 32}) for q in "ab"]
        malformed = await visitor.ask("GET", "/livez", headers={QUESTION: "x"})
    assert [reply.headers[PROOF] for reply in asked] == [proof(TOKEN, q * 32) for q in "ab"]
    assert asked[0].headers[PROOF] != asked[1].headers[PROOF]
    assert PROOF not in malformed.headers


@pytest.mark.parametrize(("age", "status"), [(0, 200), (59.9, 200), (60, 503), (4000, 503)])
async def test_an_engine_that_has_not_scanned_for_a_minute_is_not_alive(bench: Bench, age, status):
    bench.clock.turn_to(EVENING + timedelta(seconds=age))
    async with bench.served() as visitor:
        assert (await visitor.ask("GET", "/livez")).status == status


async def test_a_daemon_that_just_started_is_alive_but_not_ready(bench: Bench):
    bench.scanned_at = None
    async with bench.served() as visitor:
        assert (await visitor.ask("GET", "/livez")).status == 200
        ready = await visitor.ask("GET", "/readyz")
        assert (ready.status, ready.code) == (503, "starting")


async def test_a_daemon_that_never_comes_to_its_first_scan_dies(bench: Bench):
    bench.scanned_at = None
    bench.clock.turn_to(EVENING + timedelta(seconds=75))
    async with bench.served() as visitor:
        reply = await visitor.ask("GET", "/livez")
    assert reply.status == 503
    assert "75 s" in reply.message


async def test_a_clock_that_was_set_back_kills_nobody(bench: Bench):
    bench.scanned_at = EVENING + timedelta(hours=1)
    async with bench.served() as visitor:
        assert (await visitor.ask("GET", "/livez")).status == 200


async def test_a_daemon_without_its_database_is_alive_but_not_ready(bench: Bench):
    bench.database_error = StoreUnavailableError(f"{SECRET_PLACE} is full")
    async with bench.served() as visitor:
        assert (await visitor.ask("GET", "/livez")).status == 200
        ready = await visitor.ask("GET", "/readyz")
    assert (ready.status, ready.code) == (503, "database_unreachable")
    assert SECRET_PLACE.encode() not in ready.content
    assert bench.memory.troubles == [("database", f"{SECRET_PLACE} is full")]


async def test_a_daemon_in_safe_mode_is_ready_for_the_one_who_ends_it_and_says_so(bench: Bench):
    bench.safe_mode = SafeMode(since=EVENING, code="older_copy", reason=f"{SECRET_PLACE} is old")
    async with bench.served() as visitor:
        ready = await visitor.ask("GET", "/readyz")
    assert (ready.status, ready.said) == (200, {"status": "ready", "safe_mode": "older_copy"})


async def test_metrics_are_prometheus_text_as_they_were_given(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.ask("GET", "/metrics")
        assert reply.content == b"orchestrator_runs_driven 1.0\n"
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (await visitor.ask("HEAD", "/metrics")).content == b""


async def test_metrics_that_cannot_be_read_are_a_bug_and_no_traceback(bench: Bench):
    def broken() -> bytes:
        raise RuntimeError(SECRET_PLACE)

    async with bench.served(metrics=broken) as visitor:
        reply = await visitor.ask("GET", "/metrics")
    assert (reply.status, reply.code) == (500, "internal")
    assert b"Traceback" not in reply.content
    assert SECRET_PLACE.encode() not in reply.content
    assert [where for where, _ in bench.memory.crashes] == ["http GET /metrics"]
