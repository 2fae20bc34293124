"""Part c: the races that count, with their bars. One round each: they run in virtual time, where a
seed decides everything but the wall clock."""

from typing import Final

from benchmarks.figures import Finding, Part, Sizes
from benchmarks.measure import Figures
from benchmarks.race import race

MOST_OVER_BOUND: Final = 1.05
MOST_OVER_BOUND_IN_BAD_WEATHER: Final = 1.3
CALLS_PER_VM, CALLS_WITH_VERIFICATION = 3.2, 4.2
NOTICED_S: Final = 80.0


def measure(sizes: Sizes) -> Part:
    """Run the product in three moods, and the model of the SDK in the first of them."""
    calm = race("product", sizes.race)
    throttled = race("product", sizes.race_throttled, "throttled")
    flaky = race("product", sizes.race_flaky, "flaky")
    sdk = race("sdk", sizes.race_sdk)
    rows = {"calm": calm, "throttled": throttled, "flaky": flaky, "sdk": sdk}
    findings = [
        *_calm(calm),
        *_bad_weather(throttled),
        *_bad_weather(flaky),
        *_told("SDK (model)", sdk),
        *(
            _c(f"wall time of the race: {name}, {row['vms']:,} VMs", row["wall_s"], None, "s")
            for name, row in rows.items()
        ),
    ]
    return Part(findings, rows)


def _calm(row: Figures) -> list[Finding]:
    """A look belongs to a start, or verifies."""
    unverified = row["calls_per_vm"] - row["verified_per_vm"]
    return [
        _c(f"calm, {row['vms']:,} VMs: makespan over bound", row["over_bound"], MOST_OVER_BOUND),
        _c("calm: throttled in steady state", row["throttled_steady"], 0),
        _c("calm: throttled at all", row["throttled"], None),
        _c("calm: ARM calls per VM, verification aside", unverified, CALLS_PER_VM),
        _c("calm: ARM calls per VM", row["calls_per_vm"], CALLS_WITH_VERIFICATION),
        *(
            _c(f"calm: ARM calls per VM: {kind}", number / row["vms"], None)
            for kind, number in sorted(row["calls"].items())
        ),
        _c("calm: end noticed after, p50", row["noticed_p50_s"], None, "s"),
        _c("calm: end noticed after, p99", row["noticed_p99_s"], NOTICED_S, "s"),
        _c("calm: VMs lost or for a person", row["lost"], 0),
        _c("calm: VMs patched twice", row["installed_twice"], 0),
    ]


def _bad_weather(row: Figures) -> list[Finding]:
    mood, bar = row["mood"], MOST_OVER_BOUND_IN_BAD_WEATHER
    return [
        _c(f"{mood}, {row['vms']:,} VMs: makespan over bound", row["over_bound"], bar),
        _c(f"{mood}: VMs patched twice", row["installed_twice"], 0),
        *_told(mood, row),
    ]


def _told(name: str, row: Figures) -> list[Finding]:
    """What is told without a bar. What a person must look at is not lost; the SDK's is."""
    lost = "VMs given up" if row["client"] == "sdk" else "VMs for a person"
    makespan = [_c(f"{name}: makespan over bound", row["over_bound"], None)]
    return [
        *(makespan if row["client"] == "sdk" else []),
        _c(f"{name}: throttled", row["throttled"], None),
        _c(f"{name}: ARM calls per VM", row["calls_per_vm"], None),
        _c(f"{name}: {lost}", row["lost"], None),
        _c(f"{name}: end noticed after, p99", row["noticed_p99_s"], None, "s"),
    ]


def _c(figure: str, seen: float, bar: float | None, unit: str = "") -> Finding:
    return Finding(part="c", figure=figure, seen=seen, bar=bar, unit=unit)
