"""Text for a terminal. What comes from outside is made harmless before it is printed."""

import click

from orchestrator.domain.foreign import harmless


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """Print one text; its line breaks are ours, everything else is made harmless."""
    click.echo(harmless(text, keep="\n"), err=to_stderr)
