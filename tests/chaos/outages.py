"""The database goes away in the middle of everything: stopped as by a crash, or a COMMIT's answer
is lost on the way.

The bars: nobody patched twice, nobody lost, and work goes on within 15 s of the server taking
connections again.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from subprocess import Popen

import asyncpg
from sqlalchemy.engine import make_url

from orchestrator.clock import WallClock
from tests.chaos.judging import verdict
from tests.chaos.proxy import Act, Fault, Judge, Proxy, Way, drawn
from tests.chaos.reporting import Part, Report, say
from tests.chaos.stage import TRACKING, Play, Setting, Stopwatch, playing, rest
from tests.postgres import PostgresServer, find_binaries

RESUMED_WITHIN_S = 15.0
LOST_COMMIT = Fault("answer of a COMMIT lost", down=Way(Act.CUT))
_GIVEN_UP_S = 60.0
_LOOK_EVERY_S = 0.02
_EVENTS = "SELECT coalesce(sum(seq), 0) FROM event_head"


def losing_commits(seed: int, rate: float) -> Judge:
    """Return a judge that cuts this share of connections right after a COMMIT was passed on."""
    numbers = count(1)

    def judge(piece: bytes) -> Fault | None:
        if b"COMMIT" not in piece:
            return None
        return LOST_COMMIT if drawn(seed, f"commit {next(numbers)}", rate) else None

    return judge


@contextmanager
def before_database(play: Play, judge: Judge) -> Iterator[Proxy]:
    """Put a proxy between the daemon of this stage and its PostgreSQL, while the block runs."""
    url = make_url(play.stage.database)
    with Proxy(url.port or 0, judge) as proxy:
        spoilt = url.set(port=proxy.port).render_as_string(hide_password=False)
        play.stage.configure(play.plans_text, database=spoilt, tracking=TRACKING)
        yield proxy


def resumed_after(url: str) -> float | None:
    """Return after how many seconds the daemon commits its next transition; None: it does not."""
    return asyncio.run(_resumed_after(url.replace("+asyncpg", "")))


async def _resumed_after(url: str) -> float | None:
    watch, clock = Stopwatch(), WallClock()
    connection = await asyncpg.connect(url)
    try:
        before = await connection.fetchval(_EVENTS)
        while watch.seconds < _GIVEN_UP_S:
            if await connection.fetchval(_EVENTS) != before:
                return watch.seconds
            await clock.sleep(_LOOK_EVERY_S)
    finally:
        await connection.close()
    return None


def stop_and_start(play: Play, server: PostgresServer, down: float) -> float | None:
    """Stop the server as by a crash, leave it down, start it, and wait for the daemon."""
    server.stop("immediate")
    rest(down)
    server.start()
    return resumed_after(play.stage.database)


def outages(options: Namespace) -> Report:
    """Stop PostgreSQL every 5 to 20 s for 0 to 5 s, while runs are driven one after the other."""
    report = Report(part="outages", seed=options.seed)
    setting = Setting(vms=options.vms, plans=2, parallel=40, takes=options.takes, seed=options.seed)
    with (
        closing(PostgresServer(find_binaries())) as server,
        playing("postgres", setting, server) as play,
    ):
        daemon = play.stage.serve()
        watch, stops = Stopwatch(), 0
        while watch.seconds < options.seconds:
            play.open_runs()
            rest(play.random.uniform(options.least, options.most))
            play.open_runs()  # so that there is work when the server is back
            stops += 1
            seconds = stop_and_start(play, server, play.random.uniform(0, options.down))
            _note(report, seconds, stops)
        play.wind_up(serve=False, seconds=180)
        return _judged(report, play, daemon, {"stops": stops}, options.operations)


def commits(options: Namespace) -> Report:
    """Lose the answer of a share of all COMMITs: what was written counts, and is not done again."""
    report = Report(part="commits", seed=options.seed)
    setting = Setting(vms=options.vms, plans=2, parallel=40, takes=options.takes, seed=options.seed)
    with (
        playing("postgres", setting) as play,
        before_database(play, losing_commits(options.seed, options.rate)) as proxy,
    ):
        daemon = play.stage.serve()
        watch = Stopwatch()
        while watch.seconds < options.seconds:
            play.open_runs()
            rest(1)
        proxy.judge = lambda _piece: None
        lost = proxy.counts[LOST_COMMIT.name]
        play.wind_up(serve=False, seconds=180)
        return _judged(report, play, daemon, {"answers of COMMIT lost": lost}, options.operations)


def _note(report: Report, seconds: float | None, stops: int) -> None:
    say(f"  stop {stops}: work went on after {'ever' if seconds is None else f'{seconds:.1f} s'}")
    report.samples.setdefault("seconds until work resumes", []).append(seconds or 0.0)
    if seconds is None or seconds > RESUMED_WITHIN_S:
        report.violations.append(f"after stop {stops} work went on only after {seconds} s")


def _judged(
    report: Report, play: Play, daemon: Popen[str], harm: dict[str, int], least: int
) -> Report:
    """Add what the ledger says, and whether there was harm and work enough to say anything."""
    found = verdict(play)
    report.counts.update(harm | found.counts)
    report.violations.extend(found.violations)
    if daemon.poll() is not None:
        report.violations.append(f"the daemon ended by itself with code {daemon.poll()}")
    if "Traceback" in play.stage.errors():
        report.violations.append("a daemon wrote a traceback")
    if not all(harm.values()):
        report.violations.append(f"no harm was done: {harm}")
    if found.counts["accepted by Azure"] < least:
        report.violations.append(f"only {found.counts['accepted by Azure']} of {least} operations")
    return report


def _stop_options(parser: ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=0, help="at least so many are patched")
    parser.add_argument("--vms", type=int, default=200, help="VMs of each of two plans")
    parser.add_argument("--takes", type=float, default=5.0, help="seconds of an installation")
    parser.add_argument("--least", type=float, default=5.0, help="seconds between two stops")
    parser.add_argument("--most", type=float, default=20.0, help="seconds between two stops")
    parser.add_argument("--down", type=float, default=5.0, help="at most so long is it down")


def _commit_options(parser: ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=0, help="at least so many are patched")
    parser.add_argument("--vms", type=int, default=100, help="VMs of each of two plans")
    parser.add_argument("--takes", type=float, default=3.0, help="seconds of an installation")
    parser.add_argument("--rate", type=float, default=0.02, help="the share of lost answers")


PARTS = (
    Part(
        name="outages",
        help="PostgreSQL stopped and started again and again",
        options=_stop_options,
        play=outages,
    ),
    Part(
        name="commits",
        help="the answers of a share of all COMMITs lost on the way from PostgreSQL",
        options=_commit_options,
        play=commits,
        share=0.3,
    ),
)
