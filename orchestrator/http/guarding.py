"""Who may come in, and what gets out when something breaks. Whatever is not known to be harmless
needs the token."""

import hmac
import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from orchestrator.domain.foreign import REDACTED, redact
from orchestrator.http.answering import HEADERS, refusal
from orchestrator.http.behind import Door
from orchestrator.http.loopback import is_here
from orchestrator.http.steering import too_large
from orchestrator.ports import DamagedError, InventoryError, StoreUnavailableError

OPEN: Final = frozenset({("GET", "/livez"), ("GET", "/readyz"), ("GET", "/metrics")})
"""(method, route) of what anyone on this machine may read. `HEAD` counts as `GET`."""
NOWHERE: Final = "/{rest}"
"""The route of everything that is not there."""
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::[0-9]{1,5})?")
_WHAT: Final = "http door"


class Guards:
    """The door's middlewares, outermost first: `middlewares()`."""

    def __init__(self, door: Door, host: str) -> None:
        self._door = door
        self._host = host.strip("[]").lower()
        self._token = door.token.encode()

    def middlewares(self) -> list[Middleware]:
        """Return the middlewares in their order."""
        return [self.catch, self.check_host, self.check_token]

    @web.middleware
    async def catch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn whatever went wrong into one JSON answer that tells nothing of our inside."""
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return too_large()
        except web.HTTPException as error:
            return _ours(error)
        except StoreUnavailableError as error:
            self._door.observer.troubled("database", str(error))
            message = "the database is out of reach or refuses to write; the daemon's log says why"
            return refusal(503, "database_unreachable", message)
        except DamagedError as error:
            self._door.observer.troubled("database", str(error))
            return refusal(503, "damaged", redact(str(error)))
        except InventoryError as error:
            self._door.observer.troubled("inventory", str(error))
            return refusal(503, "azure_unreachable", redact(str(error)))
        except TimeoutError:
            self._door.observer.troubled(_WHAT, "a request took too long and was given up")
            message = "it took too long and may still happen; ask again with the same id"
            return refusal(504, "too_slow", message)
        except Exception as error:  # noqa: BLE001 - a bug in a route is told in the log, not outside
            self._door.observer.crashed(f"http {request.method} {route_of(request)}", error)
            return refusal(500, "internal", "this is a bug; the daemon's log says more")

    @web.middleware
    async def check_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve only who asked for this machine by name: a page of a rebound name gets nothing."""
        named = request.headers.getall("Host", [])
        ours = len(named) == 1 and is_here(_name(named[0]), self._host)
        # The request line may name a host as well; it can be read only when the header makes sense.
        if not ours or not is_here(request.url.host or "", self._host):
            return refusal(421, "wrong_host", "this door serves this machine's own names only")
        return await handler(request)

    @web.middleware
    async def check_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the token on every route that is not open."""
        method = "GET" if request.method == "HEAD" else request.method
        if (method, route_of(request)) in OPEN or route_of(request) == NOWHERE:
            return await handler(request)
        given = request.headers.getall("Authorization", [])
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            refused = refusal(401, "no_token", "send the local token as a bearer token")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        if not hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self._token):
            self._door.observer.troubled(_WHAT, "somebody presented a wrong token")
            return refusal(403, "wrong_token", "this is not the token of this daemon")
        return self._quiet(await handler(request))

    def _quiet(self, reply: web.StreamResponse) -> web.StreamResponse:
        """Who wrote the token into a body, as a name, does not read it back."""
        said = reply.body if isinstance(reply, web.Response) else None
        if isinstance(reply, web.Response) and isinstance(said, bytes) and self._token in said:
            reply.body = said.replace(self._token, REDACTED.encode())
        return reply


def _name(host: str) -> str:
    """Return the name in a `Host` header, without port and brackets; empty for what is none."""
    found = _HOST.fullmatch(host.lower())
    return (found["address"] or found["name"]) if found else ""


def route_of(request: web.Request) -> str:
    """Return the route that a request came to, as it was registered."""
    resource = request.match_info.route.resource
    return NOWHERE if resource is None else resource.canonical


def _ours(error: web.HTTPException) -> web.Response:
    """Say in our words what aiohttp refused; what was asked is not repeated."""
    return refusal(error.status, error.reason.lower().replace(" ", "_"), error.reason.lower())


async def shut_up(_request: web.Request, response: web.StreamResponse) -> None:
    """Take aiohttp's name off an answer, and put our headers on those that are not ours."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)
