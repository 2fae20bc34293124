"""What Prometheus reads: events counted once, gauges true at each scrape, labels bounded."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.domain.model import AttemptId, RunStatus, VmId
from orchestrator.domain.operation import (
    Began,
    Broke,
    Escalated,
    Event,
    Forgiven,
    Operation,
    Passed,
    transition,
)
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import (
    STATE_NAMES,
    Failed,
    FailureClass,
    NeedsHuman,
    Outcome,
    Preparing,
    Queued,
    State,
    Succeeded,
    Unknown,
    Verifying,
    Why,
)
from orchestrator.domain.throttle import Call, Throttle
from orchestrator.domain.view import RunView
from orchestrator.metrics import Driven, Metrics, Standing
from orchestrator.ports import Observer
from tests.kit.rows import EPOCH, RUN, a_snapshot, a_target, a_wave, an_operation, with_states

DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
WHY = Why("x", "x")
ATTEMPT = AttemptId("6f9619ff-8b86-4011-b42d-00c04fc964ff")
LATER = EPOCH + timedelta(hours=1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"orchestrator_{name}", labels)


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Read one family as a scrape sees it: the values of its labels, in their names' order."""
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == f"orchestrator_{name}"
    }


def a_move(state: State, event: Event) -> Move:
    before = an_operation(state=state)
    return Move(before=before, after=transition(before, event), event=event, actor="daemon")


def standing(
    runs: Callable[[], Iterable[Driven]] = tuple,
    tokens: Callable[[], Iterable[tuple[str, float]]] = tuple,
    **fires: float,
) -> Standing:
    at = {plan: EPOCH + timedelta(seconds=seconds) for plan, seconds in fires.items()}
    return Standing(runs=runs, next_fires=lambda: at, tokens=tokens)


# ---------------------------------------------------------------------------------------- document


def rows() -> dict[str, tuple[str, set[str]]]:
    """Read the document's tables: name, type, labels."""
    found = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|", DOCUMENT, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in found}


def busy() -> Metrics:
    """Give every metric a sample."""
    metrics = Metrics("1.2.3")
    view = RunView(a_snapshot((a_wave(), 1)))
    metrics.watch(standing(lambda: [view], lambda: [("arm reads/s", 1.0)], monthly=5))
    metrics.asked("poll", "200", 0.1)
    metrics.late(1)
    metrics.committed(1, 0.1)
    return metrics


def test_the_document_names_every_metric_with_its_type_and_labels_and_no_other():
    exposed = {}
    for family in text_string_to_metric_families(busy().text().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exposed[name] = (family.type, labels)
    assert rows() == exposed


def test_every_metric_of_ours_has_an_example_alert_that_uses_it_rightly():
    [block] = re.findall(r"^```yaml\n(.+?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    rules = yaml.safe_load(block)["groups"][0]["rules"]
    used = set(re.findall(r"orchestrator_\w+", " ".join(rule["expr"] for rule in rules)))
    ours = {name for name in rows() if name.startswith("orchestrator_")}
    histograms = {name for name, (kind, _) in rows().items() if kind == "histogram"}
    assert used == {f"{name}_bucket" if name in histograms else name for name in ours}


def test_labels_that_alerts_ask_for_exist():
    for name, wanted in re.findall(r"(orchestrator_\w+)\{(\w+)=", DOCUMENT):
        assert wanted in rows()[name][1], name


# ---------------------------------------------------------------------------------------- gauges


def test_before_there_is_an_engine_the_gauges_are_empty(metrics: Metrics):
    assert set(samples(metrics, "operations").values()) == {0}
    assert value(metrics, "runs_driven") == 0
    assert samples(metrics, "run_status") == {}


def test_every_state_is_there_and_they_add_up_to_the_vms(metrics: Metrics):
    ends = [Succeeded(EPOCH, outcome, WHY) for outcome in list(Outcome)[:4]]
    failed = Failed(EPOCH, FailureClass.GUEST, WHY)
    states: list[State] = [*ends, failed, Queued(), Preparing(EPOCH)]
    view = RunView(with_states(a_snapshot((a_wave(), 5), (a_wave("broad"), 4)), states))
    metrics.watch(standing(lambda: [view]))
    counted = samples(metrics, "operations")
    assert set(counted) == {(name,) for name in STATE_NAMES.values()}
    assert sum(counted.values()) == 9
    assert counted["succeeded",] == 4
    assert counted["failed",] == counted["preparing",] == 1
    assert counted["queued",] == 3


def test_a_gauge_is_true_at_every_scrape(metrics: Metrics):
    view = RunView(a_snapshot((a_wave(), 2)))
    metrics.watch(standing(lambda: [view]))
    assert samples(metrics, "operations")["queued",] == 2
    view.put(transition(an_operation(0), Began(EPOCH)))
    assert samples(metrics, "operations")["queued",] == 1
    view.run = replace(view.run, status=RunStatus.HALTED)
    assert samples(metrics, "run_status") == {("monthly", RUN, "halted"): 1}


def test_what_stops_everything_is_a_gauge_that_is_always_there(metrics: Metrics):
    assert (value(metrics, "safe_mode"), value(metrics, "fleet_halted")) == (0, 0)
    metrics.watch(replace(standing(), safe_mode=lambda: True))
    assert (value(metrics, "safe_mode"), value(metrics, "fleet_halted")) == (1, 0)
    metrics.watch(replace(standing(), halted=lambda: True))
    assert (value(metrics, "safe_mode"), value(metrics, "fleet_halted")) == (0, 1)


def test_a_run_that_is_not_driven_any_more_leaves(metrics: Metrics):
    driven = [RunView(a_snapshot((a_wave(), 1)))]
    metrics.watch(standing(lambda: driven))
    assert value(metrics, "runs_driven") == 1
    driven.clear()
    assert value(metrics, "runs_driven") == 0
    assert samples(metrics, "run_status") == {}


def test_the_next_fire_is_a_unix_time(metrics: Metrics):
    metrics.watch(standing(monthly=90))
    assert samples(metrics, "next_fire_timestamp_seconds") == {("monthly",): EPOCH.timestamp() + 90}


def test_the_buckets_of_the_throttle_are_shown(metrics: Metrics):
    throttle = Throttle()
    throttle.take((Call.LOOK,), a_target(0), EPOCH)
    metrics.watch(standing(tokens=lambda: throttle.tokens(EPOCH)))
    left = samples(metrics, "arm_tokens")
    assert {bucket.partition("/")[0] for (bucket,) in left} == {"arm reads", "low cost get"}
    assert min(left.values()) == (250 - 25) * 0.8 - 1


def test_of_very_many_buckets_the_emptiest_are_shown(metrics: Metrics):
    metrics.watch(standing(tokens=lambda: [(f"b{n}", n) for n in range(5000, 0, -1)]))
    left = samples(metrics, "arm_tokens")
    assert len(left) == 200
    assert max(left.values()) == 200


# ---------------------------------------------------------------------------------------- counters


@pytest.mark.parametrize(
    ("state", "event", "outcome"),
    [
        (Preparing(EPOCH), Passed(EPOCH, Outcome.NOTHING_TO_DO, WHY), "nothing_to_do"),
        (
            Verifying(ATTEMPT, None, EPOCH, LATER, None),
            Passed(EPOCH, Outcome.WARNED, WHY),
            "warned",
        ),
        (Preparing(EPOCH), Broke(EPOCH, FailureClass.REJECTED, WHY), "failed"),
        (
            Unknown(ATTEMPT, EPOCH, None, EPOCH, LATER, WHY),
            Escalated(EPOCH, LATER, WHY),
            "needs_human",
        ),
    ],
)
def test_an_operation_that_settles_is_counted_once(metrics: Metrics, state, event, outcome):
    metrics.moved(a_move(state, event))
    settled = samples(metrics, "operations_settled_total")
    assert settled.pop((outcome,)) == 1
    assert set(settled.values()) == {0}
    assert len(settled) == 7


def test_a_move_that_settles_nothing_is_not_counted(metrics: Metrics):
    metrics.moved(a_move(Queued(), Began(EPOCH)))
    metrics.moved(a_move(Failed(EPOCH, FailureClass.GUEST, WHY), Forgiven(EPOCH, WHY)))
    needs = NeedsHuman(ATTEMPT, None, EPOCH, LATER, WHY)
    metrics.moved(a_move(needs, Forgiven(EPOCH, WHY)))
    assert set(samples(metrics, "operations_settled_total").values()) == {0}


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("202", "202"),
        ("429", "429"),
        ("lost", "lost"),
        ("no_token", "no_token"),
        ("418", "4xx"),
        ("599", "5xx"),
        ("699", "other"),
        ("099", "other"),
        ("20", "other"),
        ("2002", "other"),
        ("٢٠٢", "other"),
        ("", "other"),
        ("evil\n# HELP", "other"),
    ],
)
def test_the_code_of_a_request_is_one_of_few(metrics: Metrics, code, shown):
    metrics.asked("poll", code, 0.3)
    assert samples(metrics, "arm_requests_total") == {("poll", shown): 1}


def test_requests_are_timed_by_class(metrics: Metrics):
    metrics.asked("submit", "202", 0.3)
    metrics.asked("submit", "429", 0.1)
    metrics.asked("probe", "200", 9)
    assert value(metrics, "arm_request_seconds_sum", **{"class": "submit"}) == pytest.approx(0.4)
    assert value(metrics, "arm_request_seconds_count", **{"class": "other"}) == 1


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("database", "database"),
        ("run monthly-1", "run"),
        ("schedule of plan monthly", "schedule"),
        ("http door", "http"),
        ("arm", "arm"),
        ("inventory", "inventory"),
        ("runaway", "other"),
        ("", "other"),
    ],
)
def test_a_trouble_is_counted_by_kind_of_place(metrics: Metrics, where, shown):
    metrics.troubled(where, "a reason")
    troubles = samples(metrics, "troubles_total")
    assert troubles.pop((shown,)) == 1
    assert set(troubles.values()) == {0}


def test_a_thousand_strange_words_make_no_thousand_series(metrics: Metrics):
    for number in range(1000):
        metrics.asked(f"kind-{number}", f"code-{number}", 1)
        metrics.troubled(f"place-{number}", f"reason-{number}")
    assert metrics.text().count(b"\n") < 200


def test_a_group_that_is_held_back_is_counted_and_a_halt_is_none(metrics: Metrics):
    for event in ("run.quarantined", "run.halted"):
        metrics.noted(RUN, Fact(at=EPOCH, event=event, actor="daemon", why=WHY))
    assert value(metrics, "quarantines_total") == 1


def test_crashes_lateness_and_commits_are_measured(metrics: Metrics):
    metrics.crashed("Poll vm-1", RuntimeError("x"))
    metrics.late(2.5)
    metrics.late(-1)
    metrics.committed(7, 0.02)
    assert value(metrics, "crashes_total") == 1
    assert value(metrics, "poll_lateness_seconds_sum") == 2.5
    assert value(metrics, "poll_lateness_seconds_count") == 2
    assert value(metrics, "commit_units_sum") == 7
    assert value(metrics, "commit_seconds_sum") == 0.02


def test_a_lag_is_never_negative(metrics: Metrics):
    for seconds in (0.25, 0.5, -0.001):
        metrics.lagged(seconds)
    assert value(metrics, "loop_lag_seconds_count") == 3
    assert value(metrics, "loop_lag_seconds_sum") == 0.75


# ---------------------------------------------------------------------------------------- the rest


def test_two_daemons_in_one_process_share_nothing(metrics: Metrics):
    metrics.crashed("x", RuntimeError())
    assert value(Metrics("2"), "crashes_total") == 0


def test_the_build_is_known(metrics: Metrics):
    [(python, version)] = samples(metrics, "build_info")
    assert version == "1.2.3"
    assert python.startswith("3.")


def test_nobody_is_told_when_a_series_was_created(metrics: Metrics):
    assert b"_created" not in metrics.text()


@pytest.mark.parametrize(
    "foreign", ['a"b\\c', "a\nb 1\n", "\x1b[2J", "\u202e", "\ud800", "x" * 9000]
)
def test_a_foreign_name_breaks_no_scrape(metrics: Metrics, foreign):
    metrics.watch(standing(tokens=lambda: [(foreign, 1.0)]))
    [(shown,)] = samples(metrics, "arm_tokens")
    assert shown.isprintable()
    assert len(shown) <= 201


def test_it_is_an_observer(metrics: Metrics):
    observer: Observer = metrics
    assert isinstance(observer, Metrics)


def test_an_operation_of_a_foreign_name_is_no_label(metrics: Metrics):
    op: Operation = an_operation()
    hostile = replace(op, target=replace(op.target, vm_id=VmId("\x1bevil")))
    metrics.moved(
        Move(before=hostile, after=transition(hostile, Began(EPOCH)), event=Began(EPOCH), actor="x")
    )
    assert b"evil" not in metrics.text()
