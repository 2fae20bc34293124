"""What the engine tells of is written: one line for each thing, and never a failure."""

from dataclasses import replace

import pytest
import structlog

from orchestrator.domain.model import RunId
from orchestrator.domain.operation import Began, Forgiven, transition
from orchestrator.domain.record import Fact, Move
from orchestrator.domain.states import Failed, FailureClass, Queued, Why
from orchestrator.logs import Log, Observers, configure
from orchestrator.metrics import Metrics
from orchestrator.ports import Observer
from tests.contract.logs.bench import CANARY, HOSTILE, Lines, accepted, broken, caught
from tests.kit.clock import HandClock
from tests.kit.rows import EPOCH, RUN, a_vm, an_operation


def test_a_transition_is_one_line_with_ids_as_keys(lines: Lines, observer: Log):
    observer.moved(accepted())
    line = lines.only
    at = line.pop("at")
    assert len(at) == len("2026-11-22T18:00:00.000000Z")
    assert line == {
        "level": "info",
        "event": "operation.moved",
        "run": RUN,
        "vm": a_vm(0),
        "wave": 1,
        "from": "submitting",
        "to": "in_progress",
        "happened": "accepted",
        "attempt": 2,
        "activity": None,
        "actor": "daemon",
    }


def test_a_failure_is_a_warning_with_its_reason(lines: Lines, observer: Log):
    observer.moved(broken())
    line = lines.only
    assert (line["level"], line["to"]) == ("warning", "failed")
    assert line["reason_code"] == "guest"
    assert line["reason"] == "KB5068861 failed with 0x80070643"


def test_a_failure_that_was_forgiven_is_no_new_alarm(lines: Lines, observer: Log):
    before = an_operation(state=Failed(EPOCH, FailureClass.GUEST, Why("guest", "x")))
    event = Forgiven(EPOCH, Why("by_resume", "known"))
    observer.moved(Move(before=before, after=transition(before, event), event=event, actor="kim"))
    assert (lines.only["level"], lines.only["actor"]) == ("info", "kim")


@pytest.mark.parametrize(
    ("event", "level"),
    [
        ("wave.opened", "info"),
        ("run.halted", "warning"),
        ("run.quarantined", "warning"),
        ("run.opened", "info"),
    ],
)
def test_a_fact_is_one_line_under_its_own_name(lines: Lines, observer: Log, event, level):
    why = Why("budget", "4 of 3 allowed")
    detail = {"allowed_failures": 3}
    fact = Fact(at=EPOCH, event=event, actor="daemon", why=why, wave=2, detail=detail)
    observer.noted(RUN, fact)
    line = lines.only
    assert (line["event"], line["level"]) == (event, level)
    assert (line["run"], line["wave"], line["actor"]) == (RUN, 2, "daemon")
    assert (line["reason_code"], line["reason"]) == ("budget", "4 of 3 allowed")
    assert line["detail"] == detail


@pytest.mark.parametrize(("level", "count"), [("debug", 1), ("info", 0)])
def test_requests_are_for_those_who_debug(observer: Log, level, count):
    written = Lines()
    configure(level, stream=written.stream)
    observer.asked("poll", "200", 0.12345)
    observer.late(100)
    assert len(written.all) == count
    for line in written.all:
        assert (line["event"], line["code"], line["seconds"]) == ("azure.asked", "200", 0.123)


def test_a_crash_is_one_line_with_its_traceback_as_data(lines: Lines, observer: Log):
    observer.crashed("Poll vm-1", caught(ValueError("two\nlines")))
    line = lines.only
    assert (line["event"], line["level"], line["where"]) == ("daemon.crashed", "error", "Poll vm-1")
    assert (line["error"], line["message"]) == ("ValueError", "two\\nlines")
    assert line["traceback"][0] == "Traceback (most recent call last):"
    assert any("bench.py" in each for each in line["traceback"])


def test_the_same_trouble_is_told_once_a_minute_with_a_count(
    lines: Lines, observer: Log, clock: HandClock
):
    for _ in range(61):
        observer.troubled("database", "it does not answer")
        clock.turn_to(clock.now() + (EPOCH.replace(second=1) - EPOCH))
    first, second = lines.all
    assert first["event"] == second["event"] == "daemon.troubled"
    assert (first["where"], first["reason"]) == ("database", "it does not answer")
    assert "repeated" not in first
    assert second["repeated"] == 59


def test_other_troubles_are_told_at_once(lines: Lines, observer: Log):
    for where, reason in [("database", "a"), ("database", "b"), ("arm", "a"), ("database", "a")]:
        observer.troubled(where, reason)
    assert [(line["where"], line["reason"]) for line in lines.all] == [
        ("database", "a"),
        ("database", "b"),
        ("arm", "a"),
    ]


def test_ten_thousand_different_troubles_are_not_all_remembered(lines: Lines, observer: Log):
    for number in range(2000):
        observer.troubled("arm", f"reason {number}")
        observer.troubled("arm", f"reason {number}")
    assert len(lines.all) == 2000
    assert len(observer._told) <= 500
    assert len(observer._untold) <= 500


class Deaf:
    """An observer that fails at everything."""

    def moved(self, move: Move) -> None:
        raise RuntimeError(CANARY)

    def noted(self, run_id: RunId, fact: Fact) -> None:
        raise RuntimeError(CANARY)

    def asked(self, kind: str, code: str, seconds: float) -> None:
        raise RuntimeError(CANARY)

    def late(self, seconds: float) -> None:
        raise RuntimeError(CANARY)

    def troubled(self, where: str, reason: str) -> None:
        raise RuntimeError(CANARY)

    def crashed(self, where: str, error: Exception) -> None:
        raise RuntimeError(CANARY)


class Counting:
    """An observer that counts what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def moved(self, move: Move) -> None:
        self.told.append(f"moved {move.actor}")

    def noted(self, run_id: RunId, fact: Fact) -> None:
        self.told.append(f"noted {run_id} {fact.event}")

    def asked(self, kind: str, code: str, seconds: float) -> None:
        self.told.append(f"asked {kind} {code} {seconds}")

    def late(self, seconds: float) -> None:
        self.told.append(f"late {seconds}")

    def troubled(self, where: str, reason: str) -> None:
        self.told.append(f"troubled {where} {reason}")

    def crashed(self, where: str, error: Exception) -> None:
        self.told.append(f"crashed {where} {error}")


def tell_all(observer: Observer) -> None:
    observer.moved(accepted())
    observer.noted(RUN, Fact(at=EPOCH, event="run.opened", actor="x", why=Why("x", "x")))
    observer.asked("poll", "200", 1)
    observer.late(2)
    observer.troubled("arm", "x")
    observer.crashed("Poll", RuntimeError("y"))


TOLD = [
    "moved daemon",
    f"noted {RUN} run.opened",
    "asked poll 200 1",
    "late 2",
    "troubled arm x",
    "crashed Poll y",
]


def test_an_observer_that_fails_keeps_nothing_from_the_others(lines: Lines):
    before, after = Counting(), Counting()
    tell_all(Observers(before, Deaf(), after))
    assert before.told == after.told == TOLD
    assert {(line["event"], line["observer"]) for line in lines.all} == {
        ("observer.failed", "Deaf")
    }


def test_an_observer_that_always_fails_is_told_of_ever_more_seldom(lines: Lines):
    observers = Observers(Deaf())
    for _ in range(1000):
        observers.late(1)
    assert [line["times"] for line in lines.all] == [2**n for n in range(10)]


def test_the_engine_lives_on_when_even_the_log_is_broken():
    structlog.configure(processors=[], logger_factory=lambda *_args: None)
    tell_all(Observers(Deaf(), Log(HandClock())))


def test_logs_and_metrics_are_observers_together(lines: Lines):
    metrics = Metrics("1")
    tell_all(Observers(Log(HandClock()), metrics))
    assert metrics.registry.get_sample_value("orchestrator_crashes_total") == 1
    assert [line["event"] for line in lines.all] == [
        "operation.moved",
        "run.opened",
        "azure.asked",
        "daemon.troubled",
        "daemon.crashed",
    ]


def test_a_hostile_vm_is_one_line_as_well(lines: Lines, observer: Log):
    before = replace(an_operation(state=Queued()), run_id=RunId(HOSTILE))
    event = Began(EPOCH)
    observer.moved(Move(before=before, after=transition(before, event), event=event, actor=HOSTILE))
    assert len(lines.raw) == 1
    assert lines.raw[0].isprintable()
