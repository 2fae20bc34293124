"""The mutation gate: bugs planted one at a time, which the simulation must find."""
