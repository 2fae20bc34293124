"""Which addresses a gate may be read from (reliability S26). Pure.

The URL stands in the configuration and nowhere else, and what it names is as a rule a machine of
the operator's own network: private addresses and loopback are allowed. Refused is what no health
check lives at and what gives out credentials to whoever asks from this machine: link-local
addresses (the instance metadata service among them), Azure's wire server, and what is no address of
one machine.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_WIRE_SERVER: Final = IPv4Address("168.63.129.16")
_TRANSLATED: Final = tuple(map(ip_network, ("64:ff9b::/96", "::ffff:0:0/96", "::/96")))
"""IPv6 networks whose last four bytes are an IPv4 address."""
_SIX_TO_FOUR: Final = ip_network("2002::/16")
_METADATA: Final = ip_address("fd00:ec2::254")


def is_allowed(address: str) -> bool:
    """Tell whether a gate may be read from an IP address; what is none, is not."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_allowed(each) for each in (found, *_inside(found)))


def is_literal(host: str) -> bool:
    """Tell whether the host of a URL is an address, and no name that is looked up."""
    return ":" in host or host.replace(".", "").isdigit()


def _is_allowed(address: IPv4Address | IPv6Address) -> bool:
    refused = address.is_link_local or address.is_multicast or address.is_unspecified
    broadcast = isinstance(address, IPv4Address) and address in ip_network("240.0.0.0/4")
    zero = isinstance(address, IPv4Address) and address in ip_network("0.0.0.0/8")
    return not (refused or broadcast or zero or address in {_WIRE_SERVER, _METADATA})


def _inside(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 address that an IPv6 one stands for."""
    if not isinstance(address, IPv6Address) or address == IPv6Address("::1"):
        return ()
    if any(address in network for network in _TRANSLATED):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    if address in _SIX_TO_FOUR:
        return (IPv4Address(int(address) >> 80 & 0xFFFFFFFF),)
    return ()
