"""How often Python looks for garbage that refers to itself. What does not is freed at once, always.

A look costs time for each object that is there, and Python's own rhythm is made for small programs:
a start of ours makes hundreds of thousands of objects that stay, and so does a large run that is
taken up. Measured: a seventh of what `status` costs, and a quarter of the time in which a run of
100,000 VMs is read.
"""

import gc
from typing import Final

_NEW: Final = 10_000
"""So many more objects than before make Python look at the newest. They are a few megabytes."""


def look_seldom() -> None:
    """Look for garbage after more new objects than usual."""
    _, middle, old = gc.get_threshold()
    gc.set_threshold(_NEW, middle, old)


def keep() -> None:
    """Take what is there now, modules and classes above all, as no garbage ever.

    Only for a process that lives long, before it has taken up a run: what is kept so is never
    looked at again, and a run that has ended must be.
    """
    gc.collect()
    gc.freeze()


def look_no_more() -> None:
    """Do not look at all: this process ends, and all of it is freed with it."""
    gc.disable()
