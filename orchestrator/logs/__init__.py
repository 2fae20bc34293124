"""What happened, as lines: a composition root calls `configure`, the engine is given the observers.

Whatever is written passes through `Redaction`. Nothing here decides anything.
"""

from orchestrator.logs.lines import LEVELS, configure
from orchestrator.logs.observers import Log, Observers

__all__ = ["LEVELS", "Log", "Observers", "configure"]
