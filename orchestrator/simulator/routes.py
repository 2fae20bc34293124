"""What a URL means: the routes of ARM that are simulated, those that Azure has besides, and ours.

Paths are equal whatever their case, as in ARM. It looks at no state.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlsplit


class Kind(Enum):
    """The kinds of request, by the name that the ledger counts them under."""

    INSTALL = "POST installPatches"
    RESTART = "POST restart"
    OPERATION = "GET operation"
    MONITOR = "GET operation monitor"
    MACHINE = "GET virtualMachine"
    VIEW = "GET instanceView"
    LIST = "GET virtualMachines"
    SUBSCRIPTIONS = "GET subscriptions"
    GRAPH = "POST resources"
    NOT_SIMULATED = "not simulated"
    LEDGER = "GET ledger"
    MACHINES = "GET machines"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """A request's place. `raw_query` is undecoded; names are spelled as in the URL."""

    kind: Kind
    method: str
    path: str
    raw_query: str
    query: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        """The subscription in lower case; empty where the path has none."""
        return self.names.get("subscription", "").lower()

    @property
    def group(self) -> str:
        """The resource group as spelled; empty where the path has none."""
        return self.names.get("group", "")

    @property
    def machine_key(self) -> str:
        """The machine's id in lower case."""
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.group}"
            f"/providers/microsoft.compute/virtualmachines/{self.names.get('vm', '')}"
        ).lower()


_SUBSCRIPTION = "/subscriptions/(?P<subscription>[^/]+)"
_COMPUTE = "/providers/Microsoft.Compute"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/(?P<group>[^/]+)"
_VM = f"{_GROUP}{_COMPUTE}/virtualMachines/(?P<vm>[^/]+)"
_ROUTES = tuple(
    (method, re.compile(pattern, re.IGNORECASE), kind)
    for method, pattern, kind in (
        ("POST", f"{_VM}/installPatches", Kind.INSTALL),
        ("POST", f"{_VM}/restart", Kind.RESTART),
        (
            "GET",
            f"{_SUBSCRIPTION}{_COMPUTE}/locations/(?P<region>[^/]+)/operations/(?P<operation>[^/]+)",
            Kind.OPERATION,
        ),
        ("GET", _VM, Kind.MACHINE),
        ("GET", f"{_VM}/instanceView", Kind.VIEW),
        ("GET", f"{_SUBSCRIPTION}{_COMPUTE}/virtualMachines", Kind.LIST),
        ("GET", f"{_GROUP}{_COMPUTE}/virtualMachines", Kind.LIST),
        (
            "GET",
            f"{_SUBSCRIPTION}{_COMPUTE}/locations/(?P<region>[^/]+)/virtualMachines",
            Kind.LIST,
        ),
        ("GET", "/subscriptions", Kind.SUBSCRIPTIONS),
        ("POST", f"{_VM}/[^/]+", Kind.NOT_SIMULATED),
        ("POST", "/providers/Microsoft.ResourceGraph/resources", Kind.GRAPH),
        (".*", f"{_SUBSCRIPTION}.*/providers/Microsoft.HybridCompute/.*", Kind.NOT_SIMULATED),
        ("GET", f"{_SUBSCRIPTION}/providers/microsoft.insights/.*", Kind.NOT_SIMULATED),
        ("GET", "/_sim/ledger", Kind.LEDGER),
        ("GET", "/_sim/machines", Kind.MACHINES),
    )
)


def find(method: str, url: str) -> Route:
    """Return the route of a request; of kind UNKNOWN where Azure has none."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") or "/"
    query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    for known, pattern, kind in _ROUTES:
        match = pattern.fullmatch(path)
        if match and re.fullmatch(known, method):
            monitors = kind is Kind.OPERATION and query.get("monitor") == "true"
            names = {name: unquote(value) for name, value in match.groupdict().items()}
            found = Kind.MONITOR if monitors else kind
            return Route(found, method, path, parts.query, query, names)
    return Route(Kind.UNKNOWN, method, path, parts.query, query)


def origin(url: str, host: str | None) -> str:
    """Return where a request was sent to: of an absolute URL, else from the Host header."""
    parts = urlsplit(url)
    if parts.scheme and parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"http://{host or 'localhost'}"
