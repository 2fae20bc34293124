"""SIGSTOP of the daemon that drives, for longer than its lease; SIGCONT while another drives.

Two daemons on one PostgreSQL. Whichever drives is stopped, the other takes over, and the first
wakes up with its old view, its old lease, and perhaps an answer that waits in a socket. As nobody
hands a lease back, stopping whoever drives alternates between the two.
"""

import signal
import subprocess
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import dataclass, field

from orchestrator.engine.doors import Rhythm
from tests.acceptance.processes import FIRST
from tests.chaos.judging import verdict
from tests.chaos.reporting import Part, Report, say
from tests.chaos.stage import Play, Setting, Stopwatch, playing, rest

SECOND = "second"
FAILOVER_S = 20.0
"""How long a run may be without a driver (the bar of reliability F12)."""
_GIVE_UP_S = 60.0
_WIND_UP_S = 40.0
_ONE_S = 24.0
"""About what one pause takes: none is begun that would not fit."""


@dataclass
class Pausing:
    """One campaign: its figures so far."""

    play: Play
    daemons: dict[str, subprocess.Popen[str]]
    pauses: list[float] = field(default_factory=list)
    failovers: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def pause(self) -> None:
        """Stop who drives most, wait for the successor, wake it up, let both go on."""
        play, draw = self.play, self.play.random.uniform
        play.operator.work(play.stage)
        play.open_runs()
        name, process = self._driving()
        rest(draw(0.0, 1.0))
        aimed = play.await_intent(draw(0.0, 2.0))
        self._while_stopped(process, other=SECOND if name == FIRST else FIRST)
        self.counts["with an intent on its way" if aimed else "with no intent on its way"] += 1
        self.counts[f"of daemon {name}"] += 1
        rest(draw(0.5, 1.5))
        self._still_there()

    def _while_stopped(self, process: subprocess.Popen[str], other: str) -> None:
        play, watch = self.play, Stopwatch()
        process.send_signal(signal.SIGSTOP)
        try:
            if not play.await_successor(process.pid, _GIVE_UP_S):
                self.violations.append(f"nobody took over within {_GIVE_UP_S} s")
            self.failovers.append(watch.seconds)
            if play.random.random() < 0.8:  # else it wakes up in the middle of the takeover
                rest(play.random.uniform(0.0, 3.0))
                play.open_runs(other)
            rest(Rhythm().lease.total_seconds() + 0.1 - watch.seconds)
        finally:
            process.send_signal(signal.SIGCONT)
        self.pauses.append(watch.seconds)

    def _driving(self) -> tuple[str, subprocess.Popen[str]]:
        """Wait until somebody drives, and return who drives most."""
        watch = Stopwatch()
        while watch.seconds < _GIVE_UP_S:
            holders = Counter(self.play.drivers().values())
            for pid, _ in holders.most_common():
                for name, process in self.daemons.items():
                    if process.pid == pid:
                        return name, process
            rest(0.1)
        raise AssertionError("nobody drives")

    def _still_there(self) -> None:
        for name, process in self.daemons.items():
            if process.poll() is not None:
                self.violations.append(f"daemon {name} ended with {process.returncode}")
                self.daemons[name] = self.play.stage.serve(name)


def pause(options: Namespace) -> Report:
    """Play the pauses, wind up, and judge."""
    watch = Stopwatch()
    setting = Setting(
        vms=options.vms,
        plans=2,
        parallel=max(8, options.vms // 10),
        takes=3.0,
        seed=options.seed,
        latency=options.latency,
    )
    with playing("postgres", setting) as play:
        play.configure(SECOND)
        daemons = {name: play.stage.serve(name) for name in (FIRST, SECOND)}
        pausing = Pausing(play, daemons)
        enough = options.seconds - _WIND_UP_S - _ONE_S
        while len(pausing.pauses) < options.pauses and watch.seconds < enough:
            pausing.pause()
            say(f"  {watch.seconds:4.0f} s: {_progress(pausing)}")
        play.give_up_runs()
        play.wind_up(serve=False)
        found = verdict(play)
    late = [each for each in pausing.failovers if each > FAILOVER_S]
    return Report(
        part="SIGSTOP beyond the lease, postgres",
        seed=options.seed,
        counts={"pauses": len(pausing.pauses), **pausing.counts, **found.counts},
        samples={
            "s paused": pausing.pauses,
            "s from SIGSTOP until another drives every run": pausing.failovers,
        },
        violations=[
            *pausing.violations,
            *(f"failover took {each:.1f} s" for each in late),
            *found.violations,
        ],
    )


def _progress(pausing: Pausing) -> str:
    paused, failover = pausing.pauses[-1], pausing.failovers[-1]
    return f"{len(pausing.pauses)} pauses, the last {paused:.1f} s, failover {failover:.1f} s"


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--pauses", type=int, default=25)
    parser.add_argument("--vms", type=int, default=200, help="in each of two runs")
    parser.add_argument(
        "--latency", type=float, default=0.3, help="up to so many seconds to Azure, and back"
    )


PARTS = (
    Part(
        name="pause",
        help="SIGSTOP of the driving daemon",
        options=_options,
        play=pause,
    ),
)
