"""The command line as people meet it: init, validate, schema, mistakes, and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import __version__
from tests.config.kit import PLAN, VM, write

ROOT = Path(__file__).parents[2]


Done = subprocess.CompletedProcess[str]


def orchestrator(*arguments: object, folder: Path, **environ: str) -> Done:
    """Run `python -m orchestrator` in a folder; nothing of the real environment configures it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "orchestrator", *map(str, arguments)],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_the_commands_and_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, orchestrator.cli as cli\n"
        "assert cli.run(['--help']) == 0\n"
        "heavy = 'sqlalchemy aiohttp azure pydantic yaml asyncio rich alembic'.split()\n"
        "print('heavy:', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Patch any fleet of Azure VMs" in done.stdout
    assert "heavy: []" in done.stdout
    for command in ("init", "validate", "schema"):
        assert f"  {command} " in done.stdout


def test_version_is_printed(tmp_path):
    done = orchestrator("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"orchestrator {__version__}\n")


def test_what_init_writes_is_valid_and_never_written_over(tmp_path):
    done = orchestrator("init", folder=tmp_path)
    assert done.returncode == 0
    assert "Wrote orchestrator.yaml" in done.stdout
    again = orchestrator("init", "-c", "orchestrator.yaml", folder=tmp_path)
    assert again.returncode == 2
    assert "orchestrator.yaml is there already" in again.stderr
    valid = orchestrator("validate", folder=tmp_path)
    assert (valid.returncode, valid.stderr) == (0, "")
    assert "is valid: 1 plan, 3 waves." in valid.stdout


def test_init_says_why_it_cannot_write(tmp_path):
    done = orchestrator("init", "no/such/folder.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: no/such/folder.yaml cannot be written: No such file or directory\n"
    )


SUMMER = (
    "plans:\n- name: p\n  schedule: {cron: 30 2 * * *, timezone: Europe/Berlin}\n"
    f"  waves: [{{select: {{ids: {VM}}}}}, {{select: {{tags: {{ring: broad}}}}}}]\n"
)


def test_validate_shows_the_next_five_fires_in_the_plans_zone_and_in_utc(tmp_path):
    path = write(tmp_path, SUMMER)
    done = orchestrator("validate", "-c", path, "--at", "2026-03-27T12:00Z", folder=tmp_path)
    assert done.returncode == 0
    fires = [
        line.split("next fires")[-1].strip() for line in done.stdout.splitlines() if "=" in line
    ]
    assert fires[:5] == [
        "Sat 2026-03-28 02:30 CET   = 2026-03-28 01:30 UTC",
        "Sun 2026-03-29 03:00 CEST  = 2026-03-29 01:00 UTC",
        "Mon 2026-03-30 02:30 CEST  = 2026-03-30 00:30 UTC",
        "Tue 2026-03-31 02:30 CEST  = 2026-03-31 00:30 UTC",
        "Wed 2026-04-01 02:30 CEST  = 2026-04-01 00:30 UTC",
    ]
    assert "wave 1      1: 1 VM by id (vm-1)" in done.stdout
    assert "warning: " in done.stderr
    assert "no wave bakes" in done.stderr


def test_validate_prints_json_for_programs(tmp_path):
    path = write(tmp_path, SUMMER)
    done = orchestrator("validate", "-c", path, "--json", "--at", "2026-03-27", folder=tmp_path)
    told = json.loads(done.stdout)
    assert told["valid"] is True
    (plan,) = told["plans"]
    assert plan["next_fires"][1] == {
        "local": "2026-03-28T02:30",
        "at": "2026-03-28T01:30:00.000000Z",
    }
    assert [wave["name"] for wave in plan["waves"]] == ["1", "2"]
    assert told["warnings"][0]["line"] == 2


def test_a_plan_without_a_schedule_is_said_to_be_opened_by_hand(tmp_path):
    path = write(tmp_path, PLAN)
    done = orchestrator("validate", folder=tmp_path, ORCHESTRATOR_CONFIG=str(path))
    assert done.returncode == 0
    assert "opened by hand" in done.stdout


def test_every_error_of_a_file_is_told_on_stderr_with_code_2(tmp_path):
    write(tmp_path, PLAN + "tracking: {poll: 30}\nhttp: {lisen: x}\n", "orchestrator.yaml")
    done = orchestrator("validate", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "orchestrator.yaml:2:18: tracking.poll: a duration needs a unit"
        ' (found "30"). Fix: write 30s, 30m, 30h or so.\n'
        'orchestrator.yaml:3:8: http.lisen: unknown key (found "lisen").'
        " Fix: did you mean `listen`?\n"
    )


def test_errors_are_told_as_json_too(tmp_path):
    write(tmp_path, PLAN + "tracking: {poll: 30}\n", "orchestrator.yaml")
    done = orchestrator("validate", "--json", folder=tmp_path)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["valid"] is False
    assert told["problems"][0]["key"] == "tracking.poll"


MISTAKES = [
    (["validate", "-c", "nope.yaml"], "nope.yaml: no such file"),
    (["validate", "-c", "."], "the folder holds 0"),
    (["validate", "--at", "tomorrow"], "--at: neither a date nor a time"),
    (["validate", "--nope"], "No such option"),
    (["valdate"], "Did you mean 'validate'?"),
    (["schema", "extra"], "unexpected extra argument"),
    ([], "Usage: orchestrator"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_ends_with_code_2_and_no_traceback(tmp_path, arguments, words):
    done = orchestrator(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_file_holds_cannot_steer_the_terminal(tmp_path):
    text = PLAN.replace("name: p", 'name: "\\e[2J\\u202e"') + '"\\e[1A\\nkey": 1\n'
    write(tmp_path, text, "orchestrator.yaml")
    done = orchestrator("validate", folder=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert not set(done.stderr) & {"\x1b", "\u202e"}
    assert "\\x1b[1A\\nkey" in done.stderr


def test_a_terminal_without_utf8_is_no_reason_to_fail(tmp_path):
    write(tmp_path, PLAN.replace("name: p", "name: 日本"), "orchestrator.yaml")
    done = orchestrator("validate", folder=tmp_path, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert "plan \\u65e5\\u672c" in done.stdout


def test_schema_prints_the_committed_schema(tmp_path):
    done = orchestrator("schema", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (ROOT / "config" / "schema.json").read_text("utf-8")


BUG = (
    "import sys, orchestrator.cli as cli, orchestrator.cli.configuring as configuring\n"
    "def broken(*_, **__): raise KeyError('\\x1b[2J')\n"
    "configuring.load = broken\n"
    "sys.exit(cli.run(sys.argv[1:]))\n"
)


@pytest.mark.parametrize(("flags", "traceback"), [([], False), (["--debug"], True)])
def test_a_bug_is_one_line_and_a_traceback_only_on_demand(flags, traceback):
    done = subprocess.run(
        [sys.executable, "-c", BUG, *flags, "validate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Internal error: KeyError: ")
    assert "This is a bug" in done.stderr
    assert ("Traceback" in done.stderr) is traceback
    assert "\x1b" not in done.stderr
