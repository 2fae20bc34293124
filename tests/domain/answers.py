"""What Azure answers in walks, each as often as it stands here."""

from datetime import datetime, timedelta
from random import Random

from orchestrator.domain import answer as a
from orchestrator.domain import states as s
from orchestrator.domain.gate import Reading
from orchestrator.domain.model import ActivityId, VmId
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


def drawn_look(
    rng: Random, vm: VmId, activity: ActivityId | None, now: datetime, *, calm: bool
) -> a.LookAnswer:
    """Draw what a look at a VM shows; where nothing fails, that it is well."""
    kinds = ["well"] * 8 + ["off", "gone", "silent", "recent"]
    kind = "well" if calm else rng.choice(kinds)
    if kind == "gone":
        return a.Gone(reason="404")
    if kind == "silent":
        return a.Unreadable(reason="time-out")
    last = None
    if activity is not None and kind != "recent" and rng.random() < 0.5:
        status = rng.choice(["InProgress", "Succeeded", "Succeeded", "Failed"])
        last = a.LastInstallation(
            activity=activity,
            started_at=now,
            result=Result(status=status, installed=1, failed=0),
        )
    if kind == "recent":
        started = now - timedelta(minutes=30)
        last = a.LastInstallation(
            activity=ActivityId("other"),
            started_at=started,
            result=Result(status="Succeeded", failed=0),
        )
    return a.Seen(
        vm_id=vm,
        region="westeurope",
        os="Linux",
        power="deallocated" if kind == "off" else "running",
        agent_ready=kind == "well",
        last=last,
    )
