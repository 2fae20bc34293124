"""What Resource Graph adds to a look: adopted, contradicted, followed and learnt by it, and never
concluded from its silence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain import answer as a
from orchestrator.domain import operation as o
from orchestrator.domain import states as s
from orchestrator.domain.following import (
    late_truth,
    needs_look,
    progress_by_view,
    settle,
    verify,
)
from orchestrator.domain.model import ActivityId, AttemptId, PlanSpec, Tracking
from orchestrator.domain.result import Result
from orchestrator.domain.tracing import completed, exact, without
from tests.kit.rows import EPOCH, a_vm, a_wave, minutes

PLAN, WAVE, TRACKING = PlanSpec(name="p", waves=()), a_wave(), Tracking()
OLD, OURS, OTHER, THIRD = (ActivityId(name) for name in ("old", "ours", "other", "third"))
SETTLE = EPOCH + minutes(15)
SOON = EPOCH + minutes(1)
ATTEMPT = AttemptId("a")
UNKNOWN = s.Unknown(ATTEMPT, EPOCH, OLD, EPOCH, SETTLE, s.Why("no_answer", "reset"))
REFUSED = replace(UNKNOWN, conflict=s.Conflict.BUSY)
EXPECTING = replace(UNKNOWN, expected=OURS)
ADOPTED = s.InProgress(ATTEMPT, EPOCH, OURS, EPOCH, EPOCH + minutes(135), tracked=False)
HUMAN = s.NeedsHuman(ATTEMPT, OURS, EPOCH, EPOCH, s.Why("overdue", "x"))
NOTHING = a.Traced(traces=())
ERRORS = [
    a.Unreadable(reason="403", http_status=403),
    a.Throttled(retry_after=timedelta(seconds=5), reason="429"),
]


def a_result(status="InProgress", **given):
    counts = {"installed": 2, "failed": 0, "pending": 0} if status != "InProgress" else {}
    return Result(status=status, **{**counts, **given})


def a_look(activity=OLD, status="Succeeded", started=EPOCH, *, ready=True):
    last = None
    if activity is not None:
        result = a_result(status)
        last = a.LastInstallation(activity=activity, started_at=started, result=result)
    return a.Seen(
        vm_id=a_vm(0), region="r", os="Linux", power="running", agent_ready=ready, last=last
    )


def a_row(activity, by="User", status="InProgress", started=EPOCH, **given):
    return a.Trace(
        activity=activity, started_at=started, started_by=by, result=a_result(status, **given)
    )


def rows(*traces, skew=0):
    return a.Traced(traces=traces, skew=timedelta(minutes=skew))


def settled(trace, answer=None, state=UNKNOWN, now=SOON, **given):
    return settle(state, answer or a_look(), PLAN, WAVE, now, trace, **given)


def code(event):
    assert isinstance(event, o.Escalated), event
    return event.why.code


BLIND = [a_look(), a_look(None), a.Unreadable(reason="x"), a.Gone(reason="404")]

# ------------------------------------------------------------------------------------------ adopted


@pytest.mark.parametrize("answer", BLIND)
@pytest.mark.parametrize("state", [UNKNOWN, REFUSED, EXPECTING])
def test_the_one_new_installation_of_a_user_is_adopted_whatever_the_view_shows(answer, state):
    adopted = settled(rows(a_row(OURS)), answer, state)
    assert isinstance(adopted, o.Accepted)
    assert (adopted.activity, adopted.tracked) == (OURS, False)


def test_one_that_has_ended_is_adopted_with_its_end_and_its_reboot():
    reported = settled(rows(a_row(OURS, status="Succeeded", reboot="Completed")))
    assert isinstance(reported, o.Reported)
    assert (reported.result.installed, reported.result.reboot) == (2, "Completed")


def test_the_view_and_resource_graph_fill_each_others_gaps():
    look = a_look(OURS, "Succeeded")
    reported = settled(rows(a_row(OURS, status="Succeeded", reboot="NotNeeded")), look)
    assert reported.result == a_result("Succeeded", reboot="NotNeeded")
    behind = settled(rows(a_row(OURS)), look)
    assert behind.result == a_result("Succeeded")


@pytest.mark.parametrize("remembered", [OLD, OTHER])
def test_what_resource_graph_remembers_from_before_is_not_new(remembered):
    before = a_row(remembered, status="Succeeded", started=EPOCH - minutes(2))
    assert isinstance(settled(rows(before, a_row(OURS))), o.Accepted)
    assert settled(rows(before)) is None


def test_the_baseline_is_not_new_though_it_began_in_our_time():
    assert settled(rows(a_row(OLD))) is None
    assert code(settled(rows(a_row(OLD)), now=SETTLE)) == "no_trace"


def test_the_start_is_compared_on_azures_clock():
    row = a_row(OURS, started=EPOCH + minutes(60))
    assert isinstance(settled(rows(row, skew=60)), o.Accepted)
    assert settled(rows(row)) is None


def test_the_installations_of_our_other_attempts_are_no_news():
    answer, trace = without(a_look(OTHER), rows(a_row(OTHER), a_row(OURS)), {OTHER})
    assert settled(trace, answer).activity == OURS
    answer, trace = without(a_look(OTHER), rows(a_row(OTHER)), {OTHER})
    assert settled(trace, answer) is None
    assert code(settled(trace, answer, now=SETTLE)) == "no_trace"
    assert without(a_look(OTHER), ERRORS[0], {OURS}) == (a_look(OTHER), ERRORS[0])


def test_azures_own_installation_hides_nothing_where_both_are_shown():
    both = rows(a_row(OTHER, "Platform"), a_row(OURS))
    for look in (a_look(), a_look(OTHER, "InProgress")):
        adopted = settled(both, look)
        assert isinstance(adopted, o.Accepted)
        assert adopted.activity == OURS


# -------------------------------------------------------------------------- what the view alone has


@pytest.mark.parametrize("trace", [NOTHING, ERRORS[0]])
def test_a_view_is_believed_once_resource_graph_was_asked_and_said_nothing_against_it(trace):
    look = a_look(OURS, "InProgress")
    assert settled(None, look) is None
    assert isinstance(settled(trace, look), o.Accepted)
    assert isinstance(settled(None, look, now=SETTLE), o.Accepted)


@pytest.mark.parametrize("trace", [ERRORS[1], a.Unreadable(reason="503", http_status=503)])
def test_a_query_that_failed_is_made_again_before_a_view_is_believed(trace):
    """Azure's own run, which takes precedence in the guest, is in the view a moment after ours."""
    look = a_look(OURS, "InProgress")
    assert settled(trace, look) is None
    assert isinstance(settled(trace, look, now=SETTLE), o.Accepted)


def test_the_expected_id_in_the_view_needs_nobody_elses_word():
    assert isinstance(settled(None, a_look(OURS, "InProgress"), EXPECTING), o.Accepted)


@pytest.mark.parametrize("conflict", s.Conflict)
@pytest.mark.parametrize("status", ["InProgress", "Succeeded"])
@pytest.mark.parametrize("trace", [None, NOTHING, *ERRORS, rows(a_row(OURS, by=""))])
def test_after_a_409_only_the_word_that_a_user_began_it_makes_it_ours(trace, status, conflict):
    look, refused = a_look(OURS, status), replace(UNKNOWN, conflict=conflict)
    assert settled(trace, look, refused) is None
    assert code(settled(trace, look, refused, SETTLE + TRACKING.poll)) == "contradiction"
    adopted = settled(rows(a_row(OURS, status=status)), look, refused)
    assert isinstance(adopted, o.Accepted | o.Reported)
    assert adopted.activity == OURS


def test_what_the_view_shows_is_not_adopted_when_resource_graph_says_that_azure_started_it():
    look = a_look(OTHER, "InProgress")
    assert settled(rows(a_row(OTHER, "Platform")), look) is None


# ----------------------------------------------------------------------------------- contradictions


def test_two_new_installations_of_users_are_for_a_person_at_once():
    assert code(settled(rows(a_row(OURS), a_row(OTHER)))) == "contradiction"
    assert code(settled(rows(a_row(OURS), a_row(OTHER)), state=EXPECTING)) == "contradiction"


def test_one_in_the_slot_and_another_in_resource_graph_wait_for_a_word_on_who_began_it():
    look, ours = a_look(OTHER, "InProgress"), a_row(OURS)
    assert settled(rows(ours), look) is None
    assert code(settled(rows(ours), look, now=SETTLE)) == "contradiction"
    assert settled(rows(ours, a_row(OTHER, "Platform")), look).activity == OURS


@pytest.mark.parametrize(
    "row",
    [
        a_row(OTHER, started=SETTLE + timedelta(seconds=1)),
        a_row(OTHER, started=None),
    ],
    ids=["begun too late", "not begun"],
)
def test_one_that_need_not_be_ours_is_for_a_person_at_the_settle_instant(row):
    assert settled(rows(row)) is None
    assert code(settled(rows(row), now=SETTLE)) == "contradiction"


def test_another_id_than_the_expected_one_is_for_a_person_at_the_settle_instant():
    assert settled(rows(a_row(OTHER)), state=EXPECTING) is None
    assert code(settled(rows(a_row(OTHER)), state=EXPECTING, now=SETTLE)) == "contradiction"


def test_one_that_has_not_begun_is_adopted_by_the_expected_id_only():
    waiting = rows(a_row(OURS, started=None))
    assert settled(waiting) is None
    assert isinstance(settled(waiting, state=EXPECTING), o.Accepted)


@pytest.mark.parametrize("early", [1, 59])
def test_what_began_before_our_intent_is_ours_only_where_nothing_speaks_for_anothers(early):
    """Clocks differ, by a minute at most. After a 409, and where another request for this VM may
    have come late, the earlier one is as likely."""
    began = EPOCH - timedelta(seconds=early)
    look, trace = a_look(OURS, started=began), rows(a_row(OURS, started=began))
    assert isinstance(settled(trace, look), o.Reported)
    assert settled(trace, look, REFUSED) is None
    assert settled(trace, look, contested=True) is None
    assert code(settled(trace, look, contested=True, now=SETTLE)) == "contradiction"
    assert code(settled(trace, look, REFUSED, now=SETTLE)) == "contradiction"


def test_what_began_after_our_intent_or_has_the_id_we_were_given_is_ours_all_the_same():
    trace = rows(a_row(OURS))
    assert isinstance(settled(trace, a_look(OURS), contested=True), o.Reported)
    began = EPOCH - timedelta(seconds=59)
    named = a_look(OURS, started=began)
    assert isinstance(settled(rows(), named, EXPECTING, contested=True), o.Reported)


@pytest.mark.parametrize("conflict", [None, *s.Conflict])
@pytest.mark.parametrize("look", [a_look(), a_look(OTHER, "InProgress")])
def test_nothing_is_sent_again_because_azure_ran_something_itself(conflict, look):
    doubt = replace(UNKNOWN, conflict=conflict)
    own = rows(a_row(OTHER, "Platform"))
    assert settled(own, look, doubt) is None
    event = settled(own, look, doubt, SETTLE)
    assert code(event) == "contradiction"
    assert "may hide ours" in event.why.text


# ------------------------------------------------------------------------------- silence and errors


@pytest.mark.parametrize(
    ("conflict", "event"),
    [
        (None, o.Escalated),
        (s.Conflict.NOT_RUNNING, o.Dropped),
        (s.Conflict.LOCKED, o.Broke),
        (s.Conflict.BUSY, o.Deferred),
    ],
)
@pytest.mark.parametrize("trace", [None, NOTHING, ERRORS[0]])
def test_silence_and_errors_change_nothing_about_what_the_views_conclude(conflict, event, trace):
    doubt = replace(UNKNOWN, conflict=conflict)
    assert settled(trace, state=doubt) is None
    assert isinstance(settled(trace, state=doubt, now=SETTLE), event)


def test_a_query_that_the_throttle_held_back_is_waited_for_one_look_long():
    throttled = ERRORS[1]
    assert settled(throttled, now=SETTLE) is None
    assert code(settled(throttled, now=SETTLE + TRACKING.poll)) == "no_trace"


# ----------------------------------------------------------------------------------------- followed


def followed(trace, answer=None, state=ADOPTED, now=SOON):
    return progress_by_view(state, answer or a_look(), PLAN, WAVE, now, trace)


@pytest.mark.parametrize("answer", BLIND)
def test_the_end_of_an_adopted_installation_is_found_where_the_view_is_blind(answer):
    reported = followed(rows(a_row(OURS, status="Failed", failed=1)), answer)
    assert isinstance(reported, o.Reported)
    assert (reported.activity, reported.result.status) == (OURS, "Failed")


@pytest.mark.parametrize("trace", [None, NOTHING, *ERRORS, rows(a_row(OURS))])
def test_without_an_end_anywhere_it_is_for_a_person_at_its_deadline(trace):
    assert followed(trace) is None
    late = ADOPTED.deadline + TRACKING.poll
    assert code(followed(trace, now=late)) == "overdue"


def test_another_installation_is_never_its_end():
    assert followed(rows(a_row(OTHER, status="Succeeded"))) is None


def test_an_adopted_installation_that_azure_started_is_nobodys_success():
    own = rows(a_row(OURS, "Platform", "Succeeded"))
    assert code(followed(own)) == "not_ours"
    done = s.Verifying(ATTEMPT, OURS, EPOCH, EPOCH + minutes(45), a_result("Succeeded"))
    assert code(verify(done, a_look(), WAVE, SOON, own)) == "not_ours"
    foreign = replace(HUMAN, why=s.Why("not_ours", "x"))
    for state in (HUMAN, foreign):
        assert late_truth(state, a_look(None), PLAN, WAVE, SOON, own) is None
    assert late_truth(foreign, a_look(OURS), PLAN, WAVE, SOON) is None


def test_one_that_our_202_named_is_ours_whatever_resource_graph_says():
    tracked = replace(ADOPTED, tracked=True)
    own = rows(a_row(OURS, "Platform", "Succeeded"))
    assert isinstance(followed(own, state=tracked), o.Reported)


# ------------------------------------------------------------------------------------------- learnt


DONE = s.Verifying(ATTEMPT, OURS, EPOCH, EPOCH + minutes(45), a_result("Succeeded"))


def judged(trace, answer=None, now=SOON, state=DONE):
    return verify(state, answer or a_look(), WAVE, now, trace)


def test_a_result_without_a_word_on_the_reboot_is_looked_into():
    assert needs_look(DONE)
    assert not needs_look(replace(DONE, activity=None))
    assert not needs_look(replace(DONE, result=a_result("Failed")))


def test_the_reboot_is_learnt_from_resource_graph():
    passed = judged(rows(a_row(OURS, status="Succeeded", reboot="NotNeeded")))
    assert isinstance(passed, o.Passed)
    assert passed.result.reboot == "NotNeeded"
    pending = judged(rows(a_row(OURS, status="Succeeded", reboot="Required")))
    assert pending.outcome is s.Outcome.REBOOT_PENDING


def test_a_reboot_that_was_learnt_is_judged_like_any_other():
    assert isinstance(judged(rows(a_row(OURS, status="Succeeded", reboot="Failed"))), o.Broke)
    begun = rows(a_row(OURS, status="Succeeded", reboot="Started"))
    assert judged(begun) is None
    assert isinstance(judged(begun, now=EPOCH + minutes(5)), o.Passed)
    down = a_look(ready=False)
    assert judged(begun, down, now=EPOCH + minutes(5)) is None
    assert code(judged(begun, down, now=DONE.deadline)) == "reboot_unfinished"


@pytest.mark.parametrize("trace", [NOTHING, ERRORS[0], rows(a_row(OURS))])
def test_who_does_not_tell_the_reboot_is_asked_for_five_minutes(trace):
    assert judged(trace, now=EPOCH + minutes(4.9)) is None
    passed = judged(trace, now=EPOCH + minutes(5))
    assert isinstance(passed, o.Passed)
    assert passed.result.reboot is None
    assert "did not say whether it rebooted" in passed.why.text


@pytest.mark.parametrize("trace", [None, ERRORS[1]])
def test_no_verdict_is_given_at_a_look_at_which_resource_graph_could_not_be_asked(trace):
    assert judged(trace, now=EPOCH + minutes(44)) is None
    assert isinstance(judged(trace, now=DONE.deadline), o.Passed)


def test_a_worse_end_in_resource_graph_is_the_one_that_counts():
    assert isinstance(judged(rows(a_row(OURS, status="Failed", failed=1))), o.Broke)


def test_a_result_that_says_nothing_gives_way_to_resource_graph():
    silent = replace(DONE, result=a_result("Unknown"))
    found = judged(rows(a_row(OURS, status="Succeeded", reboot="NotNeeded")), state=silent)
    assert isinstance(found, o.Passed)
    assert code(judged(NOTHING, now=DONE.deadline, state=silent)) == "no_result"


# --------------------------------------------------------------------------------------- late truth


def test_a_late_end_with_the_exact_id_is_found_in_resource_graph_too():
    ended = rows(a_row(OURS, status="Succeeded"))
    for answer in BLIND:
        assert isinstance(late_truth(HUMAN, answer, PLAN, WAVE, SOON, ended), o.Reported)
    for trace in (None, *ERRORS, rows(a_row(OURS)), rows(a_row(OTHER, status="Succeeded"))):
        assert late_truth(HUMAN, a_look(), PLAN, WAVE, SOON, trace) is None
    traceless = replace(HUMAN, activity=None)
    assert late_truth(traceless, a_look(), PLAN, WAVE, SOON, ended) is None


# -------------------------------------------------------------------------------------- two sources


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, None, None),
        (None, a_result("Succeeded"), a_result("Succeeded")),
        (a_result(), a_result("Succeeded"), a_result("Succeeded")),
        (a_result("Succeeded"), a_result(), a_result("Succeeded")),
        (a_result("Succeeded"), a_result("Failed"), a_result("Failed")),
        (a_result("Failed"), a_result("Succeeded"), a_result("Failed")),
        (a_result("OperationFailed"), a_result("Succeeded"), a_result("OperationFailed")),
        (
            a_result("Succeeded"),
            a_result("Succeeded", installed=9, reboot="Completed", excluded=4),
            a_result("Succeeded", reboot="Completed", excluded=4),
        ),
    ],
)
def test_two_words_on_one_installation_make_one(one, other, both):
    assert completed(one, other) == both


def test_only_the_exact_id_is_found():
    trace = rows(a_row(OURS), a_row(OTHER))
    assert exact(trace, OTHER) == a_row(OTHER)
    assert exact(trace, THIRD) is None
    assert exact(trace, None) is None
    assert exact(ERRORS[0], OURS) is None
