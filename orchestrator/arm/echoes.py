"""What we said does not come back into the house: an answer that repeats our token or the signed
URL that was asked is kept without them. Pure.

An error of ARM's may quote the request. Its words go into the database, the log and onto terminals,
where neither has any business (reliability E, S4 and S5).
"""

from dataclasses import replace

from orchestrator.arm.exchange import HttpReply, Request
from orchestrator.domain.foreign import REDACTED

_SHORTEST = 6
"""What is shorter stands in every answer by chance."""


def silenced(reply: HttpReply, request: Request, token: str) -> HttpReply:
    """Return the answer without the token and without the query of the URL that was asked."""
    query = request.url.partition("?")[2]
    said = [each for each in (token, *_spelled(query)) if len(each) >= _SHORTEST]
    body = reply.body
    for each in said:
        body = body.replace(each.encode(), REDACTED.encode())
    headers = reply.headers
    if any(token in value for value in headers.values()) and token in said:
        headers = {name: value.replace(token, REDACTED) for name, value in headers.items()}
    return replace(reply, body=body, headers=headers)


def _spelled(query: str) -> tuple[str, ...]:
    """Return a signed query as JSON may spell it; one without a signature is no secret."""
    if "&s=" not in query and "&sig=" not in query:
        return ()
    return query, query.replace("&", "\\u0026"), query.replace("&", "&amp;")
