"""How fast: the way back after a kill with a thousand VMs in flight, and how soon a halt holds.

The bars: the first tick within 10 s of the process's start and every VM followed again within
60 s; no intent behind the halt's commit, no byte of a submit later than 5 s after it, and every
daemon knows it within 2 s.
"""

import json
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from datetime import datetime

from sqlalchemy import Connection, select

from orchestrator.clock import WallClock
from orchestrator.store import schema
from tests.acceptance.processes import FIRST, end, wait_for
from tests.chaos.judging import Evidence, gather, judge, verdict
from tests.chaos.network import before_azure, spoiling
from tests.chaos.proxy import FINE, Proxy
from tests.chaos.reporting import Part, Report, say
from tests.chaos.stage import TRACKING, DatabaseKind, Play, Setting, Stopwatch, playing, rest

FIRST_TICK_WITHIN_S = 10.0
FOLLOWED_WITHIN_S = 60.0
LAST_BYTE_WITHIN_S = 5.0
KNOWN_WITHIN_S = 2.0
SECOND = "second"
_CHECKPOINT_S = 30.0
"""The polling state in the database is true to within this time (design 8)."""
_IN_FLIGHT = ("submitting", "unknown", "in_progress", "verifying")
_FOLLOWED = ("in_progress", "verifying")
_AS_DEFAULT = (
    "poll: 9s, settle: 15s, send_within: 5s, request_timeout: 30s, overdue: 10m, max_unknown: 10000"
)
"""The product's own figures but for the look for lost answers, which nothing here needs, and for
the polls: below 10 s they are periodic, so that each VM is soon seen to be followed."""

# --------------------------------------------------------------------------------------- recovery


def recovery(options: Namespace) -> Report:
    """Kill the daemon with so many VMs in flight, start the next, and time how it comes back."""
    report = Report(part="recovery", seed=options.seed)
    setting = Setting(
        vms=_and_spare(options.operations),
        parallel=_and_spare(options.operations),
        takes=options.takes,
        seed=options.seed,
    )
    with playing(options.database, setting) as play:
        long = play.plans_text.replace("min_interval: 0s", "max_duration: 20h")
        play.stage.configure(long, tracking=_AS_DEFAULT)
        daemon = play.stage.serve()
        play.open_runs()
        starting = Stopwatch()
        wait_for(lambda: _in_flight(play) >= options.operations, "enough in flight")
        rest(min(_CHECKPOINT_S, options.takes / 4))  # so that there is polling state to go on from
        in_flight = _in_flight(play)
        end(daemon)
        say(f"  {in_flight} VMs in flight after {starting.seconds:.1f} s; kill -9")
        _come_back(play, report)
        play.wind_up(serve=False, seconds=2 * options.takes)
        found = verdict(play)
    report.counts.update({f"in flight at the kill ({options.database})": in_flight})
    report.counts.update(found.counts)
    report.violations.extend(found.violations)
    return report


def _and_spare(vms: int) -> int:
    """Return some more: on a busy machine a few intents come too late and wait for a minute."""
    return vms + vms // 4


def _in_flight(play: Play) -> int:
    return int(sum(play.states()[state] for state in _FOLLOWED))


def _come_back(play: Play, report: Report) -> None:
    began, watch = WallClock().now(), Stopwatch()
    rows = play.stage.rows("v_operations")
    waiting = {row["vm_id"] for row in rows if row["state"] in _FOLLOWED}
    play.stage.launch()
    wait_for(play.stage.ready, "the first tick")
    first = watch.seconds
    polled = _polled_again(play, waiting, began, watch)
    last = max(polled.values(), default=0.0)
    report.samples["seconds to the first tick"] = [first]
    report.samples["seconds to the first VM followed"] = [min(polled.values(), default=0.0)]
    report.samples["seconds until each is followed"] = sorted(polled.values())
    say(f"  first tick after {first:.1f} s, {len(polled)} followed again after {last:.1f} s")
    if first > FIRST_TICK_WITHIN_S:
        report.violations.append(f"the first tick came after {first:.1f} s")
    if last > FOLLOWED_WITHIN_S or waiting - polled.keys():
        missing = len(waiting - polled.keys())
        report.violations.append(f"the last was followed after {last:.1f} s, {missing} never")


def _polled_again(
    play: Play, waiting: set[str], began: datetime, watch: Stopwatch
) -> dict[str, float]:
    """Return after how many seconds each VM was asked about; the checkpoint tells it later."""
    polled: dict[str, float] = {}
    while waiting - polled.keys() and watch.seconds < FOLLOWED_WITHIN_S + 2 * _CHECKPOINT_S:
        for row in play.stage.rows("v_operations"):
            at = max(filter(None, (row["last_polled_at"], row["finished_at"])), default=None)
            if at is None or row["vm_id"] not in waiting - polled.keys():
                continue  # its row is not told of yet, or it was not there to be followed
            seconds = (datetime.fromisoformat(at) - began).total_seconds()
            if seconds > 0:
                polled[row["vm_id"]] = seconds
        rest(0.5)
    return polled


# ------------------------------------------------------------------------------------------- halt


def halting(options: Namespace) -> Report:
    """Halt runs that start many VMs, again and again: by an act, or by a broken budget."""
    report, watch, turn = Report(part="halt", seed=options.seed), Stopwatch(), 0
    while turn < options.least or watch.seconds < options.seconds - 20:
        halt_once(report, options.database, options.by, options.seed + turn, options.operations)
        turn += 1
    return report


def halt_once(report: Report, database: DatabaseKind, by: str, seed: int, vms: int) -> None:
    """Halt one run while it starts its VMs; on PostgreSQL there are two daemons."""
    budget = by == "budget"
    setting = Setting(vms=vms, parallel=vms // 4, takes=1.0, seed=seed)
    with ExitStack() as stack:
        play = stack.enter_context(playing(database, setting))
        proxy = stack.enter_context(before_azure(play, spoiling(FINE, seed, 0)))
        allowed = "allow_failures: 0" if budget else f"allow_failures: {vms}"
        plans = play.plans_text.replace(f"allow_failures: {vms}", allowed)
        names = (FIRST, SECOND) if database == "postgres" else (FIRST,)
        for name in names:
            play.stage.configure(plans, name=name, endpoint=proxy.url, tracking=TRACKING)
        daemons = {play.stage.serve(name).pid: name for name in names}
        play.open_runs()
        asked = None if budget else _ask_to_halt(play, daemons)
        wait_for(lambda: play.stage.newest()["status"] == "halted", "the halt")
        wait_for(lambda: _quiet(play), "what runs to end")
        _measure(report, gather(play), proxy, asked)


def _ask_to_halt(play: Play, daemons: dict[int, str]) -> datetime:
    """Send the act through the door of a daemon that does not drive the run, if there is one."""
    wait_for(lambda: sum(play.states().values()) >= 20, "some to be in flight")
    run = play.stage.newest()["run_id"]
    holder = play.stage.read(lambda store: store._read(_holder))
    others = [name for pid, name in daemons.items() if f":{pid}:" not in holder]
    rest(play.random.uniform(0, 1.5))
    at = WallClock().now()
    play.stage.ask((others or [FIRST])[0], act="halt", run=run, because="the figures ask for it")
    return at


def _holder(connection: Connection) -> str:
    return str(connection.execute(select(schema.lease.c.holder)).scalar_one())


def _quiet(play: Play) -> bool:
    states = play.states()
    return not any(states[state] for state in ("preparing", *_IN_FLIGHT))


def _measure(report: Report, evidence: Evidence, proxy: Proxy, asked: datetime | None) -> None:
    halt = next(row for row in evidence.events if row["event"] == "run.halted")
    halted_at = datetime.fromisoformat(halt["at"])  # a little before its commit: never flattering
    intents = [row for row in evidence.events if row["event"] == "operation.intended"]
    behind = [row for row in intents if row["seq"] > halt["seq"]]
    bytes_at = [heard.passed_at for heard in proxy.heard if heard.passed_at is not None]
    last = max(((at - halted_at).total_seconds() for at in bytes_at), default=0.0)
    left = sum(row["state"] == "queued" for row in evidence.operations)
    _add(report, "halts", 1)
    _add(report, "intents before the halt", len(intents) - len(behind))
    _add(report, "intents behind the halt", len(behind))
    _add(report, "VMs left alone", left)
    report.samples.setdefault("seconds from the halt to the last byte", []).append(max(0.0, last))
    wrong = [f"{row['vm_id']} was intended behind the halt" for row in behind]
    if last > LAST_BYTE_WITHIN_S:
        wrong.append(f"the last byte of a submit came {last:.1f} s after the halt")
    if not left or not intents:
        wrong.append("the halt did not come among the starts: it proves nothing")
    if asked is not None:
        known = (halted_at - asked).total_seconds()
        report.samples.setdefault("seconds from the act to the halt", []).append(known)
        if known > KNOWN_WITHIN_S:
            wrong.append(f"the driver knew of the act only after {known:.1f} s")
    said = json.loads(halt["detail"]).get("code", "")
    say(f"  halted ({said or 'by an act'}): {len(intents)} intents, last byte {last:+.2f} s")
    report.violations.extend([*wrong, *judge(evidence).violations])


def _add(report: Report, name: str, number: int) -> None:
    report.counts[name] = report.counts.get(name, 0) + number


# ------------------------------------------------------------------------------------------ parts


def _recovery_options(parser: ArgumentParser) -> None:
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--operations", type=int, default=1000, help="VMs in flight at the kill")
    parser.add_argument("--takes", type=float, default=200.0, help="seconds of an installation")


def _halt_options(parser: ArgumentParser) -> None:
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--by", choices=("act", "budget"), default="act")
    parser.add_argument(
        "--operations", type=int, default=600, help="VMs, a quarter of them at once"
    )
    parser.add_argument("--least", type=int, default=1, help="at least so many halts")


PARTS = (
    Part(
        name="recovery",
        help="how fast a daemon is back after a kill with 1,000 VMs in flight",
        options=_recovery_options,
        play=recovery,
        usual=(("--database", "sqlite"), ("--database", "postgres")),
        share=0.5,
    ),
    Part(
        name="halt",
        help="how soon a halt holds: intents, bytes on the wire, other daemons",
        options=_halt_options,
        play=halting,
        usual=tuple(
            ("--database", database, "--by", by)
            for database in ("sqlite", "postgres")
            for by in ("act", "budget")
        ),
        share=0.1,
    ),
)
