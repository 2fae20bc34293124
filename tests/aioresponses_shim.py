"""Lets aioresponses 0.7.9 build responses under aiohttp 3.14 and newer.

There `ClientResponse` wants a `stream_writer` that aioresponses does not pass. Only that is mended:
under aioresponses, client middlewares and trace configurations are not called, with or without it.
"""

import inspect
from types import SimpleNamespace
from typing import Any

import aiohttp
from aioresponses import core


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


def install() -> None:
    """Make aioresponses build what this aiohttp accepts; does nothing where that is not needed."""
    if "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters:
        setattr(core, "ClientResponse", _Response)  # noqa: B010 - mypy knows no such name there
