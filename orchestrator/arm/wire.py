"""ARM's answers to installPatches and to polls, as values.

Pure; lenient with documents, strict with proof.

An answer to the POST counts as a refusal or an acceptance only when it proves to be one; an answer
to a poll ends an operation only by a terminal word (design 5 and 6, azure-facts 3).
"""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.arm import documents, guard, headers, replies, results
from orchestrator.arm.clouds import Cloud
from orchestrator.arm.documents import Document, Fault
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import (
    Collapsed,
    Conflicted,
    Finished,
    InDoubt,
    PollAnswer,
    Rejected,
    Running,
    SubmitAnswer,
    Taken,
    Throttled,
    Tracker,
    Unauthenticated,
    Unreadable,
    Untrackable,
)
from orchestrator.domain.model import ActivityId
from orchestrator.domain.result import Report
from orchestrator.domain.states import Conflict

# -------------------------------------------------------------------------------- to the one POST


def submitted(reply: HttpReply, cloud: Cloud, subscription: str) -> SubmitAnswer:
    """Say what the answer to the one POST means (design 5.4). Whatever proves nothing is doubt."""
    error = replies.fault(reply)
    match reply.status:
        case 202:
            return _accepted(reply, cloud, subscription)
        case 429:
            return replies.throttled(reply)
        case 401:
            return Unauthenticated(reason=replies.spoken(reply))
        case 409:
            found = error or Fault("", "")
            return Conflicted(conflict=_conflict(found), code=found.code, message=found.message)
        case status if _refused_by_arm(reply) and error is not None:
            return Rejected(http_status=status, code=error.code, message=error.message)
        case _:
            return _doubt(reply, f"{replies.spoken(reply)}; it may have taken the request")


def _refused_by_arm(reply: HttpReply) -> bool:
    """Only ARM's own word is a refusal: a proxy's 403 has no request id (reliability A8, 97)."""
    return 400 <= reply.status < 500 and reply.status != 408 and "x-ms-request-id" in reply.headers


def _accepted(reply: HttpReply, cloud: Cloud, subscription: str) -> SubmitAnswer:
    """A 202 is worth as much as the operation URL that it brings."""
    paths = guard.compute(subscription)
    decisions = {
        name: guard.check(reply.headers[name], cloud, paths)
        for name in ("azure-asyncoperation", "location")
        if name in reply.headers
    }
    tracker = Tracker(
        status_url=_url(decisions.get("azure-asyncoperation")),
        location_url=_url(decisions.get("location")),
    )
    if not (tracker.status_url or tracker.location_url):
        reasons = [d.reason for d in decisions.values() if isinstance(d, guard.Refused)]
        why = "; ".join(reasons) or "there is none"
        return _doubt(reply, f"Azure answered 202 without a usable operation URL: {why}")
    return Taken(
        tracker=tracker,
        activity=headers.request_id(reply.headers) or operation_id(tracker),
        retry_after=headers.retry_after(reply.headers),
    )


def _url(decision: guard.Allowed | guard.Refused | None) -> str:
    return decision.url if isinstance(decision, guard.Allowed) else ""


def operation_id(tracker: Tracker) -> ActivityId | None:
    """Return the operation's id, as its URLs have it."""
    return _named_in(tracker.status_url or tracker.location_url)


def _named_in(url: str) -> ActivityId | None:
    """Return the id that an operation URL ends with before the query (azure-facts 2.3)."""
    return headers.guid(guard.without_query(url).rpartition("/")[2])


def _doubt(reply: HttpReply, reason: str) -> InDoubt:
    """Only a 202 names the operation by its request id; a gateway's 5xx has an id of its own."""
    activity = headers.request_id(reply.headers) if reply.status == 202 else None
    return InDoubt(reason=reason, http_status=reply.status, activity=activity)


_NOT_RUNNING: Final = re.compile(
    r"requires the vm to be running|vm is not running|either deallocated or marked to be",
    re.IGNORECASE,
)
_LOCKED: Final = re.compile(
    r"marked for deletion|being deleted|is generalized|scope is locked|read[- ]?only", re.IGNORECASE
)
_LOCKED_CODES: Final = frozenset(
    {"scopelocked", "readonlydisabledsubscription", "missingsubscriptionregistration"}
)


def _conflict(error: Fault) -> Conflict:
    """Say which kind of 409 this is, by its code and the documented messages (azure-facts 5.2)."""
    if error.code.lower() in _LOCKED_CODES:
        return Conflict.LOCKED
    if _NOT_RUNNING.search(error.message):
        return Conflict.NOT_RUNNING
    return Conflict.LOCKED if _LOCKED.search(error.message) else Conflict.BUSY


# ------------------------------------------------------------------------------------- to a poll


@dataclass(frozen=True, slots=True)
class ResultElsewhere:
    """The operation succeeded, but its status answer has no result: the Location URL has it."""


def polled(reply: HttpReply, url: str) -> PollAnswer | ResultElsewhere:
    """Read an answer of the `Azure-AsyncOperation` URL."""
    if reply.status == 202:
        return Running(retry_after=headers.retry_after(reply.headers))
    document = documents.read(reply.body)
    if reply.status != 200 or document is None:
        return _told_nothing(reply)
    if _is_anothers(document.get("name"), url):
        return replies.unreadable(reply, "Azure answered about another operation")
    word = documents.text(document.get("status"))
    if not word:
        return replies.unreadable(reply, "Azure's answer has no status")
    output = documents.inner(document, "properties", "output")
    report = _report(output, reply.body, url) if output else None
    return _status(word, document, report, reply)


def _is_anothers(given: object, url: str) -> bool:
    """Tell whether an answer names another operation than its URL: they share one id (azure-facts
    2.3)."""
    named = headers.guid(documents.text(given))
    if named is None:
        return False
    asked = _named_in(url)
    return asked is not None and asked != named


def _report(output: Document, raw: bytes, url: str) -> Report | None:
    """Read a result; None when it is that of another installation (reliability A2, 34)."""
    if _is_anothers(output.get("installationActivityId"), url):
        return None
    return results.report(output, raw)


def _status(
    word: str, document: Document, report: Report | None, reply: HttpReply
) -> PollAnswer | ResultElsewhere:
    """Any word but the three terminal ones means that it still runs (azure-facts 3)."""
    match documents.word(word, ("Succeeded", "Failed", "Canceled")):
        case None:
            return Running(retry_after=headers.retry_after(reply.headers))
        case "Succeeded":
            return ResultElsewhere() if report is None else Finished(report=report)
        case ended:
            error = documents.fault(document) or Fault("", "")
            return Collapsed(status=ended, code=error.code, message=_message(error), report=report)


def _message(error: Fault) -> str:
    """Return an error's message, or its first detail's when it has none of its own."""
    told = next((detail.message for detail in error.details if detail.message), "")
    return error.message or told


def located(reply: HttpReply, url: str = "") -> PollAnswer:
    """Read an answer of the `Location` URL: 202 while it runs, then a result (azure-facts 2.1)."""
    if reply.status == 202:
        return Running(retry_after=headers.retry_after(reply.headers))
    if reply.status not in {200, 204} or not reply.whole:
        return _told_nothing(reply)
    if not reply.body.strip():
        return Finished(report=None)
    document = documents.read(reply.body)
    if document is None:
        return _told_nothing(reply)
    return Finished(report=_report(document, reply.body, url))


def _told_nothing(reply: HttpReply) -> Throttled | Unreadable | Untrackable:
    """No status code of a poll ends an operation: it is the reading that failed (azure-facts 3)."""
    match reply.status:
        case 429:
            return replies.throttled(reply)
        case 403 | 404 | 410:
            return Untrackable(reason=replies.spoken(reply), http_status=reply.status)
        case 200:
            return replies.unreadable(reply, "Azure's answer is not a whole JSON object")
        case _:
            return replies.unreadable(reply)
