"""Resource Graph as we ask it: the installations of one VM or of many, as a query, and its pages as
values.

Pure; it sends nothing and never raises. An answer that may lack a row, or has one that cannot be
told apart from ours, is no answer: "exactly one new installation" is concluded from it (design
5.5).
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.arm import documents, headers, replies, results
from orchestrator.arm.clouds import Cloud
from orchestrator.arm.documents import Document
from orchestrator.arm.exchange import HttpReply, Request
from orchestrator.domain.answer import Throttled, Trace, Traced, TracedMany, Unreadable
from orchestrator.domain.model import VmId

API_VERSION: Final = "2021-03-01"
MOST_PAGES: Final = 10
"""A VM is not installed on ten thousand times in the days that we ask about."""
_PAGE: Final = 1000
_SPOILT: Final = Unreadable(reason="Resource Graph's answer has a row of the VM without an id")
_LONGEST_TOKEN: Final = 8192
_STARTERS: Final = ("User", "Platform")
RESULTS: Final = "/patchinstallationresults/"
_START: Final = "todatetime(properties.startDateTime)"


def query(vm: VmId, since: datetime) -> str | None:
    """Return the query for a VM's installations since an instant (azure-facts 7).

    The id goes in as a literal. None for an id that could end one: with characters that are not
    printable.
    """
    if not vm.isprintable():
        return None
    return _query(since, f" | where id startswith {_literal(vm + RESULTS)}")


def query_of_many(since: datetime) -> str:
    """Return the query for all installations since an instant, whatever their VM."""
    return _query(since, "")


def _query(since: datetime, narrowed: str) -> str:
    at = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return (
        "patchinstallationresources"
        " | where type =~ 'microsoft.compute/virtualmachines/patchinstallationresults'"
        f"{narrowed}"
        f" | where isnull({_START}) or {_START} >= datetime({at})"
        " | project id, name, properties"
        " | order by id asc"
    )


def _literal(text: str) -> str:
    r"""Write a string of Kusto's: a backslash escapes itself and the quote."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def asking(
    cloud: Cloud, subscriptions: Sequence[str], kql: str, token: str, seconds: float, limit: int
) -> Request:
    """Return the request for one page. It is a read, whatever its method: it may be repeated."""
    options: dict[str, object] = {"$top": _PAGE, "resultFormat": "objectArray"}
    if token:
        options["$skipToken"] = token
    body = {"subscriptions": list(subscriptions), "query": kql, "options": options}
    return Request(
        method="POST",
        url=f"{cloud.endpoint}/providers/Microsoft.ResourceGraph/resources"
        f"?api-version={API_VERSION}",
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
        timeout=seconds,
        limit=limit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of an answer; `token` asks for the next one and is empty on the last."""

    traces: tuple[Trace, ...]
    token: str = ""


def page(reply: HttpReply, vm: VmId, since: datetime) -> Page | Throttled | Unreadable:
    """Read one page. Rows of other VMs are passed over, and those of older installations."""
    rows = listed(reply)
    if not isinstance(rows, Rows):
        return rows
    ours = [row for row in rows.rows if _of(row, vm)]
    traces = tuple(_trace(row, since) for row in ours)
    if None in traces or not rows.sound:
        return replies.unreadable(reply, "Resource Graph's answer has a row without an id")
    return Page(traces=tuple(one for one in traces if isinstance(one, Trace)), token=rows.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOfMany:
    """One page of an answer about many VMs. `unread` are those with a row that could not be read:
    of them it says nothing."""

    traces: Mapping[VmId, tuple[Trace, ...]]
    unread: frozenset[VmId]
    token: str = ""


def page_of_many(
    reply: HttpReply, vms: Container[VmId], since: datetime
) -> PageOfMany | Throttled | Unreadable:
    """Read one page for these VMs, each as strictly as if it had been asked about alone."""
    rows = listed(reply)
    if not isinstance(rows, Rows):
        return rows
    if not rows.sound or not all(isinstance(row.get("id"), str) for row in rows.rows):
        return replies.unreadable(reply, "Resource Graph's answer has a row without an id")
    found: dict[VmId, tuple[Trace, ...]] = {}
    unread = set[VmId]()
    for row in rows.rows:
        vm, shows, _ = str(row["id"]).lower().partition(RESULTS)
        of_one = VmId(vm)
        if not shows or of_one not in vms:
            continue
        trace = _trace(row, since)
        if trace is None:
            unread.add(of_one)
        elif isinstance(trace, Trace):
            found[of_one] = (*found.get(of_one, ()), trace)
    return PageOfMany(traces=found, unread=frozenset(unread), token=rows.token)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one page, and the token of the next; not `sound`: some were no rows."""

    rows: tuple[Document, ...]
    token: str
    sound: bool


def listed(reply: HttpReply) -> Rows | Throttled | Unreadable:
    """Read the frame of one page, whatever its rows are."""
    document = documents.read(reply.body)
    if reply.status == 429:
        return replies.throttled(reply)
    if reply.status != 200:
        return replies.unreadable(reply)
    rows = document.get("data") if document is not None else None
    if document is None or not isinstance(rows, list):
        return replies.unreadable(reply, "Resource Graph's answer is no list of rows")
    token = document.get("$skipToken") or ""
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
        return replies.unreadable(reply, "Resource Graph's answer names its next page by no token")
    if not token and documents.text(document.get("resultTruncated")).lower() != "false":
        return replies.unreadable(reply, "Resource Graph's answer is cut short")
    found = tuple(documents.items(rows))
    return Rows(found, token, len(found) == len(rows))


def _of(row: Document, vm: VmId) -> bool:
    """Tell whether a row may be one of this VM's: its id says another's, or it may be."""
    named = row.get("id")
    return not isinstance(named, str) or named.lower().startswith(vm + RESULTS)


@dataclass(frozen=True, slots=True)
class _Older:
    """A row from before the time that was asked about."""


def _trace(row: Document, since: datetime) -> Trace | _Older | None:
    """Read a row; None when it does not name its installation by one guid."""
    properties = documents.inner(row, "properties")
    last = documents.text(row.get("id"), 2000).rpartition("/")[2]
    activity = headers.guid(last)
    if activity is None:
        return None
    named = documents.text(properties.get("installationActivityId")).lower()
    if named and named != activity:
        return None
    started = documents.instant(properties.get("startDateTime"))
    known = started or documents.instant(properties.get("lastModifiedDateTime"))
    if known is not None and known < since:
        return _Older()
    result = results.summary(properties)
    if documents.text(properties.get("status")).lower() == "notstarted":
        result = replace(result, status="InProgress")
    return Trace(
        activity=activity,
        started_at=started,
        started_by=documents.word(properties.get("startedBy"), _STARTERS) or "",
        result=result,
    )


def of_many(pages: Sequence[PageOfMany], vm_ids: Iterable[VmId], skew: timedelta) -> TracedMany:
    """Return what all pages together say of each VM."""
    unread = {vm for page in pages for vm in page.unread}
    answers: dict[VmId, Traced | Unreadable] = {}
    for vm in vm_ids:
        shown = [trace for page in pages for trace in page.traces.get(vm, ())]
        traces = {trace.activity: trace for trace in shown}
        known = Traced(traces=tuple(traces.values()), skew=skew)
        answers[vm] = _SPOILT if vm in unread else known
    return TracedMany(answers=answers, pages=len(pages))
