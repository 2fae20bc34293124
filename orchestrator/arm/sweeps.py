"""Resource Graph asked for many VMs at once: which installations have ended (azure-facts 7).

Pure; it sends nothing and never raises. Its rows are hints: one that cannot be read is passed over,
for whoever is not hinted at is read by itself in time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.arm import documents, graph, headers
from orchestrator.arm.documents import Document
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Hint, Throttled, Unreadable
from orchestrator.domain.model import vm_id

MOST_PAGES: Final = 10
"""Ten thousand ends in one answer; each page is a query of the credential's 15 in 5 s."""
_LONGEST_ID: Final = 2000
_GOING: Final = frozenset({"notstarted", "inprogress"})
_CHANGED: Final = "todatetime(properties.lastModifiedDateTime)"
_STATUS: Final = "tostring(properties.status)"


def query(since: datetime, *, running: bool) -> str:
    """Return the query for what was changed since an instant. It asks for ends only, so that a page
    holds a thousand of them, unless what is `running` is asked for, too."""
    ended = f" | where {_STATUS} !~ 'NotStarted' and {_STATUS} !~ 'InProgress'"
    at = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return (
        "patchinstallationresources"
        " | where type =~ 'microsoft.compute/virtualmachines/patchinstallationresults'"
        f"{'' if running else ended}"
        f" | where {_CHANGED} >= datetime({at})"
        f" | project id, status = {_STATUS}, changed = properties.lastModifiedDateTime"
        " | order by id asc"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of an answer; `token` asks for the next one and is empty on the last."""

    hints: tuple[Hint, ...]
    token: str = ""


def page(reply: HttpReply) -> Page | Throttled | Unreadable:
    """Read one page: what it shows."""
    rows = graph.listed(reply)
    if not isinstance(rows, graph.Rows):
        return rows
    hints = (_hint(row) for row in rows.rows)
    return Page(hints=tuple(hint for hint in hints if hint is not None), token=rows.token)


def _hint(row: Document) -> Hint | None:
    """Read a row: `<vm>/patchInstallationResults/<guid>`."""
    vm, _, last = documents.text(row.get("id"), _LONGEST_ID).lower().partition(graph.RESULTS)
    activity, status = headers.guid(last), documents.text(row.get("status")).lower()
    if not vm or not status or activity is None:
        return None
    changed_at = documents.instant(row.get("changed"))
    ended = status not in _GOING
    return Hint(vm_id=vm_id(vm), activity=activity, ended=ended, changed_at=changed_at)
