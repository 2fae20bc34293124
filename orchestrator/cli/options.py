"""Options that several commands share."""

from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    envvar="ORCHESTRATOR_CONFIG",
    default="orchestrator.yaml",
    show_default=True,
    show_envvar=True,
    help="The configuration: a file, or a folder of *.yaml files.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _said(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why: it is written down, and read by whoever comes after you")
    return value


because_option = click.option(
    "--because", required=True, callback=_said, help="Why: it is written down."
)
