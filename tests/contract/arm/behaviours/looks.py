"""Reads of one VM with its instance view, as before an intent (design 5.0, azure-facts 1.6).

What an answer does not show is not there: a VM without its instance view is no answer, never "no
installation". Only ARM's own 404 says that a VM is gone.
"""

from datetime import timedelta

from orchestrator.domain.model import ActivityId
from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    BY_ARM,
    HTML,
    JSON,
    PROXY_PAGE,
    Ask,
    Outcome,
    Row,
    answer,
    gone,
    look_later,
    seen,
    unseen,
)
from tests.contract.arm.behaviours.script import Answer, Framing, Line, Play, Tear, Torn
from tests.contract.arm.bench import OPERATION, VM, recorded

_BASELINE = "submitting, over a baseline"
_RECENT = "skipped: patched_recently, unless it is ours"


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.LOOK, name=name, plays=plays, outcome=outcome)


def _vm(body: bytes, *lines: Line) -> Answer:
    return answer(200, JSON, *lines, body=body)


# ----------------------------------------------------------------------------- power, agent, self

_POWER = ("starting", "stopping", "stopped", "deallocating", "deallocated", "unknown", "hibernated")
STANDING = (
    _row("a VM that runs", seen(power="running", agent_ready=True, last=None), _vm(bodies.vm())),
    *(
        _row(
            f"a VM that is {word}",
            seen("skipped: not_running", power=word),
            _vm(bodies.vm(f"PowerState/{word}")),
        )
        for word in _POWER
    ),
    _row("a power state in capitals", seen(power="running"), _vm(bodies.vm("POWERSTATE/RUNNING"))),
    _row("a VM without a power state", seen(power=""), _vm(bodies.vm(None))),
    _row(
        "two power states (the last counts)",
        seen("skipped: not_running", power="stopped"),
        _vm(
            bodies.vm(
                view={"statuses": [{"code": "PowerState/running"}, {"code": "PowerState/stopped"}]}
            )
        ),
    ),
    *(
        _row(f"statuses that are {what}", seen(power=""), _vm(bodies.vm(view={"statuses": value})))
        for what, value in (("null", None), ("text", "running"), ("numbers", [1, 2]))
    ),
    _row(
        "an agent that is not ready",
        seen(agent_ready=False),
        _vm(bodies.vm(agent="ProvisioningState/Unavailable")),
    ),
    _row("no agent", seen(agent_ready=False), _vm(bodies.vm(view={"vmAgent": None}))),
    _row("its id in another case", seen(vm_id=VM), _vm(bodies.vm(id=VM.upper()))),
    _row("no id", seen(vm_id=VM), _vm(bodies.vm(id=...))),
    _row(
        "a region as people write it",
        seen(region="westeurope"),
        _vm(bodies.vm(location="West Europe")),
    ),
    _row("no region", seen(region=""), _vm(bodies.vm(location=...))),
    _row(
        "a VM as it was recorded",
        seen(_BASELINE, power="running", os="Linux", region="westeurope"),
        _vm(recorded("vm_with_view.json")),
    ),
    _row(
        "a VM, called text/html, in chunks",
        seen(),
        Answer(status=200, lines=(HTML,), body=bodies.vm(), framing=Framing.CHUNKED),
    ),
    _row("a VM, zipped", seen(), Answer(status=200, body=bodies.vm(), gzip=True)),
)

# ----------------------------------------------------------------------- the newest installation

_RUNS = "2026-11-22T17:55:00+00:00"
INSTALLED = (
    _row(
        "an installation of last month",
        seen(_BASELINE, **{"last.activity": OPERATION, "last.result.installed": 9}),
        _vm(bodies.vm(last=bodies.summary())),
    ),
    _row(
        "an installation in progress",
        seen("queued: busy", **{"last.result.status": "InProgress"}),
        _vm(bodies.vm(last=bodies.summary(status="InProgress", startTime=_RUNS))),
    ),
    _row(
        "an installation that ended an hour ago",
        seen(_RECENT),
        _vm(bodies.vm(last=bodies.summary(startTime="2026-11-22T16:50:00+00:00"))),
    ),
    _row(
        "one of eleven and a half hours ago, written in another zone",
        seen(_RECENT),
        _vm(bodies.vm(last=bodies.summary(startTime="2026-11-22T01:30:00-05:00"))),
    ),
    _row(
        "one of twelve and a half hours ago",
        seen(_BASELINE, skew=timedelta(0)),
        _vm(bodies.vm(last=bodies.summary(startTime="2026-11-22T05:30:00Z"))),
    ),
    _row(
        "one of twelve and a half hours ago by a clock that is an hour behind",
        seen(_RECENT, skew=timedelta(hours=-1)),
        _vm(
            bodies.vm(last=bodies.summary(startTime="2026-11-22T05:30:00Z")),
            ("date", "Sun, 22 Nov 2026 17:00:00 GMT"),
        ),
    ),
    _row(
        "one of twelve and a half hours ago by a clock that is a week behind (no clock)",
        seen(_BASELINE, skew=timedelta(0)),
        _vm(
            bodies.vm(last=bodies.summary(startTime="2026-11-22T05:30:00Z")),
            ("date", "Sun, 15 Nov 2026 18:00:00 GMT"),
        ),
    ),
    _row(
        "an installation without a start",
        seen(_BASELINE, **{"last.started_at": None}),
        _vm(bodies.vm(last=bodies.summary(startTime=...))),
    ),
    _row(
        "an installation whose start is no time",
        seen(_BASELINE, **{"last.started_at": None}),
        _vm(bodies.vm(last=bodies.summary(startTime="yesterday"))),
    ),
    _row(
        "an installation of the year 1601",
        seen(_BASELINE, **{"last.started_at": None}),
        _vm(bodies.vm(last=bodies.summary(startTime="1601-01-01T00:00:00Z"))),
    ),
    _row(
        "an id in upper case",
        seen(_BASELINE, **{"last.activity": OPERATION}),
        _vm(bodies.vm(last=bodies.summary(installationActivityId=OPERATION.upper()))),
    ),
    _row(
        "an id that is no guid",
        seen(_BASELINE, **{"last.activity": ActivityId("seven")}),
        _vm(bodies.vm(last=bodies.summary(installationActivityId="Seven"))),
    ),
    *(
        _row(
            f"an installation that ended, its id {what}",
            seen(last=None),
            _vm(bodies.vm(last=bodies.summary(installationActivityId=value))),
        )
        for what, value in (("left out", ...), ("empty", ""), ("a number", 7), ("null", None))
    ),
    *(
        _row(
            f"an installation in progress, its id {what}",
            unseen(200),
            _vm(bodies.vm(last=bodies.summary(status="InProgress", installationActivityId=value))),
        )
        for what, value in (("left out", ...), ("empty", ""), ("a number", 7), ("null", None))
    ),
    *(
        _row(f"a summary that is {what}", seen(last=None), _vm(bodies.vm(last=value)))
        for what, value in (("null", None), ("text", "none"), ("a list", []), ("empty", {}))
    ),
    _row("no patch status at all", seen(last=None), _vm(bodies.vm(view={"patchStatus": None}))),
    *(
        _row(
            f"an installation with the count {what}",
            seen(_BASELINE, **{"last.result.failed": None}),
            _vm(bodies.vm(last=bodies.summary(failedPatchCount=value))),
        )
        for what, value in (("-1", -1), ("a text", "0"), ("left out", ...), ("1e300", 1e300))
    ),
    _row(
        "an installation with a status of no table",
        seen(_BASELINE, **{"last.result.status": "Unknown"}),
        _vm(bodies.vm(last=bodies.summary(status="Finished"))),
    ),
)

# ------------------------------------------------------------------------------------ no answer

_OTHER = VM.replace("vm-1", "vm-2")
_NOTHING: tuple[tuple[str, bytes], ...] = (
    ("another VM", bodies.vm(id=_OTHER)),
    ("another VM that is gone to sleep", bodies.vm("PowerState/deallocated", id=_OTHER)),
    ("no properties", bodies.vm(properties=...)),
    ("properties null", bodies.vm(properties=None)),
    ("no instance view", bodies.vm(properties={"provisioningState": "Succeeded"})),
    ("an instance view null", bodies.vm(properties={"instanceView": None})),
    ("an empty instance view", bodies.vm(properties={"instanceView": {}})),
    ("an instance view that is text", bodies.vm(properties={"instanceView": "ok"})),
    ("no body", b""),
    ("a proxy's page", PROXY_PAGE),
    ("half a VM", bodies.vm()[:-9]),
    ("a list", b"[]"),
    ("bytes that are no text", b"\xff\xfe\xfd"),
    ("more than 1 MB", bodies.vm(more="x" * (1 << 20))),
)
UNSEEN = (
    *(_row(f"200 with {what}", unseen(200), _vm(body)) for what, body in _NOTHING),
    *(
        _row(
            f"200 with a VM that was {tear.value}",
            unseen(200),
            Torn(answer=_vm(bodies.vm()), tear=tear),
        )
        for tear in Tear
    ),
    _row("200 with a gzip bomb", unseen(200), Answer(status=200, body=b" " * (8 << 20), gzip=True)),
    *(
        _row(
            f"{status} with an ARM error",
            unseen(status),
            answer(status, BY_ARM, JSON, body=bodies.error("Trouble")),
        )
        for status in (400, 401, 403, 408, 409, 410, 500, 502, 503, 504)
    ),
    *(
        _row(
            f"{status} with a VM in it",
            unseen(status),
            answer(status, JSON, body=bodies.vm()),
        )
        for status in (201, 202, 203, 206, 500)
    ),
    _row("204", unseen(204), answer(204)),
    *(
        _row(
            f"{status} to another place",
            unseen(status),
            answer(status, ("location", "https://evil.example/")),
        )
        for status in (301, 302, 307, 308)
    ),
    _row("503 with Retry-After: 90", unseen(503, 90), answer(503, ("retry-after", "90"))),
    _row("429 with Retry-After: 9", look_later(9), answer(429, ("retry-after", "9"))),
    _row("429 without Retry-After", look_later(30), answer(429)),
    _row(
        "429 of Compute as it was recorded",
        look_later(1200),
        answer(429, ("retry-after", "1200"), body=recorded("error_429_compute.json")),
    ),
)

# ----------------------------------------------------------------------------------------- gone

GONE = (
    _row(
        "404 of the gateway as it was recorded",
        gone(),
        answer(404, BY_ARM, JSON, body=recorded("error_404_gateway.json")),
    ),
    *(
        _row(f"404 {code}", gone(), answer(404, BY_ARM, JSON, body=bodies.error(code)))
        for code in ("NotFound", "ResourceNotFound", "ResourceGroupNotFound")
    ),
    _row("404 with a proxy's page", unseen(404), answer(404, HTML, body=PROXY_PAGE)),
    _row("404 with no body", unseen(404), answer(404, BY_ARM)),
    _row("404 with an empty object", unseen(404), answer(404, BY_ARM, body=b"{}")),
    _row("404 with an error without a code", unseen(404), answer(404, body=b'{"error": {}}')),
    _row(
        "404 that breaks off",
        unseen(404),
        Torn(answer=answer(404, BY_ARM, body=bodies.error("NotFound")), tear=Tear.SHORT),
    ),
)

ROWS = (*STANDING, *INSTALLED, *UNSEEN, *GONE)
