"""Ports of a process that dies: before or after the n-th call to the outside."""

from typing import Any


class CrashError(BaseException):
    """The process dies here. Nothing of it has any effect afterwards."""


class Fuse:
    """Burns down with every call to the outside; once burnt, every call dies."""

    def __init__(self, length: int) -> None:
        self.left = length

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise CrashError


class Dying:
    """A port that dies with its fuse, before a call or after it."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*given: Any, **named: Any) -> Any:
            self._fuse.burn()
            result = await method(*given, **named)
            self._fuse.burn()
            return result

        return call
