"""kill -9 of the driving daemon, again and again, with hundreds of VMs in flight; and two daemons
on one SQLite file.

A cycle: start a daemon, let it go on with what the last one left, open a run where one ended,
resolve what needs a person, and kill it at an instant drawn from the seed.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread

from tests.acceptance.processes import end
from tests.chaos.judging import verdict
from tests.chaos.reporting import Part, Report, say
from tests.chaos.stage import Play, Setting, Stopwatch, playing, rest

IN_FLIGHT = ("preparing", "submitting", "unknown", "in_progress", "verifying")
_WIND_UP_S = 90.0
"""How much of the time is kept for following the last runs to their end, ..."""
_LEAST_PATIENCE_S = 130.0
"""... which takes two minutes where a crowd of intents could not be sent in time and waits one."""


@dataclass
class Killing:
    """One campaign: its figures so far."""

    play: Play
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)

    def cycle(self) -> None:
        """Start, harm, look at what is left lying."""
        random, stage = self.play.random, self.play.stage
        ways: list[Callable[[], str]] = [self._while_starting, self._while_opening]
        ways += [self._at_an_intent, self._at_any_instant]
        self.kills[random.choices(ways, weights=(1, 1, 4, 4))[0]()] += 1
        assert all(process.poll() is not None for process in stage.started[1:])
        states = self.play.states()  # nobody writes now
        self.in_flight.append(float(sum(states[state] for state in IN_FLIGHT)))
        self.waiting.append(float(states["submitting"]))

    def _while_starting(self) -> str:
        daemon = self.play.stage.launch()
        rest(self.play.random.uniform(0.2, 1.5))
        end(daemon)
        return "killed while starting"

    def _while_opening(self) -> str:
        daemon = self.play.stage.serve()
        self._work()
        opening = Thread(target=self.play.open_runs)
        opening.start()
        rest(self.play.random.uniform(0.0, 0.6))
        end(daemon)
        opening.join()
        return "killed while opening a run"

    def _at_an_intent(self) -> str:
        daemon = self.play.stage.serve()
        self._work()
        self.play.open_runs()
        rest(self.play.random.uniform(0.0, 1.0))
        self.play.await_intent(2.0)
        rest(self.play.random.uniform(0.0, 0.03))
        end(daemon)
        return "killed at an intent"

    def _at_any_instant(self) -> str:
        daemon = self.play.stage.serve()
        self._work()
        self.play.open_runs()
        rest(self.play.random.uniform(0.0, 4.0))
        end(daemon)
        return "killed at any instant"

    def _work(self) -> None:
        self.play.operator.work(self.play.stage)


def kill(options: Namespace) -> Report:
    """Play the cycles, wind up, and judge."""
    watch = Stopwatch()
    setting = Setting(
        vms=options.vms, plans=2, parallel=options.vms, seed=options.seed, latency=options.latency
    )
    with playing(options.database, setting) as play:
        killing = Killing(play)
        enough = options.seconds - _WIND_UP_S
        while len(killing.in_flight) < options.cycles and watch.seconds < enough:
            killing.cycle()
            if len(killing.in_flight) % 10 == 0:
                say(f"  {watch.seconds:4.0f} s: {_progress(killing)}")
        play.wind_up(max(_LEAST_PATIENCE_S, options.seconds - watch.seconds))
        found = verdict(play)
    return Report(
        part=f"kill -9, {options.database}",
        seed=options.seed,
        counts={"cycles": len(killing.in_flight), **killing.kills, **found.counts},
        samples={
            "VMs in flight at the kill": killing.in_flight,
            "intents without an answer at the kill": killing.waiting,
        },
        violations=found.violations,
    )


def _progress(killing: Killing) -> str:
    in_flight = killing.in_flight[-1]
    return f"{len(killing.in_flight)} kills, {in_flight:.0f} VMs in flight at the last"


def one_file(options: Namespace) -> Report:
    """Start a second daemon on a SQLite file, kill the first one, and time the third."""
    violations = []
    freed = []
    with playing("sqlite", Setting(vms=1, seed=options.seed)) as play:
        stage = play.stage
        daemon = stage.serve()
        play.configure("second")
        for _ in range(options.cycles):
            refused = stage.run("serve", "--config", "second.yaml")
            said = refused.stderr.strip()
            sentence = f"in use by another orchestrator, process {daemon.pid}"
            if refused.returncode != 6 or sentence not in said or "\n" in said:
                violations.append(f"a second daemon ended with {refused.returncode}: {said[:400]}")
            end(daemon)
            watch = Stopwatch()
            daemon = stage.serve()
            freed.append(watch.seconds)
    return Report(
        part="two daemons, one SQLite file",
        seed=options.seed,
        counts={"second daemons refused with exit 6": options.cycles - len(violations)},
        samples={"s from kill -9 to a ready successor": freed},
        violations=violations,
    )


def _kill_options(parser: ArgumentParser) -> None:
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--vms", type=int, default=200, help="how many in each of two runs")
    parser.add_argument(
        "--latency", type=float, default=0.3, help="up to so many seconds to Azure, and back"
    )


def _file_options(parser: ArgumentParser) -> None:
    parser.add_argument("--cycles", type=int, default=3)


PARTS = (
    Part(
        name="kill",
        help="kill -9 of the driving daemon",
        options=_kill_options,
        play=kill,
        usual=(("--database", "sqlite"), ("--database", "postgres")),
    ),
    Part(
        name="file",
        help="two daemons on one SQLite file",
        options=_file_options,
        play=one_file,
        share=0.1,
    ),
)
