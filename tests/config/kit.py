"""Words for the tests of the configuration: a file that is in order, and what is wrong with one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.config.loading import load
from orchestrator.config.problems import ConfigError, Problem
from orchestrator.config.settings import Settings
from orchestrator.domain.model import WaveSpec

SUBSCRIPTION = "01234567-89ab-4def-8123-456789abcdef"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1"
OTHER_VM = VM.replace("vm-1", "vm-2")
PLAN = "plans: [{name: p, waves: [{select: {tags: {ring: canary}}}]}]\n"
"""The shortest configuration that is in order."""


def write(folder: Path, text: str, name: str = "fleet.yaml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    """Load a text as a configuration file; nothing of the real environment is seen."""
    return load(write(folder, text), environ)


def the_wave(folder: Path, keys: str, above: str = "") -> WaveSpec:
    """Return the one wave of a plan: `keys` stand in the wave, `above` at the top of the file."""
    text = f"{above}\nplans: [{{name: p, waves: [{{select: {{ids: [{VM}]}}, {keys}}}]}}]\n"
    return loaded(folder, text).plans[0].spec.waves[0]


def problems(path: Path, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """Return what is wrong with a file or folder that is not in order."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return caught.value.problems


def wrong(folder: Path, text: str, **environ: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text as a configuration file."""
    return problems(write(folder, text), environ)
