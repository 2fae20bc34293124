"""The commands about the configuration itself: init, validate, schema. They change no fleet."""

import json
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import click

from orchestrator.cli.exits import Stop
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.showing import (
    as_mapping,
    as_text,
    entry_line,
    entry_mapping,
    problem_mapping,
)
from orchestrator.cli.text import say
from orchestrator.clock import WallClock
from orchestrator.config.azure_words import read_instant
from orchestrator.config.loading import load
from orchestrator.config.problems import ConfigError, Wrong
from orchestrator.config.schema import schema_text
from orchestrator.config.settings import Overlap
from orchestrator.domain.almanac import Scheduled, almanac


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
def init(file: Path | None, config: Path) -> None:
    """Write a starter configuration, to be edited.

    It is written to FILE, or where --config points. A file that is there is never overwritten.
    """
    path = file or config
    starter = files("orchestrator.config").joinpath("starter.yaml").read_text("utf-8")
    try:
        with path.open("x", encoding="utf-8") as new:
            new.write(starter)
    except FileExistsError:
        message = f"{path} is there already; it is not overwritten. Name another file."
        raise Stop(message) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path} cannot be written: {reason}"
        raise Stop(message) from None
    say(f"Wrote {path}. Edit it, then run: orchestrator validate -c {path}")


@click.command()
@config_option
@json_option
@click.option("--at", help="Show the fires after this time (RFC 3339). Default: now.")
def validate(config: Path, at: str | None, *, as_json: bool) -> None:
    """Check a configuration; show its plans, waves and next fires."""
    now = _instant(at) if at else WallClock().now()
    try:
        settings = load(config, now=now)
    except ConfigError as error:
        if as_json:
            problems = [problem_mapping(problem) for problem in error.problems]
            click.echo(json.dumps({"valid": False, "problems": problems}))
        raise
    if as_json:
        click.echo(json.dumps(as_mapping(settings, now)))
        return
    for line in as_text(settings, now):
        say(line)
    for warning in settings.warnings:
        say(f"warning: {warning}", to_stderr=True)


@click.command()
@config_option
@json_option
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True)
@click.option("--at", help="Begin at this time (RFC 3339). Default: now.")
def calendar(config: Path, at: str | None, days: int, *, as_json: bool) -> None:
    """Show what is ahead: fires, freezes, clock changes, and where they meet.

    A line that begins with an exclamation mark is one to look at. It asks neither Azure nor the
    database.
    """
    begin = _instant(at) if at else WallClock().now()
    settings = load(config)
    plans = [
        Scheduled(spec=plan.spec, schedule=plan.schedule, queues=plan.overlap is Overlap.QUEUE)
        for plan in settings.plans
        if plan.schedule is not None
    ]
    end = begin + timedelta(days=days)
    entries = almanac(plans, settings.freezes.from_(begin), begin, end)
    for entry in entries:
        say(json.dumps(entry_mapping(entry)) if as_json else entry_line(entry))
    if not entries and not as_json:
        say(f"nothing in the next {days} days")


@click.command()
def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""
    click.echo(schema_text(), nl=False)


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except Wrong as wrong:
        message = f"--at: {wrong.message}; {wrong.fix}"
        raise Stop(message) from None
