"""The command `orchestrator`: finds the subcommand, runs it, and turns how it ends into a code.

It imports a subcommand only to run it, so that `--help` needs neither a database nor Azure. A
user's mistake never shows a traceback.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from orchestrator import __version__
from orchestrator.cli.commands import COMMANDS
from orchestrator.cli.exits import Exit, Stop
from orchestrator.cli.garbage import look_no_more, look_seldom
from orchestrator.cli.text import say, say_lines

DEBUG = "ORCHESTRATOR_DEBUG"
_EXIT_CODES = (
    "Exit codes: 0 done · 1 internal error · 2 usage or configuration · 3 halted · 4 needs a "
    "person · 5 cancelled, expired or missed · 6 database or Azure out of reach · 130 interrupted"
)


class _Commands(click.Group):
    """A group that knows its commands by name and imports one when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.attribute)
        if not isinstance(command, click.Command):
            message = f"{entry.module}.{entry.attribute} is no click command"
            raise TypeError(message)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name those that are spelled alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _remember_debug(_context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        os.environ[DEBUG] = "1"


@click.group(
    cls=_Commands,
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember_debug,
    help=f"Show tracebacks of internal errors (also {DEBUG}=1).",
)
def orchestrator() -> None:
    """Patch any fleet of Azure VMs wave by wave, and never make it worse."""


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    look_seldom()
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    code = run(sys.argv[1:])
    look_no_more()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Says on stderr what went wrong."""
    try:
        result = orchestrator.main(list(arguments), "orchestrator", standalone_mode=False)
    except click.Abort:
        say("interrupted", to_stderr=True)
        return Exit.INTERRUPTED
    except Stop as stop:
        say(f"Error: {stop.message}", to_stderr=True)
        return stop.code
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place where a bug can still be told in words
        return _failed(error)
    return _code(result)


def _code(result: Any) -> int:  # noqa: ANN401 - whatever a command returns
    return result if isinstance(result, int) else Exit.DONE


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say_lines(error.format_message(), to_stderr=True)
        return
    if isinstance(error, click.UsageError) and error.ctx:
        say_lines(error.ctx.get_usage(), to_stderr=True)
        say(f"Try '{error.ctx.command_path} --help'.", to_stderr=True)
    say(f"Error: {error.format_message()}", to_stderr=True)


def _failed(error: Exception) -> Exit:
    from orchestrator.config.problems import ConfigError
    from orchestrator.ports import OutOfReachError

    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]  # what a task group wraps around the one thing that happened
    match error:
        case Stop():
            say(f"Error: {error.format_message()}", to_stderr=True)
            return error.code
        case ConfigError(problems=problems):
            for problem in problems[:_MOST_SHOWN]:
                say(str(problem), to_stderr=True)
            if (more := len(problems) - _MOST_SHOWN) > 0:
                say(f"… and {more} more", to_stderr=True)
            return Exit.USAGE
        case OutOfReachError():
            say(f"Error: {error}", to_stderr=True)
            return Exit.OUT_OF_REACH
        case _:
            return _bug(error)


_MOST_SHOWN = 100


def _bug(error: Exception) -> Exit:
    if os.environ.get(DEBUG, "0") not in {"", "0"}:
        say_lines("".join(traceback.format_exception(error)).rstrip(), to_stderr=True)
    first = (str(error).splitlines() or [""])[0][:300]
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    hint = "This is a bug; `orchestrator --debug …` shows where."
    say(f"Internal error: {what}. {hint}", to_stderr=True)
    return Exit.INTERNAL
