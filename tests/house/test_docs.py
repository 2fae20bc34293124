"""The documents are true: what they name is there, and what is there is named.

Columns and SELECTs of the views, keys and metrics have tests of their own.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click
import pytest

from orchestrator.cli import orchestrator as whole_command
from orchestrator.cli.exits import _BY_WEIGHT, Exit
from orchestrator.config.loading import load
from orchestrator.domain.model import RunStatus, WaveStatus
from orchestrator.domain.states import STATE_NAMES, FailureClass, Outcome
from orchestrator.store.opening import open_store
from tests.house import tree
from tests.house.test_fixtures import execute
from tests.kit.clock import HandClock

PAGES = tuple(path for path in tree.files() if path.suffix == ".md")
RUNBOOK = tree.text(tree.ROOT / "docs" / "operating.md")
ADR = tree.ROOT / "docs" / "adr"
ADR_LINES = 45
ADR_PARTS = ["Context", "Decision", "Consequences", "Rejected"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
HELP = {"-h", "--help"}
ON_EVERY_COMMAND = {"-c", "--config", *HELP}
OPERATORS = {"|", ">", "&&", ";"}

# ------------------------------------------------------------------------------- pages


def spans(text: str) -> list[str]:
    """Return what stands between single backticks."""
    return SPAN.findall(FENCE.sub("", text))


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.split(rf"^{re.escape(heading)}$", page, maxsplit=1, flags=re.MULTILINE)
    assert len(found) == 2, f"there is no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", found[1], maxsplit=1, flags=re.MULTILINE)[0]


def typed(page: str) -> Iterator[str]:
    """Yield the command lines of a page: in code spans, after `$ ` in blocks, in unit files."""
    yield from spans(page)
    for language, block in FENCE.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            if language == "console" and line.startswith("$ "):
                yield line[2:]
            elif line.startswith("ExecStart="):
                yield line.removeprefix("ExecStart=")


def words_after(program: str, line: str) -> Iterator[list[str]]:
    """Yield the words that a command line gives to a program, for each time it starts it."""
    words = shlex.split(line, comments=True) if program in line else []
    for one_is_operator, group in groupby(words, key=OPERATORS.__contains__):
        command = list(group)
        while command and re.match(r"[A-Z_]+=", command[0]):
            del command[0]
        if not one_is_operator and command and command[0].rpartition("/")[2] == program:
            yield command[1:]


def slugs(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


# ---------------------------------------------------------------------------- commands


def commands() -> dict[str, click.Command]:
    """Return every command that does something, by its name: `db check`."""
    return dict(_below("", whole_command))


def _below(name: str, command: click.Command | None) -> Iterator[tuple[str, click.Command]]:
    assert command is not None
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        yield from _below(f"{name} {each}".strip(), command.get_command(context, each))


def options(command: click.Command) -> set[str]:
    """Return every spelling of a command's options."""
    given = (each for each in command.params if isinstance(each, click.Option))
    return {spelling for each in given for spelling in (*each.opts, *each.secondary_opts)}


def unknown_words(words: list[str]) -> Iterator[str]:
    """Yield what the command line does not know of the words that a page gives it."""
    command: click.Command = whole_command
    for word in words:
        if word in {"…", "COMMAND"}:
            return
        if word.startswith("-"):
            if word.partition("=")[0] not in options(command) | ON_EVERY_COMMAND | {"--version"}:
                yield f"{command.name} takes no {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                yield f"{command.name} knows no {word}"
                return
            command = found


def test_the_runbook_has_a_section_for_each_command_and_for_no_other():
    titles = re.findall(r"^### `orchestrator ([\w -]+)`$", RUNBOOK, re.MULTILINE)
    assert sorted(titles) == sorted(commands())


def test_every_option_is_explained_where_its_command_is():
    assert not [
        f"{name} {option}"
        for name, command in commands().items()
        for option in sorted(options(command) - ON_EVERY_COMMAND)
        if not re.search(rf"`{re.escape(option)}\b", section(RUNBOOK, f"### `orchestrator {name}`"))
    ]


def test_no_option_is_explained_that_a_command_does_not_have():
    assert not [
        f"{name} {option}"
        for name, command in commands().items()
        for span in spans(section(RUNBOOK, f"### `orchestrator {name}`"))
        for option in re.findall(r"^--[\w-]+", span)
        if option not in options(command) | ON_EVERY_COMMAND | options(whole_command)
    ]


@pytest.mark.parametrize("path", PAGES, ids=tree.name)
def test_a_command_line_on_a_page_is_one_that_works(path: Path):
    assert not [
        f"{line}: {unknown}"
        for line in typed(tree.text(path))
        for words in words_after("orchestrator", line)
        for unknown in unknown_words(words)
    ]


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("orchestrator status RUN --watch", []),
        ("/opt/orchestrator/bin/orchestrator serve --config /etc/o.yaml", []),
        ("A=1 orchestrator run monthly -c x.yaml && orchestrator repair", ["orchestrator knows"]),
        ("orchestrator db vacuum", ["db knows no vacuum"]),
        ("orchestrator halt --now > file --later", ["halt takes no --now"]),
        ("orchestrator …", []),
        ("the daemon of orchestrator never sleeps", []),
    ],
)
def test_a_command_line_that_does_not_work_is_seen(line, unknown):
    found = [each for words in words_after("orchestrator", line) for each in unknown_words(words)]
    assert [text[: len(start)] for text, start in zip(found, unknown, strict=True)] == unknown


@pytest.mark.parametrize("path", PAGES, ids=tree.name)
def test_a_make_target_on_a_page_is_in_the_makefile(path: Path):
    there = re.findall(r"^([a-z-]+):.*## ", tree.text(tree.ROOT / "Makefile"), re.MULTILINE)
    named = [
        words[0] for line in typed(tree.text(path)) for words in words_after("make", line) if words
    ]
    assert not set(named) - set(there)


# ------------------------------------------------------------------------ words and codes


def literals(*folders: str) -> set[str]:
    """Return every text that stands in the code of these folders or files."""
    return {
        node.value
        for path in tree.modules()
        if tree.name(path).startswith(folders)
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def reason_codes() -> set[str]:
    """Return every code that the domain gives as the first word of a reason."""
    firsts = [
        node.args[0]
        for path in tree.modules("orchestrator")
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Why" and node.args
    ]
    found = {
        node.value
        for first in firsts
        if isinstance(first, ast.Constant | ast.IfExp)
        for node in (first, getattr(first, "body", None), getattr(first, "orelse", None))
        if isinstance(node, ast.Constant)
    }
    return {code for code in found if isinstance(code, str) and code}


def test_every_exit_code_is_documented_and_so_is_which_one_wins():
    rows = re.findall(r"^\| (\d+) \|", section(RUNBOOK, "## Exit codes"), re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(Exit)
    assert " > ".join(str(int(code)) for code in _BY_WEIGHT) in section(RUNBOOK, "## Exit codes")


def test_every_status_state_and_outcome_is_explained():
    explained = spans(section(RUNBOOK, "## What the words mean"))
    words = {*RunStatus, *WaveStatus, *STATE_NAMES.values(), *Outcome, *FailureClass}
    assert not words - set(explained)


def test_every_reason_code_is_listed_and_every_listed_one_is_in_the_code():
    table = section(RUNBOOK, "## Reason codes").partition("|---|")[2]
    listed = set(spans(table))
    assert len(reason_codes()) > 30
    assert not reason_codes() - listed
    keys = set(re.findall(r'"(\w+)": \{', tree.text(tree.ROOT / "config" / "schema.json")))
    known = literals("orchestrator/domain", "orchestrator/service.py") | keys
    assert not {
        code
        for code in listed
        if re.fullmatch(r"[a-z]+(_[a-z]+)*", code) and code.removeprefix("by_") not in known
    }


def test_everything_that_explain_may_name_is_listed():
    listed = set(spans(section(RUNBOOK, "### `orchestrator explain`")))
    waits = tree.text(tree.ROOT / "orchestrator" / "domain" / "waits.py")
    codes = set(re.findall(r'code="(\w+)"', waits)) | {"window", "freeze"}
    codes |= {f"wave_{status}" for status in WaveStatus if status != "open"}
    lasting = ("paused", "halted", "cancelled", "expired")
    codes |= {f"run_{status}" for status in lasting}
    assert not codes - listed


def test_every_log_event_on_the_page_is_written_by_the_code():
    page = section(RUNBOOK, "## Logs and probes")
    named = {
        span for span in spans(page) if re.fullmatch(r"(operation|wave|run|daemon)\.\w+", span)
    }
    facts = literals("orchestrator/domain/deciding.py", "orchestrator/domain/wave_acts.py")
    told = literals("orchestrator/logs/observers.py")
    assert named <= facts | told
    assert {fact for fact in facts if re.fullmatch(r"(wave|run)\.[a-z]+", fact)} <= named
    assert {line for line in told if line.startswith("daemon.")} <= named


def test_every_path_of_the_door_is_documented():
    paths = {text for text in literals("orchestrator/http/app.py") if re.match(r"/[\w/]+$", text)}
    assert "/livez" in paths
    assert not [path for path in paths if path not in section(RUNBOOK, "## Logs and probes")]


# -------------------------------------------------------------------- examples and links


async def test_every_select_of_the_runbook_runs(any_database_url):
    selects = [
        block for language, block in FENCE.findall(_unindented(RUNBOOK)) if language == "sql"
    ]
    assert len(selects) >= 2
    async with open_store(any_database_url, clock=HandClock(), durable=False):
        for select in selects:
            assert await execute(any_database_url, select.replace(":", r"\:")) == []


def _unindented(page: str) -> str:
    return re.sub(r"^ +", "", page, flags=re.MULTILINE)


def test_the_readme_s_configuration_is_valid(tmp_path: Path):
    blocks = dict(FENCE.findall(tree.text(tree.ROOT / "README.md")))
    path = tmp_path / "orchestrator.yaml"
    path.write_text(blocks["yaml"])
    assert len(load(path).plans[0].spec.waves) == 2


@pytest.mark.parametrize("path", PAGES, ids=tree.name)
def test_every_link_leads_somewhere(path: Path):
    assert not [
        link
        for link in re.findall(r"\]\(([^()\s]+)\)", FENCE.sub("", tree.text(path)))
        if not re.match(r"https?:", link) and not leads_somewhere(path, link)
    ]


def leads_somewhere(page: Path, link: str) -> bool:
    """Tell whether a relative link names a file, and a heading in it where it names one."""
    name, _, anchor = link.partition("#")
    there = (page.parent / name).resolve() if name else page
    return there.exists() and (not anchor or anchor in slugs(tree.text(there)))


@pytest.mark.parametrize("path", PAGES, ids=tree.name)
def test_every_source_file_that_a_page_names_is_there(path: Path):
    named = re.compile(r"(?:[\w-]+/)+[\w-]+\.(?:py|md|yaml|json|sql|toml|sh)")
    places = (tree.ROOT, tree.ROOT / "orchestrator", path.parent)
    assert not [
        span
        for span in spans(tree.text(path))
        if named.fullmatch(span) and not any((place / span).exists() for place in places)
    ]


# -------------------------------------------------------------------------- decisions

DECISIONS = sorted(ADR.glob("[0-9]*.md"))


def test_every_decision_is_listed_under_its_title_and_numbered_in_order():
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", tree.text(ADR / "README.md"), re.MULTILINE)
    titled = [
        (*re.findall(r"\A# (\d+)\. (.+)\n", tree.text(path))[0], path.name) for path in DECISIONS
    ]
    assert listed == titled
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=tree.name)
def test_a_decision_fits_on_a_page_and_says_what_was_rejected(path: Path):
    page = tree.text(path)
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ADR_PARTS
    assert len(page.splitlines()) <= ADR_LINES
