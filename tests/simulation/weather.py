"""What a schedule is like before it begins: the fleet, the plan, and how much goes wrong.

Every seed draws a mix of its own (a swarm): most bugs hide from an even mixture of all faults.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from orchestrator.domain.gate import Approval
from orchestrator.domain.model import (
    GroupLimit,
    Hours,
    Limits,
    PlanSpec,
    Reboot,
    Selection,
    Share,
    StagedReboot,
    Tolerance,
    Tracking,
    WaveSpec,
    Window,
)
from orchestrator.engine.doors import Rhythm
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.machines import Machine, OperatingSystem
from orchestrator.simulator.tempers import Busy, Ending, PollFault, Temper

GROUP: Final = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
SYSTEMS: Final[tuple[OperatingSystem, ...]] = ("Linux", "Windows")
_RATES: Final = {
    "post.connect": 0.03,
    "post.lost": 0.03,
    "post.reply_lost": 0.05,
    "post.429": 0.03,
    "post.500": 0.02,
    "post.503": 0.03,
    "post.taken_500": 0.02,
    "post.taken_503": 0.04,
    "post.slow": 0.05,
    "read.connect": 0.02,
    "read.lost": 0.03,
    "read.503": 0.03,
    "read.404": 0.01,
    "read.slow": 0.03,
    "database.away": 0.002,
    "database.commit_lost": 0.003,
    "database.outage": 0.002,
}
_TROUBLE: Final = (
    "fails", "fails_once", "operation_fails", "platform_fails_once", "canceled", "warns", "unknown",
    "no_result", "nothing_to_do", "overruns", "hang", "needs_reboot", "reboot_fails",
    "reboot_loop", "superseded", "stopped", "deleted", "superseding", "throttled",
    "swallowed_reply", "accepted_then_503", "accepted_without_url", "accepted_elsewhere",
    "proxy_page", "expired_token", "denied", "locked", "platform_first", "traceless",
    "forbidden_polls", "flaky_polls", "forgotten", "late_view", "blind_view",
    "untraceable", "late_graph",
    "blind_graph",
)  # fmt: skip

_NIGHTS: Final = (((-60, 3), (4, 9), (11, 300)), ((-60, 3), (3, 7), (8, 300)), ((1, 300),))
"""Windows that close while VMs are being started; two that touch are one."""
NEEDS: Final = 2
"""Minutes that a VM may take where there are windows: else no start would fit."""
_RARER: Final = 0.7
"""A machine that hangs is waited for half an hour, at the price of six schedules without one."""


_GROUP: Final[dict[str, Any]] = {
    "quarantine": True,
    "waves": (6, 2),
    "parallel": 2,
    "failures": 1,
    "windows": (),
    "freeze_from": None,
    "second_run": False,
    "temper": 0.0,
}
"""A night in which a cause has the time to show."""
_HELD_BACK: Final = 0.15
"""The share of nights in which all machines of one system fail, and budgets may hold them back."""
_LATE: Final = 240.0
"""Reboots come last: faults must not have ended by then."""
_SET_BACK: Final = (*(None,) * 8, (20.0, 30.0), (45.0, 40.0))
_DEAF: Final = (*(0.0,) * 48, 0.3, 0.7)
"""Few nights: each such machine is waited for until its deadline, at the price of five."""
_UNREAD: Final = (PollFault.ERROR_503, PollFault.BROKEN_JSON, PollFault.NOT_FOUND)
_NEEDY: Final = 0.8
"""The share of steady machines that need a reboot where reboots are staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """One schedule's settings. Rates lie in [0, 1]; times are virtual seconds."""

    rates: dict[str, float] = field(default_factory=dict)
    crash: float = 0.0
    freeze: float = 0.0
    stop: float = 0.0
    skews: tuple[float, float] = (0.0, 0.0)
    set_back: tuple[float, float] | None = None
    """When the daemons' wall clocks are set back, and by how much."""
    takes: tuple[float, float] = (5.0, 30.0)
    view_lag: float = 5.0
    graph_lag: float = 20.0
    busy: Busy = Busy.OPERATION_NOT_ALLOWED
    history: float = 0.0
    """The share of machines that Azure patched before, a month or two ago."""
    shuffled: bool = True
    acts: float = 0.0
    """How many acts of people there are in a minute."""
    second_run: bool = False
    heal_at: float = 200.0
    temper: float = 0.0
    """The share of machines that are no steady ones."""
    tempers: tuple[str, ...] = _TROUBLE
    deaf: float = 0.0
    """The share of machines whose operations can never be read by their URLs, also long after the
    heal point."""
    waves: tuple[int, ...] = (1, 2)
    parallel: int | None = None
    failures: int = 0
    run_failures: int | None = None
    strict: bool = False
    in_flight: int | None = None
    """How many VMs may be in flight over all runs."""
    one_of_each: bool = False
    """Whether of each cluster one VM at a time may be in flight."""
    staged: int | None = None
    """How many VMs are restarted at once, in a phase of reboots; None: there is none."""
    staged_failures: int | None = None
    quarantine: bool = False
    """Whether budgets hold one group back in the place of a halt; there is one that fails."""
    approve: bool = False
    """Whether each wave after the first needs an approval."""
    bake: float = 0.0
    min_interval: float = 0.0
    windows: tuple[tuple[int, int], ...] = ()
    """When VMs may start, in minutes from the beginning; none: at any time."""
    freeze_from: tuple[float, float] | None = None
    """A freeze, in seconds from the beginning."""
    tracking: Tracking = field(default_factory=Tracking)
    rhythm: Rhythm = field(default_factory=Rhythm)

    def rate(self, kind: str) -> float:
        """Return how often a fault of this kind strikes."""
        return self.rates.get(kind, 0.0)


def drawn(seed: int) -> Weather:
    """Draw the weather of a seed."""
    luck = Random(seed)
    hostility = luck.choice((0.3, 1, 1, 2))
    rates = {kind: rate * luck.choice((0, 0, 0.3, 1, 3)) for kind, rate in _RATES.items()}
    for kind in ("post.repeated", "post.bare"):
        rates[kind] = Random(f"{kind} {seed}").choice((0.0, 0.05, 0.15))
    history = Random(f"history {seed}").choice((0.0, 0.5))
    long = luck.random() < 0.3
    weather = Weather(
        rates={kind: min(0.5, rate * hostility) for kind, rate in rates.items()},
        crash=luck.choice((0, 0.0003, 0.001, 0.004)),
        freeze=luck.choice((0, 0, 0.0003, 0.001)),
        stop=luck.choice((0, 0, 0.0005)),
        skews=(luck.choice((0.0, 0.0, -20.0, 45.0)), luck.choice((0.0, 0.0, 0.4, -45.0))),
        takes=(30.0, 150.0) if long else (2.0, 20.0),
        view_lag=luck.choice((0.0, 0.0, 3.0, 20.0, 100.0)),
        graph_lag=luck.choice((0.0, 10.0, 40.0, 200.0)),
        busy=luck.choice(tuple(Busy)),
        history=history,
        **_nights(Random(f"windows {seed}")),
        shuffled=luck.random() < 0.7,
        acts=luck.choice((0.0, 0.0, 0.5, 2.0)),
        second_run=luck.random() < 0.25,
        heal_at=luck.choice((30.0, 60.0, 150.0)),
        temper=luck.choice((0.0, 0.1, 0.3, 0.6)),
        rhythm=_rhythm(luck),
        **_plan(luck),
        **_bounds(Random(f"bounds {seed}")),
        **_reboots(Random(f"staged {seed}")),
        approve=Random(f"approve {seed}").random() < 0.15,
        deaf=Random(f"deaf {seed}").choice(_DEAF),
        set_back=Random(f"set back {seed}").choice(_SET_BACK),
    )
    if Random(f"quarantine {seed}").random() < _HELD_BACK:
        weather = replace(weather, **_GROUP)
    if weather.staged is not None:
        weather = replace(weather, heal_at=max(weather.heal_at, _LATE))
    return weather


def _nights(luck: Random) -> dict[str, Any]:
    return {
        "windows": luck.choice(((), (), (), *_NIGHTS)),
        "freeze_from": luck.choice((None, None, None, (20.0, 150.0), (60.0, 90.0))),
    }


def _bounds(luck: Random) -> dict[str, Any]:
    return {
        "strict": luck.random() < 0.3,
        "in_flight": luck.choice((None, None, None, 1, 2)),
        "one_of_each": luck.random() < 0.2,
    }


def _reboots(luck: Random) -> dict[str, Any]:
    """A third of the nights stage their reboots."""
    staged = luck.choice((None, None, 1, 2, None, None))
    return {"staged": staged, "staged_failures": luck.choice((None, 0, 1))}


def _rhythm(luck: Random) -> Rhythm:
    """Mostly slower than what ships: that changes nothing but how many schedules fit a minute."""
    if luck.random() < 0.03:
        return Rhythm()
    renew = luck.choice((5, 15, 30))
    return Rhythm(
        acts=timedelta(seconds=luck.choice((10, 30, 60))),
        scan=timedelta(seconds=luck.choice((10, 30, 60))),
        renew=timedelta(seconds=renew),
        lease=timedelta(seconds=3 * renew),
    )


def _plan(luck: Random) -> dict[str, Any]:
    waves = tuple(luck.choice((1, 2, 2, 3)) for _ in range(luck.choice((2, 2, 3))))
    return {
        "waves": (*waves[:-1], max(waves[-1], 4 - sum(waves[:-1]))),
        "parallel": luck.choice((1, 2, 2, None)),
        "failures": luck.choice((0, 0, 1, 2)),
        "run_failures": luck.choice((None, None, None, 1)),
        "bake": luck.choice((0.0, 0.0, 20.0)),
        "min_interval": luck.choice((0.0, 43_200.0)),
        "tracking": Tracking(
            poll=timedelta(seconds=luck.choice((5, 15))),
            settle=timedelta(seconds=luck.choice((40, 90))),
            overdue=timedelta(seconds=luck.choice((30, 120))),
            max_unknown=luck.choice((1, 3)),
            request_timeout=timedelta(seconds=luck.choice((5, 30))),
        ),
    }


def plan(weather: Weather, name: str = "monthly") -> PlanSpec:
    """Return the plan of a schedule: a wave for each ring."""
    parallel = Share(percent=100) if weather.parallel is None else Share(count=weather.parallel)
    waves = tuple(
        WaveSpec(
            name=ring,
            select=Selection(tags=(("ring", (ring,)),)),
            max_parallel=parallel,
            allow_failures=Tolerance(
                count=weather.failures, strict=weather.strict, quarantine=weather.quarantine
            ),
            bake=timedelta(seconds=weather.bake),
            max_duration=timedelta(minutes=NEEDS if weather.windows else 28),
            hours=_hours(weather),
            approve=Approval(group="on-call") if weather.approve and number else None,
            **_phase(weather),
        )
        for number, ring in enumerate(rings(weather))
    )
    most = weather.run_failures
    whole = None
    if most is not None:
        whole = Tolerance(count=most, strict=weather.strict, quarantine=weather.quarantine)
    clusters = GroupLimit(kind="tag:cluster", most=Share(count=1))
    return PlanSpec(
        name=name,
        waves=waves,
        tracking=weather.tracking,
        allow_failures=whole,
        limits=Limits(in_flight=weather.in_flight, per=(clusters,) if weather.one_of_each else ()),
        min_interval=timedelta(seconds=weather.min_interval),
    )


def _phase(weather: Weather) -> dict[str, Any]:
    """Return what a wave says of reboots."""
    if weather.staged is None:
        return {}
    lost = weather.staged_failures
    phase = StagedReboot(
        hours=_hours(weather),
        max_parallel=Share(count=weather.staged),
        allow_failures=None if lost is None else Share(count=lost),
    )
    return {"reboot": Reboot.NEVER, "staged": phase}


def _hours(weather: Weather) -> Hours:
    """Return windows on the wall clock of UTC, where the beginning is at midnight."""
    midnight = datetime(2026, 1, 1)  # noqa: DTZ001 - of the wall clock
    windows = tuple(
        Window(
            start=(midnight + timedelta(minutes=first)).time(),
            length=timedelta(minutes=last - first),
        )
        for first, last in weather.windows
    )
    return Hours(windows=windows, timezone="UTC")


def rings(weather: Weather) -> tuple[str, ...]:
    """Name the waves."""
    return tuple(f"ring{number}" for number in range(len(weather.waves)))


def fleet(weather: Weather, seed: int, steady: frozenset[int] = frozenset()) -> list[Machine]:
    """Return the machines; those numbered in `steady` lose their temper (that is how a schedule
    shrinks)."""
    luck, deaf = Random(f"fleet {seed}"), Random(f"deaf fleet {seed}")
    machines: list[Machine] = []
    for ring, size in zip(rings(weather), weather.waves, strict=True):
        for _ in range(size):
            number = len(machines)
            temper = _temper(weather, luck, calm=number in steady)
            os = luck.choice(SYSTEMS)
            if weather.quarantine and os == "Windows" and number not in steady:
                temper = Temper(takes=temper.takes, ending=Ending.FAILS)
            unread, fault = deaf.random() < weather.deaf, deaf.choice(_UNREAD)
            if unread and number not in steady:
                temper = replace(temper, polls=(), every_poll=fault)
            machines.append(
                Machine(
                    vm_id=f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-{number:02d}",
                    os=os,
                    tags={"ring": ring, "cluster": f"c{number % 2}"},
                    temper=temper,
                )
            )
    return machines


def _temper(weather: Weather, luck: Random, *, calm: bool) -> Temper:
    takes = timedelta(seconds=luck.uniform(*weather.takes))
    troubled, word = luck.random() < weather.temper, luck.choice(weather.tempers)
    if word == "hang" and luck.random() < _RARER:
        calm = True
    needy = True if weather.staged is not None and luck.random() < _NEEDY else None
    if calm or not troubled:
        return Temper(takes=takes, needs_reboot=needy)
    found = TEMPERS[word]
    if found.hangs:
        return found
    return Temper(**{**{name: getattr(found, name) for name in Temper.__slots__}, "takes": takes})
