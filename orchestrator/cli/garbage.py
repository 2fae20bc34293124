"""How often Python looks for garbage that refers to itself. What does not is freed at once, always.

Each look costs time for every object that is there, and Python's own rhythm is made for small
programs: a start of ours makes hundreds of thousands of objects that stay, and so does a large run
that is taken up. Measured: a seventh of what `status` costs, and of what it costs to take up a run
of 100,000 VMs.
"""

import gc
from typing import Final

_NEW: Final = 10_000
"""So many more objects than before make Python look at the newest: a few megabytes at most."""


def look_seldom() -> None:
    """Look for garbage after more new objects than usual."""
    _, middle, old = gc.get_threshold()
    gc.set_threshold(_NEW, middle, old)


def look_no_more() -> None:
    """Do not look at all: this process ends, and all that is there ends with it."""
    gc.disable()
