"""Azure's refusals as replies (azure-facts 2.6, 2.7, 4, 5.2, 8).

Texts marked [invented] are not recorded anywhere.
"""

import json
from collections.abc import Mapping

from orchestrator.simulator.buckets import Refused
from orchestrator.simulator.exchange import Header, Reply

JSON = ("content-type", "application/json; charset=utf-8")
HTML = ("content-type", "text/html")
FROM_GATEWAY = ("x-ms-failure-cause", "gateway")
_FIX = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
_CHALLENGE = (
    'Bearer authorization_uri="https://login.microsoftonline.com/common", '
    'error="{}", error_description="{}"'
)
# {"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}
_CLAIMS = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAwMDAwMDAwIn19fQ=="


def pretty(document: object) -> str:
    """Write JSON the way Azure does: indented, with CRLF."""
    return json.dumps(document, indent=2, ensure_ascii=False).replace("\n", "\r\n")


def error(
    status: int, code: str, message: str, *headers: Header, target: str | None = None
) -> Reply:
    """Build `{"error": {code, message, target?}}`."""
    content = {"code": code, "message": message}
    if target is not None:
        content["target"] = target
    return Reply(status, (JSON, *headers), pretty({"error": content}).encode())


def unauthorised(code: str, message: str) -> Reply:
    """401 for a missing, bad or expired token."""
    challenge = _CHALLENGE.format("invalid_token", message)
    return error(401, code, message, ("www-authenticate", challenge), FROM_GATEWAY)


def claims_challenge() -> Reply:
    """401 of continuous access evaluation: come back with a token that carries these claims."""
    message = "The access token needs new claims."
    challenge = _CHALLENGE.format("insufficient_claims", message) + f', claims="{_CLAIMS}"'
    return error(
        401, "InvalidAuthenticationToken", message, ("www-authenticate", challenge), FROM_GATEWAY
    )


def expired_token() -> Reply:
    """401 for a token past its end."""
    return unauthorised("ExpiredAuthenticationToken", "The access token expiry is in the past.")


def forbidden(action: str, scope: str) -> Reply:
    """403: the principal lacks a right."""
    message = (
        "The client '4b6f0c5e-6c0d-4f4b-9d53-1d9b1a7f2f10' with object id "
        "'4b6f0c5e-6c0d-4f4b-9d53-1d9b1a7f2f10' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
    return error(403, "AuthorizationFailed", message, FROM_GATEWAY)


def locked(scope: str) -> Reply:
    """409: somebody put a lock on the machine."""
    message = (
        f"The scope '{scope}' cannot perform write operation because following scope(s) are "
        f"locked: '{scope}'. Please remove the lock and try again."
    )
    return error(409, "ScopeLocked", message, FROM_GATEWAY)


def no_subscription(subscription: str) -> Reply:
    """404 for an unknown subscription."""
    message = f"The subscription '{subscription}' could not be found."
    return error(404, "SubscriptionNotFound", message, FROM_GATEWAY)


def no_group(group: str) -> Reply:
    """404 for an unknown resource group."""
    message = f"Resource group '{group}' could not be found."
    return error(404, "ResourceGroupNotFound", message, FROM_GATEWAY)


def no_machine(name: str, group: str) -> Reply:
    """404 for an unknown machine, with the recorded text."""
    message = (
        f"The Resource 'Microsoft.Compute/virtualMachines/{name}' under resource group '{group}' "
        f"was not found. {_FIX}"
    )
    return error(404, "ResourceNotFound", message, FROM_GATEWAY)


def gateway_trouble(status: int) -> Reply:
    """500, 502, 503 or 504: the same bytes whether or not anything was started."""
    codes = {
        500: ("InternalServerError", "Encountered internal server error."),
        502: ("BadGateway", "The gateway did not receive a response from the resource provider."),
        503: ("ServerTimeout", "The request timed out. Please retry later."),
        504: (
            "GatewayTimeout",
            "The gateway did not receive a response from 'Microsoft.Compute' in the time given.",
        ),
    }
    return error(status, *codes[status], FROM_GATEWAY)


def proxy_page() -> Reply:
    """A page by something between the client and Azure: no JSON, none of Azure's headers."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body>upstream failed</body></html>"
    return Reply(502, (HTML, ("server", "proxy"), ("via", "1.1 proxy")), page)


def door_throttled(refused: Refused, subscription: str, operation: str) -> Reply:
    """ARM's 429; `operation` is its upper-case name of the route."""
    message = (
        f"Number of requests for subscription '{subscription}' and operation '{operation}' "
        "exceeded the backend storage limit. "
        f"Please try again after '{refused.retry_after}' seconds."
    )
    retry = ("retry-after", str(refused.retry_after))
    return error(429, "SubscriptionRequestsThrottled", message, retry, FROM_GATEWAY)


def compute_throttled(refused: Refused, window: tuple[str, str], *, wrapped: bool) -> Reply:
    """Compute's 429 in one of its two shapes; `window` is the start and end it tells of."""
    measured = {
        "operationGroup": refused.name,
        "startTime": window[0],
        "endTime": window[1],
        "allowedRequestCount": refused.capacity,
        "measuredRequestCount": refused.capacity + 1,
    }
    detail = {
        "code": "TooManyRequests",
        "target": refused.name,
        "message": json.dumps(measured, separators=(",", ":")),
    }
    content: dict[str, object] = {
        "code": "OperationNotAllowed",
        "message": "The server rejected the request because too many requests have been received "
        "for this subscription.",
        "details": [detail],
    }
    if wrapped:
        content = {"error": {**content, "innererror": _TOO_MANY}}
    headers = (JSON, ("retry-after", str(refused.retry_after)))
    return Reply(429, headers, pretty(content).encode())


_TOO_MANY: Mapping[str, str] = {"internalErrorCode": "TooManyRequestsReceived"}


def bad_request(message: str) -> Reply:
    """400 for an operation URL whose signature does not fit [invented]."""
    return error(400, "BadRequest", message, FROM_GATEWAY)


def not_simulated(what: str) -> Reply:
    """501: Azure has it, this simulator does not yet."""
    return error(501, "NotSimulated", f"This simulator does not answer {what} yet.")
