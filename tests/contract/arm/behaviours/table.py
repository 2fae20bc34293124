"""The whole table, by the headings under which people read it."""

from collections.abc import Mapping
from typing import Final

from tests.contract.arm.behaviours import (
    broken_reads,
    lists,
    looks,
    monitors,
    polls,
    polls_ended,
    results,
    submits_accepted,
    submits_conflicting,
    submits_doubtful,
    submits_refused,
)
from tests.contract.arm.behaviours.row import Row

GROUPS: Final[Mapping[str, tuple[Row, ...]]] = {
    "Accepted": submits_accepted.FOLLOWED,
    "How long to wait after a 202": submits_accepted.WAITING,
    "202 and its operation URLs": submits_accepted.STRAY,
    "Other successes": submits_accepted.SUCCESSES,
    "Refused by ARM itself": submits_refused.REFUSED,
    "A 4xx that does not prove to be ARM's": submits_refused.UNPROVED,
    "401, 407 and 408": submits_refused.CREDENTIALS,
    "429": submits_refused.THROTTLED,
    "409": submits_conflicting.CONFLICTS,
    "Redirects": submits_doubtful.REDIRECTS,
    "5xx": submits_doubtful.GATEWAYS,
    "Connections that break": (*submits_doubtful.BROKEN, *broken_reads.BROKEN),
    "Nothing left": submits_doubtful.UNSENT,
    "Still running": (*polls.RUNNING, *monitors.RUNNING),
    "The end, and where its result is": (
        *polls_ended.SUCCEEDED,
        *polls_ended.ELSEWHERE,
        *monitors.ENDED,
    ),
    "The operation itself ended badly": polls_ended.COLLAPSED,
    "The result: its words": results.WORDS,
    "The result: the reboot": results.REBOOTS,
    "The result: its counts": results.COUNTS,
    "The result: what stands beside it": (*results.BESIDE, *results.FOREIGN),
    "Power, agent and identity": looks.STANDING,
    "The newest installation": looks.INSTALLED,
    "No such VM": looks.GONE,
    "Pages": lists.LISTED,
    "Pages asked for again": lists.REPEATED,
    "No list": lists.UNLISTED,
    "Answers that tell nothing": (*polls.WORDLESS, *monitors.UNREAD, *looks.UNSEEN),
    "Errors of the reading": polls.ERRORS,
    "Connections that hold": broken_reads.ANSWERED,
}
ROWS: Final[tuple[Row, ...]] = tuple(row for rows in GROUPS.values() for row in rows)
