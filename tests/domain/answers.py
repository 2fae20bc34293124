"""What Azure answers in walks, each as often as it stands here."""

from datetime import timedelta

from orchestrator.domain import answer as a
from orchestrator.domain import states as s
from orchestrator.domain.gate import Reading
from orchestrator.domain.model import ActivityId
from orchestrator.domain.result import Report, Result

TRACKER = a.Tracker(status_url="https://x")
SUBMIT_ANSWERS: list[a.SubmitAnswer] = [
    *[a.Taken(tracker=TRACKER, activity=ActivityId("new"))] * 24,
    a.NotSent(reason="refused"),
    a.NotSent(reason="late", abandoned=True),
    a.Throttled(retry_after=timedelta(seconds=30), reason="429"),
    a.Unauthenticated(reason="401"),
    a.Rejected(http_status=400, code="InvalidParameter", message="no"),
    a.Conflicted(conflict=s.Conflict.BUSY, code="OperationNotAllowed", message="busy"),
    a.Conflicted(conflict=s.Conflict.NOT_RUNNING, code="OperationNotAllowed", message="off"),
    a.InDoubt(reason="reset"),
]


def finished(reboot: str) -> a.Finished:
    result = Result(status="Succeeded", installed=2, failed=0, reboot=reboot)
    return a.Finished(report=Report(result=result, activity="new"))


POLL_ANSWERS: list[a.PollAnswer] = [
    *[finished(reboot) for reboot in ("NotNeeded", "Completed", "Required")] * 2,
    a.Running(),
    a.Finished(report=Report(result=Result(status="Failed", failed=1), activity="new")),
    a.Finished(report=None),
    a.Collapsed(status="Failed", code="InternalOperationError", message="x"),
    a.Unreadable(reason="500", http_status=500),
]
READINGS = [*[Reading(True, "status 200")] * 9, Reading(False, "status 503")]
