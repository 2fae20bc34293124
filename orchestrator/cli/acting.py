"""The commands that steer. Each writes one act, or draws or lifts the fleet-wide brake. They need
the database and the door of a configuration, and nothing else of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.exits import Stop
from orchestrator.cli.options import because_option, config_option
from orchestrator.cli.wishing import Wish, brake, carry_out
from orchestrator.config.durations import read_some
from orchestrator.config.problems import Wrong
from orchestrator.domain.record import ActKind, Resolution

run_argument = click.argument("run", required=False)
words_argument = click.argument("run_and_vms", nargs=-1, metavar="[RUN] [VM]...")
perhaps_because = click.option("--because", default="", help="Why: it is written down.")
wave_option = click.option("--wave", help="Only VMs of this wave.")
code_option = click.option("--reason", "code", help="Only VMs with this reason code.")
all_option = click.option(
    "--all", "everything", is_flag=True, help="The whole fleet: no run starts anything or opens."
)


def _plain(kind: ActKind, about: str, *options: Any) -> click.Command:  # noqa: ANN401 - click's decorators
    """Build the command of an act that takes a run and a reason; some also take the whole fleet."""

    def command(run: str | None, config: Path, because: str, *, everything: bool = False) -> int:
        if not everything:
            wish = Wish(kind=kind, words=(run,) if run else (), because=because)
            return carry_out(config, wish)
        if run is not None:
            message = f"{kind} takes a run or --all, not both."
            raise Stop(message)
        return brake(config, kind, because)

    return _command(kind, about, command, run_argument, *options)


def _choosing(kind: ActKind, about: str, *options: Any) -> click.Command:  # noqa: ANN401 - click's decorators
    """Build the command of an act on VMs of a run, that are named or chosen."""

    def command(
        run_and_vms: tuple[str, ...],
        config: Path,
        because: str,
        wave: str | None,
        code: str | None = None,
        found: str | None = None,
    ) -> int:
        wish = Wish(
            kind=kind,
            words=run_and_vms,
            because=because,
            wave=wave,
            code=code,
            resolution=Resolution(found) if found else None,
        )
        return carry_out(config, wish)

    return _command(kind, about, command, words_argument, because_option, wave_option, *options)


def _command(
    kind: ActKind,
    about: str,
    command: Callable[..., int],
    *parts: Any,  # noqa: ANN401 - click's decorators
) -> click.Command:
    for part in reversed((config_option, *parts)):
        command = part(command)
    return click.command(kind.value, help=about)(command)


pause = _plain(
    ActKind.PAUSE,
    "Start nothing more in RUN until it is resumed; what runs is followed.",
    perhaps_because,
)
resume = _plain(
    ActKind.RESUME,
    "Go on with a paused or halted RUN; the bad VMs of a halt are accepted by it.",
    because_option,
    all_option,
)
halt = _plain(
    ActKind.HALT,
    "Halt RUN: no further start. What runs is followed to its end; Azure has no cancel.",
    because_option,
    all_option,
)
cancel = _plain(
    ActKind.CANCEL,
    "Give RUN up: what is queued is cancelled, what runs is followed to its end.",
    because_option,
)
retry = _choosing(
    ActKind.RETRY,
    """Patch failed VMs of RUN once more: all of them, or those that are named.

    VMs whose wave has passed, or whose run has ended, are patched in a new run.
    """,
    code_option,
)
resolve = _choosing(
    ActKind.RESOLVE,
    "Say what became of VMs of RUN that need a person.",
    code_option,
    click.option(
        "--as",
        "found",
        type=click.Choice([each.value for each in Resolution]),
        required=True,
        help="What you found: it was patched, it failed, or it was never started (it is queued"
        " again).",
    ),
)
skip = _choosing(
    ActKind.SKIP,
    """Leave out VMs of RUN that have not started, or with --wave what is left of a wave.

    What was sent to Azure is followed to its end.
    """,
    code_option,
)


@click.command()
@run_argument
@config_option
@because_option
@click.option("--wave", help="The wave; without it the one that waits.")
def approve(run: str | None, config: Path, because: str, wave: str | None) -> int:
    """Let a wave of RUN open that waits for an approval."""
    words = (run,) if run else ()
    return carry_out(config, Wish(kind=ActKind.APPROVE, words=words, because=because, wave=wave))


@click.command("set")
@click.argument("run_and_setting", nargs=-1, metavar="[RUN] max_parallel=N")
@config_option
@because_option
@click.option("--wave", help="The wave; without it the current one.")
def set_(run_and_setting: tuple[str, ...], config: Path, because: str, wave: str | None) -> int:
    """Change how many VMs of a wave of RUN run at once: a count, or a percentage of the wave."""
    *words, setting = run_and_setting or ("",)
    name, _, value = setting.partition("=")
    if name != "max_parallel":
        raise Stop("Write what is set: max_parallel=50, or max_parallel=25%.")
    try:
        share = read_some(value)
    except Wrong as error:
        message = f"max_parallel: {error.message}; {error.fix}."
        raise Stop(message) from None
    wish = Wish(
        kind=ActKind.SET, words=tuple(words), because=because, wave=wave, max_parallel=share
    )
    return carry_out(config, wish)
