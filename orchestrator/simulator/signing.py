"""Signed operation URLs of the 2024 shape, 3.4 KB long (azure-facts 2.4).

Parameters may be read back in any order; a changed, cut or missing one is noticed. The certificate
and the signature are made up, but have the recorded lengths.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b, sha256, shake_256
from urllib.parse import parse_qsl

from orchestrator.simulator import draws, stamps

_CERTIFICATE_BYTES = 2100  # 2800 characters
_SIGNATURE_BYTES = 256  # 342 characters
_SIGNED = ("p", "monitor", "api-version", "t", "c")
_SIGNATURES = {"s", "h"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation lives: the subscription and region as they stand in its URLs."""

    subscription: str
    region: str

    def path(self, operation: str) -> str:
        """Return the path of an operation's URLs."""
        return (
            f"/subscriptions/{self.subscription}/providers/Microsoft.Compute/locations/"
            f"{self.region}/operations/{operation}"
        )


class Signer:
    """Signs and checks URLs with a key of its own, drawn from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._key = blake2b(f"signing key {seed}".encode()).digest()
        self._certificate = _text(shake_256(self._key + b"public").digest(_CERTIFICATE_BYTES))

    def sign(self, place: Place, operation: str, version: str, at: datetime) -> tuple[str, str]:
        """Return the path and query of the status URL and of the `monitor=true` URL."""
        path = place.path(operation)
        common = {"api-version": version, "t": str(stamps.ticks(at)), "c": self._certificate}
        partition = draws.guid(self._seed, "partition", place.subscription.lower(), place.region)
        status = {"p": partition, **common}
        monitor = {"p": partition, "monitor": "true", **common}
        return self._complete(path, status), self._complete(path, monitor)

    def genuine(self, path: str, query: str) -> bool:
        """Tell whether this is a URL that `sign` gave out."""
        given = parse_qsl(query, keep_blank_values=True)
        parameters = dict(given)
        if len(parameters) != len(given) or not parameters.keys() <= {*_SIGNED, *_SIGNATURES}:
            return False
        signature, digest = self._signature(path, parameters)
        return parameters.get("s") == signature and parameters.get("h") == digest

    def _complete(self, path: str, parameters: dict[str, str]) -> str:
        signature, digest = self._signature(path, parameters)
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"{path}?{query}&s={signature}&h={digest}"

    def _signature(self, path: str, parameters: dict[str, str]) -> tuple[str, str]:
        present = (f"{name}={parameters[name]}" for name in _SIGNED if name in parameters)
        message = "\n".join((path.lower(), *present)).encode()
        signature = shake_256(self._key + message).digest(_SIGNATURE_BYTES)
        return _text(signature), _text(sha256(message).digest())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
