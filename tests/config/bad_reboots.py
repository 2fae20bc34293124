"""Values of `reboot` that are refused: what is written, the key, what is wrong, and the fix."""

BAD_REBOOTS = [
    ("7", "reboot", "not a policy", "a mapping"),
    ("{}", "reboot.policy", "is missing", "add `policy:`"),
    (
        "{policy: never, max_parallel: 2}",
        "reboot",
        "max_parallel without a phase of reboots",
        "policy: staged",
    ),
    (
        "{policy: stagd}",
        "reboot.policy",
        "not one of",
        "mean staged?",
    ),
    (
        "{policy: staged, allow_failures: 101%}",
        "reboot.allow_failures",
        "more than 100",
        "0% to 100%",
    ),
    (
        "{policy: staged, window: {start: '22:00', length: 10m}}",
        "reboot",
        "nothing could ever be restarted",
        "lengthen the window",
    ),
]
