"""The simulator against its documents: claims in memory, and the official client over a socket."""
