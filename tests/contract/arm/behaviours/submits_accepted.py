"""The one POST: answers in the two hundreds, and interim ones.

A 202 is worth as much as the operation URL that it brings (design 5.4, azure-facts 2.2-2.4): with a
URL that may be asked the operation is followed, without one it may have been taken and is looked
for. No other success code is documented for work that takes minutes, so it proves nothing.
"""

from datetime import timedelta

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    ACCEPTED,
    BY_ARM,
    HTML,
    JSON,
    LOCATION,
    ORIGIN,
    PROXY_PAGE,
    STATUS,
    Ask,
    Outcome,
    Row,
    answer,
    by,
    doubt,
    taken,
)
from tests.contract.arm.behaviours.script import Answer, Framing, Line, Pace, Play, Tear, Torn
from tests.contract.arm.bench import LOCATION_URL, OPERATION, STATUS_URL, SUBSCRIPTION

OTHER = "11111111-2222-4333-8444-555555555555"


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.SUBMIT, name=name, plays=plays, outcome=outcome)


def _at(name: str, url: str) -> Line:
    return (name, url)


# ---------------------------------------------------------------------- with a URL that can be used

_LONG = STATUS_URL.ljust(16_384, "c")
_BOTH = by()

FOLLOWED = (
    _row("202 with both operation URLs", taken(**_BOTH), ACCEPTED),
    _row(
        "202 with the status URL alone",
        taken(**by(location=False)),
        answer(202, STATUS, BY_ARM),
    ),
    _row("202 with Location alone", taken(**by(status=False)), answer(202, LOCATION, BY_ARM)),
    _row("202 without a request id (the URL's own id counts)", taken(), answer(202, STATUS)),
    _row("202 with Location alone and no request id", taken(), answer(202, LOCATION)),
    _row(
        "202 with a request id that is no guid",
        taken(),
        answer(202, STATUS, ("x-ms-request-id", "westeurope:1")),
    ),
    _row(
        "202 with two different request ids",
        taken(),
        answer(202, STATUS, BY_ARM, ("x-ms-request-id", OTHER)),
    ),
    _row("202 with one request id twice", taken(), answer(202, STATUS, BY_ARM, BY_ARM)),
    _row(
        "202 with its request id in upper case",
        taken(),
        answer(202, STATUS, ("X-MS-REQUEST-ID", OPERATION.upper())),
    ),
    _row(
        "202 with a status URL of 16 KB",
        taken(**{"tracker.status_url": _LONG}),
        answer(202, _at("azure-asyncoperation", _LONG), BY_ARM),
    ),
    _row(
        "202 with header names in capitals",
        taken(**_BOTH),
        answer(202, ("AZURE-ASYNCOPERATION", STATUS_URL), ("LOCATION", LOCATION_URL), BY_ARM),
    ),
    _row("202 with the same status URL twice", taken(), answer(202, STATUS, STATUS, BY_ARM)),
    _row(
        "202 with blanks around the status URL",
        taken(**by(location=False)),
        answer(202, ("azure-asyncoperation", f"  {STATUS_URL}\t"), BY_ARM),
    ),
    _row(
        "202 with its path in capitals",
        taken(),
        answer(202, ("location", LOCATION_URL.replace("/providers", "/PROVIDERS")), BY_ARM),
    ),
    _row(
        "202 with a body although none is due",
        taken(),
        answer(202, STATUS, BY_ARM, JSON, body=bodies.operation("Failed")),
    ),
    _row("202 with a proxy's page as body", taken(), answer(202, STATUS, HTML, body=PROXY_PAGE)),
    _row(
        "202 with an ARM error as body",
        taken(),
        answer(202, STATUS, BY_ARM, body=bodies.error("InternalServerError")),
    ),
    _row(
        "202 in chunks",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), body=b"{}", framing=Framing.CHUNKED),
    ),
    _row(
        "202 that ends with its connection",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), body=b"{}", framing=Framing.TO_THE_END),
    ),
    _row(
        "202 with a gzip bomb as body",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), body=bytes(8 << 20), gzip=True),
    ),
    _row(
        "202 with a huge body",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), body=b"x" * ((1 << 20) + 1)),
    ),
    _row(
        "202 that comes late, within the time-out",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), pace=Pace.SLOW),
    ),
    _row(
        "202 that comes in drops",
        taken(),
        Answer(status=202, lines=(STATUS, BY_ARM), pace=Pace.DRIPPING),
    ),
    *(
        _row(f"202 whose body was {tear.value}", taken(), Torn(answer=ACCEPTED, tear=tear))
        for tear in Tear
    ),
    *(
        _row(
            f"{number} ahead of the 202",
            taken(),
            Answer(status=202, lines=(STATUS, BY_ARM), ahead=(number,)),
        )
        for number in (100, 102, 103)
    ),
)

# ----------------------------------------------------------------- how long Azure asks us to wait

# The header, and the wait: clamped to [1 s, 20 min], senseless values become 30 s (design 8).
_WAITS: tuple[tuple[str, tuple[Line, ...], float | None], ...] = (
    ("no Retry-After", (), None),
    ("Retry-After: 10", (("retry-after", "10"),), 10),
    ("Retry-After: 0", (("retry-after", "0"),), 30),
    ("Retry-After: -5", (("retry-after", "-5"),), 30),
    ("Retry-After: 0.2", (("retry-after", "0.2"),), 1),
    ("Retry-After: 99999999999", (("retry-after", "99999999999"),), 1200),
    ("Retry-After: nan", (("retry-after", "nan"),), 30),
    ("Retry-After: inf", (("retry-after", "inf"),), 30),
    ("Retry-After: soon", (("retry-after", "soon"),), 30),
    ("an empty Retry-After", (("retry-after", ""),), 30),
    ("Retry-After twice and different", (("retry-after", "5"), ("retry-after", "7")), 30),
    ("Retry-After: 5 twice", (("retry-after", "5"), ("retry-after", "5")), 5),
    ("x-ms-retry-after-ms: 1500", (("x-ms-retry-after-ms", "1500"),), 1.5),
    (
        "a date two minutes after its own",
        (
            ("date", "Sun, 22 Nov 2026 18:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2026 18:02:00 GMT"),
        ),
        120,
    ),
    (
        "a date that is over",
        (
            ("date", "Sun, 22 Nov 2026 18:00:00 GMT"),
            ("retry-after", "Sun, 22 Nov 2020 18:02:00 GMT"),
        ),
        30,
    ),
)

WAITING = tuple(
    _row(
        f"202 with {what}",
        taken(retry_after=None if seconds is None else timedelta(seconds=seconds)),
        answer(202, STATUS, BY_ARM, *lines),
    )
    for what, lines, seconds in _WAITS
)

# -------------------------------------------------------------------- without a URL that serves

_STRAY: tuple[tuple[str, str], ...] = (
    ("at a foreign host", STATUS_URL.replace("management.azure.com", "evil.example")),
    (
        "at a host that only begins like Azure's",
        STATUS_URL.replace("management.azure.com", "management.azure.com.evil.example"),
    ),
    ("at another port", STATUS_URL.replace(ORIGIN, f"{ORIGIN}:8443")),
    ("over ftp", STATUS_URL.replace("https:", "ftp:")),
    ("with a user name", STATUS_URL.replace("https://", "https://management.azure.com@")),
    ("without a host", STATUS_URL.removeprefix(ORIGIN)),
    ("without a scheme", STATUS_URL.removeprefix("https:")),
    ("in another subscription", STATUS_URL.replace(SUBSCRIPTION, OTHER)),
    ("of another provider", STATUS_URL.replace("Microsoft.Compute", "Microsoft.Authorization")),
    ("that climbs out of its path", STATUS_URL.replace("/locations", "/../locations")),
    ("that climbs in disguise", STATUS_URL.replace("/locations", "/%2e%2e/locations")),
    ("with a slash in disguise", STATUS_URL.replace("westeurope", "west%2Feurope")),
    ("with a backslash", STATUS_URL.replace("/locations", "\\locations")),
    ("with a fragment", STATUS_URL + "#here"),
    ("with a blank inside", STATUS_URL.replace("&t=", "& t=")),
    ("beyond ASCII", STATUS_URL.replace("westeurope", "westéurope")),
    ("of 20 KB", STATUS_URL.ljust(20_000, "c")),
    ("that is empty", ""),
    ("that is a word", "pending"),
)

STRAY = (
    _row("202 without any operation URL", doubt(202, OPERATION), answer(202, BY_ARM)),
    _row("202 with nothing at all", doubt(202), answer(202)),
    _row(
        "202 with two different status URLs",
        doubt(202, OPERATION),
        answer(202, STATUS, ("azure-asyncoperation", STATUS_URL + "&again"), BY_ARM),
    ),
    _row(
        "202 with a page of a captive portal",
        doubt(202),
        answer(202, HTML, body=PROXY_PAGE),
    ),
    *(
        _row(
            f"202 with a status URL {how}",
            doubt(202, OPERATION),
            answer(202, ("azure-asyncoperation", url), BY_ARM),
        )
        for how, url in _STRAY
    ),
    *(
        _row(
            f"202 with a status URL {how}, and a good Location",
            taken(**by(status=False)),
            answer(202, ("azure-asyncoperation", url), LOCATION, BY_ARM),
        )
        for how, url in _STRAY[:6]
    ),
    *(
        _row(
            f"202 with a Location {how}, and a good status URL",
            taken(**by(location=False)),
            answer(202, STATUS, ("location", url), BY_ARM),
        )
        for how, url in _STRAY[:6]
    ),
    _row(
        "202 whose two status URLs differ, and a good Location",
        taken(**by(status=False)),
        answer(202, STATUS, ("azure-asyncoperation", STATUS_URL + "&again"), LOCATION, BY_ARM),
    ),
)

# ----------------------------------------------------------------------------- other successes

SUCCESSES = (
    *(
        _row(
            f"{status} with both operation URLs",
            doubt(status),
            answer(status, STATUS, LOCATION, BY_ARM),
        )
        for status in (200, 201, 203, 204, 205, 206, 226)
    ),
    _row(
        "200 with a result that says Succeeded",
        doubt(200),
        answer(200, BY_ARM, JSON, body=bodies.bare_result()),
    ),
    _row("200 with nothing", doubt(200), answer(200)),
    _row("200 with a proxy's page", doubt(200), answer(200, HTML, body=PROXY_PAGE)),
)

ROWS = (*FOLLOWED, *WAITING, *STRAY, *SUCCESSES)
