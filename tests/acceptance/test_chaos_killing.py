"""Short forms of the chaos campaigns, and a judge that bites (the long ones: `make chaos`)."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest

from tests.chaos.judging import Evidence, judge
from tests.chaos.killing import kill, one_file
from tests.chaos.pausing import pause
from tests.chaos.reporting import Report, added, keep, kept, table

RUN, VM, REQUEST, ACTIVITY = "nightly-1", "/vm/a", "request-1", "activity-1"
STATES = """queued preparing submitting in_progress unknown verifying needs_human succeeded warned
reboot_pending nothing_to_do failed skipped cancelled"""
COUNTS = dict.fromkeys(STATES.split(), 0)


def short(**given):
    return Namespace(seconds=110.0, seed=1, latency=0.1, vms=40, **given)


def test_kill_9_again_and_again_on_sqlite_patches_nobody_twice_and_loses_nobody():
    report = kill(short(database="sqlite", cycles=2))
    assert report.violations == []
    assert report.counts["accepted by Azure"] > 0


def test_a_daemon_stopped_beyond_its_lease_wakes_up_and_does_no_harm():
    report = pause(short(pauses=1))
    assert report.violations == []
    assert report.counts["pauses"] == 1


def test_kill_9_frees_the_file_for_the_next_daemon_and_until_then_it_is_refused():
    report = one_file(short(cycles=1))
    assert report.violations == []


# ------------------------------------------------------------------------------- the judge bites


def an_installation(**given):
    usual = {
        "vm_id": VM,
        "activity_id": ACTIVITY,
        "client_request_id": REQUEST,
        "accepted_at": "2026-11-22T22:00:00+00:00",
        "ends_at": "2026-11-22T22:10:00+00:00",
        "ended_at": "2026-11-22T22:10:00+00:00",
        "status": "Succeeded",
        "result": "Succeeded",
        "started_by": "User",
    }
    return {**usual, **given}


def an_attempt(**given):
    usual = {
        "id": REQUEST,
        "run_id": RUN,
        "vm_id": VM,
        "number": 1,
        "intent_at": "2026-11-22T21:59:59",
        "holder": "one",
        "epoch": 1,
        "ended_as": "accepted",
        "activity_id": ACTIVITY,
        "receipt": ACTIVITY,
    }
    return {**usual, **given}


def an_event(name, **detail):
    return {"run_id": RUN, "vm_id": VM, "event": f"operation.{name}", "detail": json.dumps(detail)}


INTENDED = an_event("intended", changed={"operation": {"attempt_id": REQUEST}})
DOUBTED = an_event("doubted", code="sender_died")


def evidence(*installations, **given):
    usual = Evidence(
        ledger={"installations": list(installations), "posts": {VM: len(installations)}},
        runs=[{"run_id": RUN, "vms": 1, **COUNTS, "succeeded": 1}],
        operations=[
            {"run_id": RUN, "vm_id": VM, "vm_name": "a", "state": "succeeded", "reason": ""}
        ],
        attempts=[an_attempt()],
        events=[INTENDED, an_event("accepted")],
        grants={},
    )
    return replace(usual, **given)


def said(given):
    return judge(given).violations


def ended(state):
    return [{"run_id": RUN, "vm_id": VM, "vm_name": "a", "state": state, "reason": "so"}]


def test_the_judge_finds_nothing_where_nothing_is_wrong():
    assert said(evidence(an_installation())) == []


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (
            evidence(an_installation(), an_installation(accepted_at="2026-11-22T23:00:00+00:00")),
            "was accepted 2 times",
        ),
        (
            evidence(
                an_installation(), ledger={"installations": [an_installation()], "posts": {VM: 2}}
            ),
            "2 requests for 1 intents",
        ),
        (
            evidence(
                an_installation(),
                an_installation(client_request_id="request-2"),
                attempts=[an_attempt(), an_attempt(id="request-2", number=2)],
                grants={(RUN, VM): 1},
            ),
            "two installations at once",
        ),
        (evidence(an_installation(client_request_id="no-one")), "a request nobody intended"),
        (evidence(an_installation(), operations=ended("in_progress")), "is in_progress at the end"),
        (
            evidence(an_installation(), attempts=[an_attempt(ended_as="not_sent")]),
            "counts as not_sent",
        ),
        (
            evidence(an_installation(), attempts=[an_attempt(activity_id=None, receipt=None)]),
            "nobody knows installation",
        ),
        (evidence(an_installation(result="Failed")), "false success"),
        (evidence(), "false success"),
        (evidence(an_installation(), operations=ended("failed")), "false failure"),
        (
            evidence(
                an_installation(),
                attempts=[
                    an_attempt(epoch=2),
                    an_attempt(id="b", number=2, intent_at="2026-11-22T22:05:00"),
                ],
            ),
            "which was over",
        ),
        (
            evidence(
                an_installation(),
                attempts=[an_attempt(), an_attempt(id="b", number=2, holder="two")],
            ),
            "was held by 2 daemons",
        ),
        (evidence(an_installation(), broken=["nightly-1: changed"]), "audit log"),
        (evidence(an_installation(), logs='{"event":"daemon.crashed"}'), "crash"),
        (evidence(an_installation(), runs=[{"run_id": RUN, "vms": 2, **COUNTS}]), "do not add up"),
        (evidence(an_installation(), events=[INTENDED, DOUBTED]), "still in doubt"),
        (
            evidence(an_installation(), events=[INTENDED, DOUBTED, an_event("deferred")]),
            "counts as refused",
        ),
        (
            evidence(events=[INTENDED, DOUBTED, an_event("accepted")]),
            "adopted an installation that is not its own",
        ),
    ],
)
def test_the_judge_sees_what_should_not_be(given, word):
    assert [sentence for sentence in said(given) if word in sentence]


def test_a_grant_of_a_person_allows_one_more():
    second = an_installation(
        client_request_id="request-2",
        activity_id="activity-2",
        accepted_at="2026-11-22T23:00:00+00:00",
    )
    attempts = [an_attempt(), an_attempt(id="request-2", number=2, activity_id="activity-2")]
    granted = evidence(an_installation(), second, attempts=attempts, grants={(RUN, VM): 1})
    assert said(granted) == []
    assert said(replace(granted, grants={}))


def test_pieces_of_a_campaign_add_up_and_one_violation_stays_seen(tmp_path):
    for violations in ([], ["twice: a"]):
        piece = Report(
            part="kill", seed=7, counts={"cycles": 2}, samples={"s": [1.0]}, violations=violations
        )
        keep(piece, tmp_path / "kept" / "pieces.jsonl")
    (whole,) = added(kept(tmp_path / "kept" / "pieces.jsonl"))
    assert (whole.counts, whole.samples, whole.violations) == (
        {"cycles": 4},
        {"s": [1.0, 1.0]},
        ["twice: a"],
    )
    assert "VIOLATION twice: a" in table([whole])
