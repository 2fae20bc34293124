"""Reads of the list of VMs, page by page (azure-facts 1.7).

A page that could not be had is asked for again, at most five times; a list that is not whole is an
error for people, never a smaller fleet. A page's successor is a URL from outside.
"""

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    HTML,
    JSON,
    LIST_URL,
    PROXY_PAGE,
    Ask,
    Outcome,
    Row,
    Unlisted,
    answer,
    listed,
    unlisted,
)
from tests.contract.arm.behaviours.script import Answer, Cut, Framing, Line, Play, Tear, Torn
from tests.contract.arm.bench import VM, recorded

_TRIES = 5


def _row(name: str, outcome: Outcome, *plays: Play, asked: int | None = None) -> Row:
    begun = len(plays) if asked is None else asked
    return Row(ask=Ask.LIST, name=name, plays=plays, outcome=outcome, asked=begun)


def _page(*names: str, following: str | None = None) -> Answer:
    return answer(200, JSON, body=bodies.page(*names, following=following))


def _next(number: int) -> str:
    return f"{LIST_URL}&$skiptoken={number}"


LISTED = (
    _row("one page", listed("a", "b"), _page("a", "b")),
    _row("an empty list", listed(), _page()),
    _row(
        "three pages",
        listed("a", "b", "c"),
        _page("a", following=_next(1)),
        _page("b", following=_next(2)),
        _page("c"),
    ),
    _row(
        "a VM on two pages",
        listed("a", "b", "c"),
        _page("a", "b", following=_next(1)),
        _page("b", "c"),
    ),
    _row(
        "an empty page in the middle",
        listed("a", "b"),
        _page("a", following=_next(1)),
        _page(following=_next(2)),
        _page("b"),
    ),
    _row(
        "a page as it was recorded",
        listed("vm-1", "VM-2"),
        answer(200, JSON, body=recorded("vm_list.json")),
        _page(),
    ),
    _row(
        "entries that are no VMs",
        listed("vm-1"),
        answer(200, body=bodies.page(value=[{"id": "/nonsense"}, 7, None, {"id": VM}, {}])),
    ),
    _row(
        "an id that climbs",
        listed(),
        answer(200, body=bodies.page(value=[{"id": VM.replace("/providers", "/../providers")}])),
    ),
    _row("a next link that is empty", listed("a"), _page("a", following="")),
    _row(
        "a page in chunks",
        listed("a"),
        Answer(status=200, body=bodies.page("a"), framing=Framing.CHUNKED),
    ),
    _row("a page, zipped", listed("a"), Answer(status=200, body=bodies.page("a"), gzip=True)),
    _row("a page called text/html", listed("a"), answer(200, HTML, body=bodies.page("a"))),
    _row(
        "a page of 2 MB",
        listed("a"),
        answer(200, JSON, body=bodies.page("a", more="x" * (2 << 20))),
    ),
)

_AGAIN: tuple[tuple[str, Play], ...] = (
    ("503", answer(503)),
    ("500", answer(500)),
    ("502 with a gateway's page", answer(502, HTML, body=PROXY_PAGE)),
    ("504", answer(504)),
    ("408", answer(408)),
    ("401", answer(401)),
    ("429 with Retry-After: 9", answer(429, ("retry-after", "9"))),
    ("half a page", Torn(answer=_page("a", "b"), tear=Tear.SHORT)),
    ("a page that is no gzip", Torn(answer=_page("a", "b"), tear=Tear.NOT_GZIP)),
)
REPEATED = (
    *(_row(f"{what}, then a page", listed("a"), play, _page("a")) for what, play in _AGAIN),
    _row("a cut connection, then a page", listed("a"), Cut(), _page("a"), asked=1),
    _row(
        "two cut connections, then a page", listed("a"), Cut(), Cut(reset=True), _page("a"), asked=2
    ),
    _row(
        "503 on the second page, then that page",
        listed("a", "b"),
        _page("a", following=_next(1)),
        answer(503),
        _page("b"),
    ),
    _row("503 without end", unlisted("Azure answered 503"), answer(503), asked=_TRIES),
    _row("429 without end", unlisted("Azure answered 429"), answer(429), asked=_TRIES),
)

_ASTRAY: tuple[tuple[str, str], ...] = (
    ("at a foreign host", LIST_URL.replace("management.azure.com", "evil.example")),
    ("at another port", LIST_URL.replace(".com/", ".com:9/")),
    ("in another subscription", LIST_URL.replace("/subscriptions/0b1f", "/subscriptions/ffff")),
    ("of another provider", LIST_URL.replace("Microsoft.Compute", "Microsoft.KeyVault")),
    ("that climbs", LIST_URL.replace("/providers", "/../providers")),
    ("without a host", "/subscriptions/x"),
    ("that is a word", "more"),
)
_NO_LIST = "its answer is no list"
_FORBIDDEN = "Azure answered 403 AuthorizationFailed: Why. (the identity needs to read there)"
_WRONG: tuple[tuple[str, bytes, tuple[Line, ...]], ...] = (
    ("a proxy's page", PROXY_PAGE, (HTML,)),
    ("no body", b"", ()),
    ("half an object", bodies.page("a")[:-9], ()),
    ("a bare list", b"[]", ()),
    ("no value", b"{}", ()),
    ("a value that is an object", b'{"value": {}}', ()),
    ("a value that is null", b'{"value": null}', ()),
    ("a next link that is a number", b'{"value": [], "nextLink": 7}', ()),
    ("an ARM error", bodies.error("X"), ()),
)
UNLISTED = (
    *(
        _row(f"200 with {what}", unlisted(_NO_LIST), answer(200, *lines, body=body))
        for what, body, lines in _WRONG
    ),
    *(
        _row(
            f"a next link {how}",
            Outcome(kind=Unlisted, then="no run is opened"),
            _page("a", following=url),
            asked=1,
        )
        for how, url in _ASTRAY
    ),
    *(
        _row(
            f"a next link {how}",
            Outcome(kind=Unlisted, then="no run is opened"),
            *(_page("a", following=url) for url in urls),
            asked=len(urls),
        )
        for how, urls in (
            ("to its own page", (LIST_URL,)),
            ("to the page before", (_next(1), LIST_URL)),
        )
    ),
    _row(
        "403 of ARM",
        unlisted(_FORBIDDEN),
        answer(403, JSON, body=bodies.error("AuthorizationFailed")),
    ),
    _row(
        "404 of ARM",
        unlisted("Azure answered 404 SubscriptionNotFound: Why."),
        answer(404, JSON, body=bodies.error("SubscriptionNotFound")),
    ),
    _row(
        "400 of ARM",
        unlisted("Azure answered 400 BadRequest: Why."),
        answer(400, JSON, body=bodies.error("BadRequest")),
    ),
    *(
        _row(
            f"{status} to another place",
            unlisted(f"Azure answered {status}"),
            answer(status, ("location", "https://evil.example/")),
        )
        for status in (301, 302, 307, 308)
    ),
    _row("204", unlisted("Azure answered 204"), answer(204)),
)

ROWS = (*LISTED, *REPEATED, *UNLISTED)
