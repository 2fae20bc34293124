"""Figures, measured by commands that anyone can run. Nothing here is asserted: see `docs/`."""
