"""What an installation reported about itself: counts and words, as Azure spells them (azure-facts
1.2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The summary of one result. Counts are numbers of patches; None means that Azure did not say.

    `status` is one of Unknown, InProgress, Failed, Succeeded, CompletedWithWarnings; `reboot` one
    of Unknown, NotNeeded, Required, Started, Failed, Completed. An adopted installation has no
    reboot status.
    """

    status: str
    installed: int | None = None
    failed: int | None = None
    pending: int | None = None
    excluded: int | None = None
    not_selected: int | None = None
    reboot: str | None = None
    window_exceeded: bool | None = None
    error_code: str = ""
    error_message: str = ""
    culprits: tuple[str, ...] = ()
    """The first patches that failed: KBs on Windows, packages on Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One patch of a result: a KB on Windows, a package on Linux."""

    patch_id: str
    name: str
    version: str = ""
    kb_id: str = ""
    classifications: tuple[str, ...] = ()
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole result: the summary, the patches (a list that Azure may cut short at 128 KB), and
    the raw JSON."""

    result: Result
    activity: str
    patches: tuple[Patch, ...] = ()
    raw: bytes = b""
