"""The options with which somebody named lets a run override freezes. All of them, or none."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from orchestrator.cli.exits import Stop
from orchestrator.domain.record import Emergency


def emergency_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the three options, and hand it one value."""

    @click.option(
        "--emergency", is_flag=True, help="Override freezes; take VMs over that wait in other runs."
    )
    @click.option("--approved-by", default="", help="Who allowed that: it is written down.")
    @click.option("--because", default="", help="Why: it is written down.")
    @wraps(command)
    def read(*args: Any, emergency: bool, approved_by: str, because: str, **given: Any) -> int:  # noqa: ANN401 - click's
        return command(*args, emergency=_value(emergency, approved_by, because), **given)

    return read


def _value(emergency: bool, approved_by: str, because: str) -> Emergency | None:
    approver, reason = approved_by.strip(), because.strip()
    if emergency and approver and reason:
        return Emergency(approved_by=approver, because=reason)
    if emergency:
        message = "An emergency needs --approved-by NAME and --because; both are written down."
        raise Stop(message)
    if approver or reason:
        message = "--approved-by and --because belong to --emergency."
        raise Stop(message)
    return None
