"""Keys and values of the design that this version does not know yet: refused, never ignored."""

KEYS = frozenset(
    {
        "after",
        "approve",
        "assess",
        "attempts",
        "before",
        "check",
        "hooks",
        "kql",
        "location",
        "notify",
        "os",
        "pin",
        "quarantine",
        "resubmit_after",
        "retention",
        "skip_limit",
        "start_stopped",
    }
)

VALUES = frozenset({("reboot", "staged")})

MESSAGE = "not supported yet"
FIX = "delete it; this version cannot do it, and would not ignore it silently"
