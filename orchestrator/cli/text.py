"""Text for a terminal. What comes from outside is made harmless before it is printed."""

import click

from orchestrator.domain.foreign import harmless, redact


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """Print one line: what would end it or steer the terminal is escaped.

    On stderr, where the words of libraries and servers are told, secrets are hidden as well.
    """
    click.echo(harmless(redact(text) if to_stderr else text), err=to_stderr)


def say_lines(text: str, *, to_stderr: bool = False) -> None:
    """Print a text whose line breaks are ours."""
    for line in text.split("\n"):
        say(line, to_stderr=to_stderr)
