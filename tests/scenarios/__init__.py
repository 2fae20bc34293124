"""Whole runs against the simulator, on a clock turned by hand: world in, world out."""
