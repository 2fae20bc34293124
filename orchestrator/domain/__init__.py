"""The pure core: nouns, transitions and decisions. No I/O, no clock, no randomness, no logging."""
