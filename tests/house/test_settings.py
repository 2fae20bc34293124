"""Nothing is configured in vain: what is read from a file is read again where something is decided
or done. That it then does what it says, the tests of its behaviour hold."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

import pytest

from orchestrator.config.settings import AzureSettings, ConfiguredPlan, Settings
from orchestrator.domain import gate, model, schedule
from tests.house import tree

SPECS: Final = (
    model.PlanSpec,
    model.WaveSpec,
    model.Tolerance,
    model.Rate,
    model.Share,
    model.Limits,
    model.GroupLimit,
    model.Selection,
    model.Hours,
    model.Window,
    model.Freeze,
    model.Tracking,
    model.Patches,
    model.WindowsPatches,
    model.LinuxPatches,
    gate.GateSpec,
    gate.Approval,
    gate.Bound,
    schedule.Schedule,
    schedule.Missed,
    ConfiguredPlan,
    AzureSettings,
    Settings,
)
KEPT: Final = ("orchestrator/config/", "orchestrator/store/", "orchestrator/cli/")
"""Who reads and shows what is configured, or keeps it: that is no use of it."""


def reads() -> Iterator[str]:
    """Yield every attribute that is read where things are decided or done."""
    for path in tree.modules("orchestrator"):
        if not tree.name(path).startswith(KEPT):
            for node in ast.walk(tree.parse(path)):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    yield node.attr


READ: Final = frozenset(reads())


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_a_setting_is_read_by_what_decides_and_not_only_kept(spec):
    assert not [each.name for each in fields(spec) if each.name not in READ]


def test_a_setting_that_nobody_reads_is_seen():
    assert "max_parallel" in READ
    assert "max_paralel" not in READ
