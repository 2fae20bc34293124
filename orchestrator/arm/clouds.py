"""Where Azure Resource Manager is: the public clouds, and endpoints of one's own.

It asks nothing of the network.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?/?",
    re.ASCII | re.IGNORECASE,
)
_PORT = re.compile(r":[0-9]+$")
_USUAL_PORTS = {"https": ":443", "http": ":80"}
_ENTRA: Final = "login.microsoftonline.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One Azure: `endpoint` is an origin without a slash, `authority` the issuer of its tokens."""

    name: str
    endpoint: str
    audience: str
    authority: str = _ENTRA

    @property
    def scope(self) -> str:
        """Return the scope to ask a token for."""
        return f"{self.audience.rstrip('/')}/.default"

    @property
    def scheme(self) -> str:
        """Return `https`, or `http` for an endpoint on this machine."""
        return self.endpoint.partition("://")[0]

    @property
    def authorities(self) -> frozenset[str]:
        """Return the spellings of this endpoint's host and port in a URL, in lower case."""
        return _spellings(self.endpoint)


@cache
def _spellings(endpoint: str) -> frozenset[str]:
    scheme, _, place = endpoint.partition("://")
    usual = _USUAL_PORTS[scheme]
    if place.endswith(usual):
        return frozenset({place, place.removesuffix(usual)})
    return frozenset({place} if _PORT.search(place) else {place, place + usual})


CLOUDS: Final[Mapping[str, Cloud]] = MappingProxyType(
    {
        "public": Cloud(
            name="public",
            endpoint="https://management.azure.com",
            audience="https://management.azure.com",
        ),
        "usgov": Cloud(
            name="usgov",
            endpoint="https://management.usgovcloudapi.net",
            audience="https://management.core.usgovcloudapi.net",
            authority="login.microsoftonline.us",
        ),
        "china": Cloud(
            name="china",
            endpoint="https://management.chinacloudapi.cn",
            audience="https://management.chinacloudapi.cn",
            authority="login.chinacloudapi.cn",
        ),
    }
)
"""The clouds that have a name (azure-facts 8)."""


def custom(endpoint: str, audience: str | None = None, authority: str | None = None) -> Cloud:
    """Return an Azure of one's own: a simulator, or an Azure Stack.

    The audience defaults to the endpoint. Raises `ValueError`, in a sentence for people, unless the
    endpoint is `https://host[:port]`, or `http://host[:port]` with a host that is this machine.
    """
    match = _ORIGIN.fullmatch(endpoint)
    if match is None or int(match["port"] or 1) > 65535:
        raise ValueError("the endpoint must look like https://host or https://host:port")
    if match["scheme"].lower() == "http" and not _loopback(match["host"]):
        raise ValueError(
            "the endpoint must use https: plain http is for this machine (127.0.0.1) only"
        )
    origin = endpoint.rstrip("/").lower()
    return Cloud(
        name="custom",
        endpoint=origin,
        audience=audience or origin,
        authority=authority or _ENTRA,
    )


def _loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
