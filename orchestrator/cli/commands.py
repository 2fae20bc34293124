"""Every command by name: where it lives and what it does. Importing this imports none of them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its module, the name of the click command in it, and one line of help."""

    module: str
    attribute: str
    help: str


_CONFIGURING = "orchestrator.cli.configuring"
_FORESEEING = "orchestrator.cli.foreseeing"
_RUNNING = "orchestrator.cli.running"
_ACTING = "orchestrator.cli.acting"

COMMANDS: Mapping[str, Entry] = {
    "demo": Entry(
        "orchestrator.cli.demo", "demo", "Watch a small fleet being patched, on this machine alone."
    ),
    "init": Entry(_CONFIGURING, "init", "Write a starter configuration, to be edited."),
    "validate": Entry(
        _CONFIGURING,
        "validate",
        "Check a configuration; show its plans, waves and next fires.",
    ),
    "calendar": Entry(
        _CONFIGURING,
        "calendar",
        "Show what is ahead: fires, freezes, clock changes, and where they meet.",
    ),
    "schema": Entry(
        _CONFIGURING,
        "schema",
        "Print the JSON schema of a configuration, for editors.",
    ),
    "plan": Entry(
        _FORESEEING,
        "plan",
        "Show what a run of PLAN would do now: who, in which order, who not and why, and how long.",
    ),
    "diff": Entry(
        _FORESEEING,
        "diff",
        "Compare two configurations: keys that differ, and VMs that move to another wave.",
    ),
    "serve": Entry(
        _RUNNING, "serve", "Run the daemon: fire schedules, drive runs, answer on the HTTP door."
    ),
    "run": Entry(_RUNNING, "run", "Open a run of PLAN now and follow it to its end."),
    "status": Entry(
        "orchestrator.cli.looking",
        "status",
        "Show all runs, or one: its waves and the VMs that did not simply succeed.",
    ),
    "explain": Entry(
        "orchestrator.cli.explaining",
        "explain",
        "Explain why RUN, or VMs of it, stand where they stand, and what would move them.",
    ),
    "pause": Entry(
        _ACTING, "pause", "Start nothing more in RUN until it is resumed; what runs is followed."
    ),
    "resume": Entry(
        _ACTING,
        "resume",
        "Go on with a paused or halted RUN; the bad VMs of a halt are accepted by it.",
    ),
    "halt": Entry(
        _ACTING,
        "halt",
        "Halt RUN: no further start. What runs is followed to its end; Azure has no cancel.",
    ),
    "cancel": Entry(
        _ACTING,
        "cancel",
        "Give RUN up: what is queued is cancelled, what runs is followed to its end.",
    ),
    "retry": Entry(
        _ACTING,
        "retry",
        "Patch failed VMs of RUN once more: all of them, or those that are named.",
    ),
    "resolve": Entry(_ACTING, "resolve", "Say what became of VMs of RUN that need a person."),
    "schedule": Entry(
        "orchestrator.cli.scheduling",
        "schedule",
        "Let the schedule of a plan rest, and wake it again.",
    ),
    "approve": Entry(_ACTING, "approve", "Let a wave of RUN open that waits for an approval."),
    "skip": Entry(
        _ACTING,
        "skip",
        "Leave out VMs of RUN that have not started, or with --wave what is left of a wave.",
    ),
    "set": Entry(
        _ACTING,
        "set_",
        "Change how many VMs of a wave of RUN run at once: a count, or a percentage of the wave.",
    ),
    "simulate": Entry(
        "orchestrator.cli.simulating",
        "simulate",
        "Run a small Azure on loopback: installPatches, its operations, instance views and lists.",
    ),
    "db": Entry("orchestrator.cli.keeping", "db", "Look after the status database."),
}
"""In the order of `--help`. The line of help is the first line of the command's docstring."""
