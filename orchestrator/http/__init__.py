"""The door that people, probes and Prometheus knock at, and what the command line knocks with."""
