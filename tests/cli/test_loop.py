"""The extra `fast`: what drives runs takes uvloop's loop where it is installed."""

import asyncio
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from orchestrator.cli.loop import drive, fast_loop


async def the_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_without_the_extra_python_s_own_loop_drives(monkeypatch):
    monkeypatch.setattr("orchestrator.cli.loop.find_spec", lambda _name: None)
    assert fast_loop() is None
    assert isinstance(drive(the_loop()), asyncio.SelectorEventLoop)


def test_with_the_extra_uvloop_s_loop_drives(monkeypatch):
    made = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    uvloop: Any = ModuleType("uvloop")
    uvloop.__spec__ = ModuleSpec("uvloop", None)
    uvloop.new_event_loop = new_event_loop
    monkeypatch.setitem(sys.modules, "uvloop", uvloop)
    assert [drive(the_loop())] == made
