"""The network between the daemon and Azure breaks: each way of breaking by itself, and counted.

A proxy of our own spoils a share of the installPatches requests, drawn by the seed. The bars: every
ambiguous submit ends adopted, refused or before a person within the settle time and one look; what
never arrived needs a person, always, and is not sent again; what was accepted with a lost answer
needs one in less than 5 of 100 cases.
"""

import re
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from tests.acceptance.processes import wait_for
from tests.chaos.judging import Doubt, Evidence, doubts_of, gather, judge
from tests.chaos.proxy import FINE, Act, Fault, Judge, Proxy, Way, drawn
from tests.chaos.reporting import Part, Report, say, table
from tests.chaos.stage import TRACKING, Play, Setting, Stopwatch, playing, rest

SETTLE_S, POLL_S, REQUEST_S = 3.0, 1.0, 2.0
"""As in `stage.TRACKING`."""
_SLACK_S = 2.0
"""What two busy cores may add to a look that is due."""
MOST_NEEDY = 0.05
REFUSED = Fault("refused")
"""Made by not listening: no connection ever meets it."""
FAULTS = {
    fault.name: fault
    for fault in (
        REFUSED,
        Fault("cut-before-request", up=Way(Act.CUT)),
        Fault("cut-in-request", up=Way(Act.CUT, after=200)),
        Fault("swallowed-request", up=Way(Act.SWALLOW)),
        Fault("cut-before-reply", down=Way(Act.CUT)),
        Fault("cut-in-reply", down=Way(Act.CUT, after=40)),
        Fault("swallowed-reply", down=Way(Act.SWALLOW)),
        Fault("half-open", down=Way(Act.HOLD)),
        Fault("late-reply", down=Way(delay=REQUEST_S + 1)),
        Fault("late-request", up=Way(delay=REQUEST_S + 0.5)),
    )
}
_REQUEST_ID = re.compile(rb"x-ms-client-request-id: *([0-9a-f-]{36})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Doubted:
    """One ambiguous submit: what spoiled it, how it ended, and after how long (seconds)."""

    fault: str
    doubt: Doubt
    seconds: float | None
    sent_again: bool


def spoiling(fault: Fault, seed: int, rate: float) -> Judge:
    """Return a judge that spoils this share of the installPatches requests, drawn by VM."""

    def judge_of(piece: bytes) -> Fault | None:
        line = piece.partition(b"\r\n")[0]
        if not line.startswith(b"POST ") or b"/installPatches" not in line:
            return None
        return fault if drawn(seed, line.decode("ascii", "replace"), rate) else FINE

    return judge_of


def before_azure(play: Play, judge_of: Judge) -> Proxy:
    """Return a proxy that stands before the simulated Azure of this stage, not yet entered."""
    return Proxy(urlsplit(play.stage.azure).port or 0, judge_of)


def through(play: Play, proxy: Proxy, tracking: str = TRACKING) -> None:
    """Have the daemon believe that Azure is where the proxy listens."""
    play.stage.configure(play.plans_text, endpoint=proxy.url, tracking=tracking)


def sent_by(proxy: Proxy) -> dict[str, str]:
    """Return the fault that each request met, by its client request id."""
    found = ((_REQUEST_ID.search(heard.said), heard.fault.name) for heard in proxy.heard)
    return {match[1].decode(): name for match, name in found if match is not None}


def spoil(fault: Fault, *, vms: int, rate: float, seed: int, wait: float = 240.0) -> Report:
    """Play one run with one kind of fault, to its close, and judge it."""
    refusing = fault is REFUSED
    setting = Setting(vms=vms, parallel=16 if refusing else vms, takes=2.0, seed=seed)
    with (
        playing("sqlite", setting) as play,
        before_azure(play, spoiling(fault, seed, 0 if refusing else rate)) as proxy,
    ):
        through(play, proxy)
        play.stage.serve()
        play.open_runs()
        if refusing:
            _refuse_now_and_then(proxy, vms / 8, seed, rate)
        wait_for(lambda: bool(play.stage.newest()["closed_at"]), "the run to end", wait)
        return told(fault, gather(play), sent_by(proxy), seed)


def _refuse_now_and_then(proxy: Proxy, seconds: float, seed: int, rate: float) -> None:
    watch, turn = Stopwatch(), 0
    while watch.seconds < seconds:
        turn += 1
        (proxy.refuse if drawn(seed, f"refuse {turn}", rate) else proxy.accept)()
        rest(0.3)
    proxy.accept()


def told(fault: Fault, evidence: Evidence, faults: Mapping[str, str], seed: int) -> Report:
    """Count how the ambiguous submits of one kind ended, and say what should not be."""
    met = list(doubted(evidence, faults))
    ends = Counter(each.doubt.end for each in met)
    unsent = sum(row["ended_as"] in {"not_sent", "abandoned"} for row in evidence.attempts)
    spoiled = sum(name == fault.name for name in faults.values())
    counts = {"spoiled": spoiled, "proved not sent": unsent, "ambiguous": len(met), **ends}
    violations = [*judge(evidence).violations, *_beyond_the_bars(fault, met)]
    if not (spoiled or unsent):
        violations.append("nothing was spoiled: the proxy stood beside the way")
    return Report(
        part="network",
        seed=seed,
        counts={f"{fault.name}: {name}": number for name, number in counts.items() if number},
        samples={f"{fault.name}: seconds in doubt": [e.seconds for e in met if e.seconds]},
        violations=[f"{fault.name}: {sentence}" for sentence in violations],
    )


def doubted(evidence: Evidence, faults: Mapping[str, str]) -> Iterator[Doubted]:
    """Yield every ambiguous submit with the fault it met."""
    spans = _spans(evidence)
    of = {row["id"]: row for row in evidence.attempts}
    for doubt in doubts_of(evidence):
        row = of[doubt.attempt]
        again = any(
            other["vm_id"] == row["vm_id"]
            and other["run_id"] == row["run_id"]
            and other["intent_at"] > row["intent_at"]
            for other in evidence.attempts
        )
        fault = faults.get(doubt.attempt, REFUSED.name)
        yield Doubted(fault, doubt, spans.get((row["run_id"], row["vm_id"])), again)


def _spans(evidence: Evidence) -> dict[tuple[str, str], float]:
    """Return how long each operation was in its newest doubt, in seconds."""
    since: dict[tuple[str, str], datetime] = {}
    lasted: dict[tuple[str, str], float] = {}
    for row in evidence.events:
        place, at = (row["run_id"], row["vm_id"]), datetime.fromisoformat(row["at"])
        if row["event"] == "operation.doubted":
            since[place] = at
        elif (began := since.pop(place, None)) is not None:
            lasted[place] = (at - began).total_seconds()
    return lasted


def _beyond_the_bars(fault: Fault, met: list[Doubted]) -> Iterator[str]:
    longest = SETTLE_S + POLL_S + REQUEST_S + _SLACK_S
    for each in met:
        if each.seconds is None or each.seconds > longest:
            yield f"attempt {each.doubt.attempt} was in doubt for {each.seconds} s"
        if not each.doubt.arrived and (each.doubt.end != "needs a person" or each.sent_again):
            yield f"attempt {each.doubt.attempt} never arrived, and ended {each.doubt.end}"
        if each.fault not in {fault.name, REFUSED.name}:
            yield f"attempt {each.doubt.attempt} is in doubt, though it met {each.fault}"
    accepted = [each for each in met if each.doubt.arrived]
    needy = sum(each.doubt.end == "needs a person" for each in accepted)
    if needy >= MOST_NEEDY * max(1, len(accepted)):
        yield f"{needy} of {len(accepted)} accepted ones need a person"


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=200, help="VMs for each kind of fault")
    parser.add_argument("--rate", type=float, default=0.5, help="the share that is spoiled")
    parser.add_argument("--fault", choices=("all", *FAULTS), default="all", help="one kind")


def _play(options: Namespace) -> Report:
    whole = Report(part="network", seed=options.seed)
    for name in FAULTS if options.fault == "all" else (options.fault,):
        piece = spoil(FAULTS[name], vms=options.operations, rate=options.rate, seed=options.seed)
        say(table([piece]))
        whole.counts.update(piece.counts)
        whole.samples.update(piece.samples)
        whole.violations.extend(piece.violations)
    return whole


PARTS = (
    Part(
        name="network",
        help="requests to Azure cut, swallowed, delayed, refused: every kind by itself",
        options=_options,
        play=_play,
        usual=tuple(("--fault", name) for name in FAULTS),
        share=0.1,
    ),
)
