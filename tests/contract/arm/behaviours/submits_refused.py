"""The one POST: answers in the four hundreds.

Only what proves to be ARM's own word is a refusal: a 4xx (but 401, 408, 409, 429) with its request
id and its error body (design 5.4). A proxy's 403 proves nothing. 429 and 401 are refusals before
anything was done.
"""

from collections.abc import Callable

from tests.contract.arm.behaviours import bodies
from tests.contract.arm.behaviours.row import (
    BY_ARM,
    HTML,
    JSON,
    LOCATION,
    PROXY_PAGE,
    STATUS,
    Ask,
    Outcome,
    Row,
    answer,
    doubt,
    held_back,
    no_credentials,
    refused,
)
from tests.contract.arm.behaviours.script import Answer, Line, Play, Tear, Torn
from tests.contract.arm.bench import recorded


def _row(name: str, outcome: Outcome, *plays: Play) -> Row:
    return Row(ask=Ask.SUBMIT, name=name, plays=plays, outcome=outcome)


# -------------------------------------------------------------------------------------- refusals

_KNOWN: tuple[tuple[int, str, str], ...] = (
    (400, "InvalidApiVersionParameter", "The api-version '2025-04-01' is invalid."),
    (400, "BadRequest", "The request is invalid."),
    (402, "PaymentRequired", "Pay."),
    (403, "AuthorizationFailed", "The client does not have authorization over scope."),
    (403, "RequestDisallowedByPolicy", "Resource was disallowed by policy."),
    (403, "ScopeLocked", "The scope cannot perform write operation."),
    (404, "ResourceGroupNotFound", "Resource group 'rg-web' could not be found."),
    (404, "SubscriptionNotFound", "The subscription could not be found."),
    (404, "VMNotFound", "The VM 'vm-1' cannot be found."),
    (405, "MethodNotAllowed", "No."),
    (406, "NotAcceptable", "No."),
    (410, "Gone", "It was."),
    (411, "LengthRequired", "No."),
    (412, "PreconditionFailed", "No."),
    (413, "RequestEntityTooLarge", "No."),
    (414, "UriTooLong", "No."),
    (415, "UnsupportedMediaType", "No."),
    (416, "RangeNotSatisfiable", "No."),
    (417, "ExpectationFailed", "No."),
    (421, "MisdirectedRequest", "No."),
    (422, "UnprocessableEntity", "No."),
    (423, "Locked", "No."),
    (424, "FailedDependency", "No."),
    (425, "TooEarly", "No."),
    (426, "UpgradeRequired", "No."),
    (428, "PreconditionRequired", "No."),
    (431, "HeadersTooLarge", "No."),
    (451, "UnavailableForLegalReasons", "No."),
    (499, "ClientClosedRequest", "No."),
)

_BOM = b"\xef\xbb\xbf"
REFUSED = (
    *(
        _row(
            f"{status} {code} of ARM's own",
            refused(status, code),
            answer(status, BY_ARM, JSON, body=bodies.error(code, message)),
        )
        for status, code, message in _KNOWN
    ),
    _row(
        "400 InvalidParameter as it was recorded",
        refused(400, "InvalidParameter"),
        answer(400, BY_ARM, JSON, body=recorded("error_400_kb.json")),
    ),
    _row(
        "404 ResourceNotFound of the gateway as it was recorded",
        refused(404, "ResourceNotFound"),
        answer(
            404,
            BY_ARM,
            JSON,
            ("x-ms-failure-cause", "gateway"),
            body=recorded("error_404_gateway.json"),
        ),
    ),
    _row(
        "400 of ARM's own with an error that is not wrapped",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, body=bodies.bare_error("BadRequest", "No.")),
    ),
    _row(
        "400 of ARM's own called text/html",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, HTML, body=bodies.error("BadRequest")),
    ),
    _row(
        "400 of ARM's own called latin-1, in UTF-8",
        refused(400, "BadRequest"),
        answer(
            400,
            BY_ARM,
            ("content-type", "application/json; charset=iso-8859-1"),
            body=bodies.error("BadRequest", "größer"),
        ),
    ),
    _row(
        "400 of ARM's own behind a byte order mark",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, body=_BOM + bodies.error("BadRequest")),
    ),
    _row(
        "400 of ARM's own, zipped",
        refused(400, "BadRequest"),
        Answer(status=400, lines=(BY_ARM,), body=bodies.error("BadRequest"), gzip=True),
    ),
    _row(
        "400 of ARM's own with a request id that is no guid",
        refused(400, "BadRequest"),
        answer(400, ("x-ms-request-id", "westeurope:1"), body=bodies.error("BadRequest")),
    ),
    _row(
        "400 of ARM's own that offers operation URLs",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, STATUS, LOCATION, body=bodies.error("BadRequest")),
    ),
    _row(
        "400 of ARM's own with Retry-After",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, ("retry-after", "5"), body=bodies.error("BadRequest")),
    ),
    _row(
        "400 of ARM's own without a message",
        refused(400, "BadRequest"),
        answer(400, BY_ARM, body=bodies.error("BadRequest", None)),
    ),
)

# ----------------------------------------------------------------- what does not prove to be ARM's

_PROOFLESS: tuple[tuple[str, Callable[[int], Play]], ...] = (
    ("an ARM error but no request id", lambda s: answer(s, JSON, body=bodies.error("Forbidden"))),
    ("a request id and a proxy's page", lambda s: answer(s, BY_ARM, HTML, body=PROXY_PAGE)),
    ("a request id and no body", lambda s: answer(s, BY_ARM)),
    ("a proxy's page", lambda s: answer(s, HTML, body=PROXY_PAGE)),
    ("a request id and an empty object", lambda s: answer(s, BY_ARM, body=b"{}")),
    ("a request id and a list", lambda s: answer(s, BY_ARM, body=b'[{"error": 1}]')),
    ("a request id and an error that is text", lambda s: answer(s, BY_ARM, body=b'{"error": "n"}')),
    ("a request id and an error without a code", lambda s: answer(s, BY_ARM, body=b'{"error":{}}')),
    ("a request id and a numeric code", lambda s: answer(s, BY_ARM, body=bodies.error(403))),
    (
        "a request id and half an error",
        lambda s: answer(s, BY_ARM, body=bodies.error("Forbidden")[:-9]),
    ),
    (
        "a request id and an error in latin-1",
        lambda s: answer(s, BY_ARM, body='{"error": {"code": "Größe"}}'.encode("latin-1")),
    ),
    (
        "a request id and an error that breaks off",
        lambda s: Torn(answer=answer(s, BY_ARM, body=bodies.error("X")), tear=Tear.SHORT),
    ),
    (
        "a request id and an error called gzip that is none",
        lambda s: Torn(answer=answer(s, BY_ARM, body=bodies.error("X")), tear=Tear.NOT_GZIP),
    ),
    (
        "a request id and an error beyond 1 MB",
        lambda s: answer(s, BY_ARM, body=bodies.error("X", "y" * (1 << 20))),
    ),
)

UNPROVED = tuple(
    _row(f"{status} with {what}", doubt(status), play(status))
    for status in (400, 403, 404)
    for what, play in _PROOFLESS
)

# ------------------------------------------------------------------------------ 401, 407, 408, 429

_CHALLENGE: Line = (
    "www-authenticate",
    'Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="',
)
CREDENTIALS = (
    _row(
        "401 ExpiredAuthenticationToken",
        no_credentials(),
        answer(401, BY_ARM, JSON, body=bodies.error("ExpiredAuthenticationToken", "Over.")),
    ),
    _row("401 with a claims challenge", no_credentials(), answer(401, BY_ARM, _CHALLENGE)),
    _row("401 with no body and no id", no_credentials(), answer(401)),
    _row("401 with a proxy's page", no_credentials(), answer(401, HTML, body=PROXY_PAGE)),
    _row(
        "401 that breaks off",
        no_credentials(),
        Torn(answer=answer(401, BY_ARM, body=bodies.error("X")), tear=Tear.SHORT),
    ),
    _row("407 of a proxy on the way", doubt(407), answer(407, HTML, body=PROXY_PAGE)),
    _row(
        "408 in ARM's own words",
        doubt(408),
        answer(408, BY_ARM, JSON, body=bodies.error("RequestTimeout")),
    ),
    _row("408 with nothing", doubt(408), answer(408)),
)

_COMPUTE = recorded("error_429_compute.json")
_ARM_429 = bodies.error("SubscriptionRequestsThrottled", "Please try again after '6' seconds.")
_HELD: tuple[tuple[str, tuple[Line, ...], bytes, float], ...] = (
    (
        "of Compute as it was recorded, Retry-After: 1200",
        (("retry-after", "1200"),),
        _COMPUTE,
        1200,
    ),
    ("of ARM, Retry-After: 6", (("retry-after", "6"),), _ARM_429, 6),
    ("of ARM without Retry-After", (), _ARM_429, 30),
    ("with Retry-After: 0", (("retry-after", "0"),), _ARM_429, 30),
    ("with Retry-After: -1", (("retry-after", "-1"),), _ARM_429, 30),
    ("with Retry-After: 100000", (("retry-after", "100000"),), _ARM_429, 1200),
    ("with Retry-After: 1e3", (("retry-after", "1e3"),), _ARM_429, 30),
    ("with Retry-After: later", (("retry-after", "later"),), _ARM_429, 30),
    ("with retry-after-ms: 2500", (("retry-after-ms", "2500"),), _ARM_429, 2.5),
    ("without a request id or a body", (), b"", 30),
    ("of a proxy, with its page", (HTML, ("retry-after", "9")), PROXY_PAGE, 9),
    ("with half a body", (("retry-after", "9"),), _ARM_429[:20], 9),
    ("that offers operation URLs", (STATUS, LOCATION, ("retry-after", "9")), _ARM_429, 9),
)
THROTTLED = tuple(
    _row(f"429 {what}", held_back(seconds), answer(429, *lines, body=body))
    for what, lines, body, seconds in _HELD
)

ROWS = (*REFUSED, *UNPROVED, *CREDENTIALS, *THROTTLED)
