"""What any answer of ARM's has: an error, a sentence about it, a wait. Pure."""

from orchestrator.arm import documents, headers
from orchestrator.arm.documents import Fault
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Throttled, Unreadable

TOO_MANY = 429


def fault(reply: HttpReply) -> Fault | None:
    """Return the error in an answer's body, when there is one."""
    document = documents.read(reply.body)
    return documents.fault(document) if document is not None else None


def spoken(reply: HttpReply) -> str:
    """Return a sentence about an answer: its status, and its error where it has one."""
    error = fault(reply)
    said = f" {error.code}" if error else ""
    return f"Azure answered {reply.status}{said}" + (
        f": {error.message}" if error and error.message else ""
    )


def throttled(reply: HttpReply) -> Throttled:
    """Read a 429; without a `Retry-After` the wait is 30 s (azure-facts 4)."""
    wait = headers.retry_after(reply.headers) or headers.DEFAULT_WAIT
    return Throttled(retry_after=wait, reason=spoken(reply))


def unreadable(reply: HttpReply, reason: str = "") -> Unreadable:
    """Say that an answer told nothing, and why."""
    return Unreadable(
        reason=reason or spoken(reply),
        http_status=reply.status,
        retry_after=headers.retry_after(reply.headers),
    )
