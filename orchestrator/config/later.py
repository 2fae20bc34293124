"""Keys and values of the design that this version does not know yet: refused, never ignored."""

KEYS = frozenset(
    {
        "after",
        "assess",
        "attempts",
        "command",
        "hooks",
        "kql",
        "location",
        "notify",
        "os",
        "pin",
        "resubmit_after",
        "retention",
        "run_command",
        "skip_limit",
        "start_stopped",
        "tcp",
    }
)

MESSAGE = "not supported yet"
FIX = "delete it; this version cannot do it, and would not ignore it silently"
