"""Who asks: the bearer token as ARM looks at it (azure-facts 8).

Nothing is verified cryptographically. An opaque token is its own principal; a JWT tells one by
`oid`, and ends at `exp` on the world's clock.
"""

import json
import re
from base64 import urlsafe_b64decode
from datetime import datetime

from orchestrator.simulator import errors
from orchestrator.simulator.exchange import Reply

_BEARER = re.compile(r"Bearer +(?P<token>[A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_JWT_DOTS = 2
_MISSING = "Authentication failed. The 'Authorization' header is missing."
_INVALID = "The access token is invalid."


def principal(authorization: str | None, wanted: str | None, now: datetime) -> str | Reply:
    """Return the principal of an Authorization header, or the 401.

    `wanted` is the only token to be accepted, or None for any well-formed one.
    """
    if authorization is None:
        return errors.unauthorised("AuthenticationFailed", _MISSING)
    match = _BEARER.fullmatch(authorization.strip())
    if match is None or (wanted is not None and match["token"] != wanted):
        return errors.unauthorised("InvalidAuthenticationToken", _INVALID)
    token = match["token"]
    return _of_jwt(token, now) if token.count(".") == _JWT_DOTS else token


def _of_jwt(token: str, now: datetime) -> str | Reply:
    payload = token.split(".")[1]
    try:
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires = float(claims.get("exp", "inf"))
    except (ValueError, TypeError, AttributeError):
        return errors.unauthorised("InvalidAuthenticationToken", _INVALID)
    if expires <= now.timestamp():
        return errors.expired_token()
    return str(claims.get("oid") or claims.get("sub") or token)
