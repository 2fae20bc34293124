"""Deterministic simulation: the shipped engine and SQL on one seeded loop, in virtual time."""
