"""A port with some of its methods replaced: for the one answer that a scenario is about."""

from typing import Any


class Over:
    """Everything of a port, but for the methods given."""

    def __init__(self, port: object, **over: object) -> None:
        self._port, self._over = port, over

    def __getattr__(self, name: str) -> Any:
        return self._over.get(name) or getattr(self._port, name)
