"""Chaos with real processes: killed, paused, cut off, and judged by what Azure really started."""
