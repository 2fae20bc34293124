"""Keys and values of the design that this version does not know yet: refused, never ignored."""

KEYS = frozenset(
    {
        "after",
        "approve",
        "assess",
        "attempts",
        "before",
        "budget",
        "check",
        "hooks",
        "in_a_row",
        "kql",
        "limits",
        "location",
        "notify",
        "order",
        "os",
        "pin",
        "quarantine",
        "rate",
        "resubmit_after",
        "retention",
        "skip_limit",
        "start_stopped",
    }
)

VALUES = frozenset({("reboot", "staged")})

MESSAGE = "not supported yet"
FIX = "delete it; this version cannot do it, and would not ignore it silently"
