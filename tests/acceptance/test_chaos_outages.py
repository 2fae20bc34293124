"""Short forms of the campaigns against network, database and disk, and of the figures (the long
ones: `make chaos`); and the proxy that breaks connections."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos import disk, figures, network, outages
from tests.chaos.judging import Evidence
from tests.chaos.proxy import FINE, Act, Fault, Proxy, Way, drawn
from tests.chaos.reporting import Report

SMALL = {"vms": 30, "operations": 30, "takes": 1.5}


def short(**given):
    return Namespace(seconds=0.0, seed=1, **given)


# ---------------------------------------------------------------------------------- real processes


def test_a_request_that_arrives_after_its_time_out_is_found_and_not_sent_again():
    report = network.spoil(network.FAULTS["late-request"], vms=24, rate=0.5, seed=1)
    assert report.violations == []
    assert report.counts["late-request: adopted"] == report.counts["late-request: ambiguous"] > 5


def test_postgresql_stopped_in_the_middle_patches_nobody_twice_and_loses_nobody():
    often = {"least": 0.7, "most": 1.2, "down": 0.5}
    report = outages.outages(Namespace(seconds=2.0, seed=1, **SMALL, **often))
    assert report.violations == []
    assert report.counts["stops"] > 0


def test_a_commit_whose_answer_was_lost_counts_and_is_not_done_again():
    report = outages.commits(Namespace(seconds=2.0, seed=1, rate=0.1, **SMALL))
    assert report.violations == []
    assert report.counts["answers of COMMIT lost"] > 0


def test_a_full_disk_sends_nothing_without_an_intent_and_work_goes_on_when_there_is_room():
    report = disk.full(short(how="limit", operations=40, least=2))
    assert report.violations == []
    assert report.counts["times nothing was written"] > 0


def test_a_halt_holds_at_once_and_no_byte_of_a_submit_is_late():
    report = Report(part="halt", seed=1)
    figures.halt_once(report, "sqlite", "act", seed=1, vms=200)
    assert report.violations == []
    assert report.counts["intents behind the halt"] == 0


# ------------------------------------------------------------------------------------- the judges


def an_event(name, at, vm="/vm/a", **given):
    event = {"run_id": "r", "vm_id": vm, "event": f"operation.{name}", "at": f"2026-11-22T22:{at}Z"}
    return {**event, "detail": '{"changed": {"operation": {"attempt_id": "one"}}}', **given}


def in_doubt(*, arrived, end, until="00:03", sent_again=False):
    """What is left of one ambiguous submit."""
    one = {"client_request_id": "one", "vm_id": "/vm/a", "activity_id": "x", "started_by": "User"}
    attempt = {"run_id": "r", "vm_id": "/vm/a", "ended_as": "unknown"}
    attempts = [{**attempt, "id": "one", "intent_at": "1"}]
    attempts += [{**attempt, "id": "two", "intent_at": "2"}] if sent_again else []
    names = (("intended", "00:00"), ("doubted", "00:00"), (end, until))
    return Evidence(
        ledger={"installations": [one] if arrived else [], "posts": {}},
        runs=[],
        operations=[],
        attempts=attempts,
        events=[an_event(name, at) for name, at in names],
        grants={},
    )


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (in_doubt(arrived=False, end="escalated"), None),
        (in_doubt(arrived=True, end="accepted"), None),
        (in_doubt(arrived=False, end="deferred"), "never arrived, and ended refused"),
        (in_doubt(arrived=False, end="escalated", sent_again=True), "never arrived"),
        (in_doubt(arrived=True, end="escalated"), "1 of 1 accepted ones need a person"),
        (in_doubt(arrived=True, end="accepted", until="01:00"), "was in doubt for 60.0 s"),
    ],
)
def test_the_bars_of_the_network_bite(evidence, said):
    fault = network.FAULTS["swallowed-reply"]
    met = list(network.doubted(evidence, {"one": fault.name}))
    violations = list(network._beyond_the_bars(fault, met))
    assert len(met) == 1
    assert (said is None and violations == []) or any(said in each for each in violations)


# -------------------------------------------------------------------------------------- the proxy


@asynccontextmanager
async def behind(fault: Fault) -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    """Serve on loopback what answers `pong` to each piece, behind a proxy with this fault."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(100):
                heard.append(piece)
                writer.write(b"pong")
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with Proxy(port, lambda piece: fault if piece.startswith(b"ping") else None) as proxy:
            yield proxy, heard
    finally:
        server.close()


async def asked(proxy: Proxy, patience: float = 0.5) -> str:
    """Send `ping` through the proxy, and say what came of it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    except ConnectionRefusedError:
        return "refused"
    try:
        writer.write(b"ping")
        async with asyncio.timeout(patience):
            return (await reader.read(100)).decode() or "closed"
    except TimeoutError:
        return "silence"
    except ConnectionResetError:
        return "reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("fault", "answer", "arrived"),
    [
        (FINE, "pong", b"ping"),
        (Fault("cut before", up=Way(Act.CUT)), "reset", b""),
        (Fault("cut within", up=Way(Act.CUT, after=2)), "reset", None),  # half of it, or nothing
        (Fault("swallowed", up=Way(Act.SWALLOW)), "silence", b""),
        (Fault("answer cut", down=Way(Act.CUT)), "reset", b"ping"),
        (Fault("answer cut within", down=Way(Act.CUT, after=2)), None, b"ping"),
        (Fault("answer swallowed", down=Way(Act.SWALLOW)), "silence", b"ping"),
        (Fault("half open", down=Way(Act.HOLD)), "silence", b"ping"),
        (Fault("late answer", down=Way(delay=0.1)), "pong", b"ping"),
        (Fault("late answer, too late", down=Way(delay=5)), "silence", b"ping"),
    ],
    ids=lambda given: given.name if isinstance(given, Fault) else "",
)
async def test_the_proxy_breaks_a_connection_as_it_was_told(fault, answer, arrived):
    async with behind(fault) as (proxy, heard):
        got = await asked(proxy)
        assert answer is None or got == answer
        assert arrived is None or b"".join(heard) == arrived
        assert proxy.counts[fault.name] == 1


async def test_the_proxy_refuses_and_accepts_again_on_the_same_port():
    async with behind(FINE) as (proxy, _heard):
        port = proxy.port
        proxy.refuse()
        assert await asked(proxy) == "refused"
        proxy.accept()
        assert (await asked(proxy), proxy.port) == ("pong", port)


def test_the_same_seed_draws_the_same_and_about_the_share_that_was_asked_for():
    draws = [drawn(7, f"vm-{number}", 0.3) for number in range(1000)]
    assert draws == [drawn(7, f"vm-{number}", 0.3) for number in range(1000)]
    assert 250 < sum(draws) < 350
    assert sum(drawn(8, f"vm-{number}", 0.3) for number in range(1000)) not in {0, 1000}
