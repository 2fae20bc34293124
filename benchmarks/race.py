"""The Azure-limits race (c): one fleet in one subscription and region, the simulator's real
buckets, virtual time. `python -m benchmarks.race --vms 10000 --mood calm --client product`.

What nobody can beat is the bound: `bound_s`. What is measured: how far above it a client ends, what
Azure refused, what it was asked, and how long after an end it was known. `docs/performance.md`
derives the bound.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from benchmarks import sdk_model
from benchmarks.measure import Figures, Stopwatch
from benchmarks.racing import raced
from benchmarks.virtual import ENDPOINT, Finish, Wires, play
from orchestrator.simulator.limits import Limit
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import MOODS, Mood
from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure
from tests.kit.rows import EPOCH

SUBSCRIPTION: Final = "00000000-0000-4000-8000-000000000001"
CLIENTS: Final = {"product": raced, "sdk": sdk_model.raced}
_MEDIAN_MIN, _SPREAD, _SHORTEST_MIN, _LONGEST_MIN = 20.0, 0.25, 8.0, 45.0
_GRAPH_LAG_P99_S = 20.0
_WARM_UP_S = 300.0
"""What is refused within the first minutes is no steady state."""


def race(client: str, vms: int, mood: str = "calm", seed: int = 1) -> Figures:
    """Let a client patch a fleet, and return its figures."""
    machines = fleet(vms, seed, own_lags=mood in {"calm", "throttled"})
    azure = Azure(machines, base_url=ENDPOINT, seed=seed, mood=MOODS[mood])
    wires = Wires(azure, seed)
    watch = Stopwatch.started()
    finish = play(CLIENTS[client](wires, machines))
    return {
        "client": client,
        "mood": mood,
        "vms": vms,
        **watch.read(),
        **_figures(machines, MOODS[mood], wires, finish),
    }


def _figures(
    machines: Sequence[Machine], mood: Mood, wires: Wires, finish: Finish
) -> Mapping[str, Any]:
    ledger: Any = wires.azure.ledger(EPOCH + timedelta(seconds=finish.done_s))
    starts = [one for one in ledger["installations"] if one["started_by"] == "User"]
    bound = bound_s(machines, mood.limits.patching.subscription)
    delays = sorted(_delays(starts, finish.noticed))
    requests = wires.requests()
    return {
        "bound_s": bound,
        "makespan_s": finish.done_s,
        "over_bound": finish.done_s / bound,
        "installed": len({one["vm_id"] for one in starts}),
        "installed_twice": len(starts) - len({one["vm_id"] for one in starts}),
        "lost": finish.lost,
        "throttled": len(wires.throttled_at),
        "throttled_steady": sum(at > _WARM_UP_S for at in wires.throttled_at),
        "calls": dict(requests),
        "calls_per_vm": sum(requests.values()) / len(machines),
        "verified_per_vm": max(0, requests["look"] - requests["submit"]) / len(machines),
        "noticed_p50_s": quantile(delays, 0.5),
        "noticed_p99_s": quantile(delays, 0.99),
        "in_flight_most": ledger["high_water"]["in_flight"],
    }


def _delays(starts: Sequence[Mapping[str, Any]], noticed: Mapping[str, float]) -> Sequence[float]:
    """Return how long after its end each installation's end was known."""
    ends = {one["vm_id"]: one["ends_at"] for one in starts if one["ends_at"]}
    return [
        at - (datetime.fromisoformat(ends[vm]) - EPOCH).total_seconds()
        for vm, at in noticed.items()
        if vm in ends
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the sorted values lies; NaN of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else math.nan


def bound_s(machines: Sequence[Machine], limit: Limit) -> float:
    """Return the seconds in which nobody can have patched these machines in this order.

    The bucket of guest-patch operations lets `capacity` start at once and `refill` more after each
    `every` seconds; each machine then takes its time.
    """
    return max(
        _slot_s(number, limit) + _takes(machine).total_seconds()
        for number, machine in enumerate(machines)
    )


def _slot_s(number: int, limit: Limit) -> float:
    return max(0, math.ceil((number + 1 - limit.capacity) / limit.refill)) * limit.every


def _takes(machine: Machine) -> timedelta:
    if machine.temper.takes is None:
        raise ValueError("the machines of a race take a time of their own")
    return machine.temper.takes


def fleet(vms: int, seed: int, *, own_lags: bool) -> Sequence[Machine]:
    """Return so many machines in one subscription and region, each with a duration of its own
    (log-normal around 20 min), and with `own_lags` a lag of Resource Graph whose p99 is 20 s."""
    random = Random(seed)  # noqa: S311 - a seed draws a fleet, not a cipher
    return [_machine(number, random, own_lags=own_lags) for number in range(vms)]


def _machine(number: int, random: Random, *, own_lags: bool) -> Machine:
    minutes = random.lognormvariate(math.log(_MEDIAN_MIN), _SPREAD)
    minutes = min(max(minutes, _SHORTEST_MIN), _LONGEST_MIN)
    lag = timedelta(seconds=random.expovariate(math.log(100) / _GRAPH_LAG_P99_S))
    temper = Temper(takes=timedelta(minutes=minutes))
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-race"
    return Machine(
        vm_id=f"{group}/providers/Microsoft.Compute/virtualMachines/vm-{number:06d}",
        os="Linux",
        temper=replace(temper, graph_lag=lag) if own_lags else temper,
    )


def main() -> None:
    """Run one race and print its figures."""
    parser = argparse.ArgumentParser(description="One Azure-limits race in virtual time.")
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--mood", choices=("calm", "throttled", "flaky"), default="calm")
    parser.add_argument("--client", choices=tuple(CLIENTS), default="product")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(race(given.client, given.vms, given.mood, given.seed), indent=2))


if __name__ == "__main__":
    main()
