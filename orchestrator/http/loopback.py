"""Which names mean this machine: the door serves these and is knocked at under these. Pure."""

from ipaddress import ip_address


def is_here(name: str, host: str) -> bool:
    """Tell whether a host's name means this machine: `localhost`, a loopback address, or `host`."""
    if name in {"localhost", host}:
        return bool(name)
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
