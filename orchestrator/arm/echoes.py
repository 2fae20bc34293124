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
    body, headers = reply.body, reply.headers
    begin = request.url.find("?") + 1
    said: tuple[str, ...] = (token,)
    # What is longer than the answer cannot stand in it: so it is with most answers to polls.
    if begin > 0 and len(request.url) - begin <= len(body):
        said = (token, *_spelled(request.url[begin:]))
    for each in said:
        if _SHORTEST <= len(each) <= len(body):
            body = body.replace(each.encode(), REDACTED.encode())
    if len(token) >= _SHORTEST and any(token in value for value in headers.values()):
        headers = {name: value.replace(token, REDACTED) for name, value in headers.items()}
    if body is reply.body and headers is reply.headers:
        return reply
    return replace(reply, body=body, headers=headers)


def _spelled(query: str) -> tuple[str, ...]:
    """Return a signed query as JSON may spell it; one without a signature is no secret."""
    if "&s=" not in query and "&sig=" not in query:
        return ()
    return query, query.replace("&", "\\u0026"), query.replace("&", "&amp;")
