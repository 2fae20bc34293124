"""Hostile names on a terminal and in `--json`: whatever stands in the database, a line is a line
and steers nothing (reliability S6, S25, F24)."""

import asyncio
import json
import os

import pytest
from rich.live import Live

from orchestrator.cli import run
from orchestrator.cli.events import event_line
from orchestrator.cli.following import LiveScreen, PlainScreen, follow
from orchestrator.cli.looking import _one
from orchestrator.cli.progress import at_rest
from orchestrator.cli.text import say, say_lines
from orchestrator.store.column_types import plain
from orchestrator.store.opening import open_reading, open_store
from tests.contract.hostile_runs import fill, run_id
from tests.kit.clock import HandClock
from tests.kit.hostile import NAMES, steering
from tests.kit.logging import logging_as_before

CONFIG = """\
azure: {cloud: {endpoint: "http://127.0.0.1:1"}, credential: default}
database: sqlite:///hostile.db
plans: [{name: m, waves: [{name: a, select: {tags: {ring: x}}}]}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a configuration whose database holds every name in every field."""
    folder = tmp_path_factory.mktemp("hostile")
    asyncio.run(_fill(f"sqlite:///{folder}/hostile.db"))
    folder.joinpath("orchestrator.yaml").write_text(CONFIG)
    return folder


async def _fill(url):
    async with open_store(url, clock=HandClock(), durable=False) as store:
        await fill(store, hostile_ids=True)


async def _rows(folder, view, **where):
    url = f"sqlite:///{folder}/hostile.db"
    async with open_reading(url, clock=HandClock()) as store:
        return await store.rows(view, **where)


@pytest.fixture
def go(folder, capfd, monkeypatch):
    """Run a command; return its code and what it said on both streams."""
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(folder / "orchestrator.yaml"))

    def command(*words):
        with logging_as_before():
            code = run(words)
        written = capfd.readouterr()
        return code, written.out, written.err

    return command


async def rests(run):
    return at_rest(run)


def lines(said):
    """Return the lines of an output, each of which is printable but for its end."""
    assert steering(said, ours="\n") == set()
    assert said == "" or said.endswith("\n")
    return said.split("\n")[:-1]


def test_there_are_more_than_a_hundred_names():
    assert len(NAMES) >= 100
    assert len(set(NAMES.values())) == len(NAMES)


def test_a_list_of_runs_is_a_line_for_each(go):
    code, out, err = go("status")
    shown = lines(out)
    assert (code, err) == (0, "")
    assert len(shown) == len(NAMES)
    assert {line.split("-")[1] for line in shown} == set(map(str, range(len(NAMES))))


def test_a_list_of_runs_as_json_is_an_object_for_each(go, folder):
    code, out, _ = go("status", "--json")
    assert (code, out.isascii()) == (0, True)
    rows = asyncio.run(_rows(folder, "v_runs"))
    assert [json.loads(line) for line in lines(out)] == [dict(row) for row in rows]
    assert {row["reason"] or "" for row in rows} == set(map(plain, NAMES.values()))


def test_a_run_is_shown_in_its_own_lines(folder, capfd):
    async def show():
        async with open_reading(f"sqlite:///{folder}/hostile.db", clock=HandClock()) as store:
            for number, name in enumerate(NAMES.values()):
                await shown(store, run_id(number, name), plain(name))

    async def shown(store, called, name):
        [row] = await store.rows("v_operations", run_id=called)
        assert {row["vm_name"], row["region"], row["reason"] or ""} == {name}
        await _one(store, called, as_json=True)
        [line] = lines(capfd.readouterr().out)
        assert json.loads(line) == dict(row)
        await _one(store, called, as_json=False)
        assert len(lines(capfd.readouterr().out)) == 3
        events = await store.rows("v_events", run_id=called)
        await follow(store, called, HandClock(), PlainScreen(), rests)
        told = [line for event in events if (line := event_line(event))]
        assert len(lines(capfd.readouterr().out)) == len(told) + 1

    asyncio.run(show())


@pytest.mark.parametrize("name", ["clear", "link", "both", "override", "half a pair", "rich"])
def test_a_run_is_followed_in_its_own_lines(go, name):
    called = run_id([*NAMES].index(name), NAMES[name])
    for words in (("status", called), ("status", called, "--watch"), ("status", called, "--json")):
        code, out, err = go(*words)
        assert (code, err) == (0, "")
        assert 1 <= len(lines(out)) <= 8


@pytest.mark.parametrize("name", NAMES)
def test_a_name_on_the_command_line_is_said_back_in_one_line(go, name):
    """Nobody means these; a script may say them all the same."""
    given = os.fsdecode(NAMES[name].replace("\0", "").encode("utf-8", "surrogatepass"))
    for words in (
        ("status", "--", f"x{given}"),
        ("run", "--", given),
        ("simulate", "--fleet", f"x{given}"),
        (f"x{given}",),
    ):
        code, out, err = go(*words)
        assert (code, out) == (2, ""), words
        assert 1 <= len(lines(err)) <= 3, words


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_is_one_line(capfd, name):
    for to_stderr in (False, True):
        say(NAMES[name], to_stderr=to_stderr)
        say_lines(f"a\n{NAMES[name]!r}\nb", to_stderr=to_stderr)
    written = capfd.readouterr()
    assert len(lines(written.out)) == len(lines(written.err)) == 4


class Picture(Live):
    """What a live screen would draw."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def update(self, text, *, refresh=False):
        self.texts.append(text.plain)


def test_a_live_picture_has_its_own_lines_only(folder):
    async def draw():
        async with open_reading(f"sqlite:///{folder}/hostile.db", clock=HandClock()) as store:
            for number, name in enumerate(NAMES.values()):
                await drawn(store, run_id(number, name))

    async def drawn(store, called):
        picture = Picture()
        await follow(store, called, HandClock(), LiveScreen(picture), rests)
        [text] = picture.texts
        assert steering(text, ours="\n") == set()
        events = await store.rows("v_events", run_id=called)
        told = [event for event in events if event_line(event)]
        assert text.count("\n") == 2 + min(len(told), 12)

    asyncio.run(draw())
