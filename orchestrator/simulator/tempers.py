"""How one machine can misbehave, as a value. An impossible mix is refused when it is made.

The words are Azure's and the guest's, not any client's: see azure-facts 5 and 10. The named
examples are in `faults.py`. Durations are nominal: the simulator's speed divides them.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Ending(Enum):
    """How the machine's installations end."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    WARNS = "warns"
    UNKNOWN = "unknown"
    CANCELED = "canceled"
    NO_RESULT = "no_result"
    """The operation is Succeeded but brings no result body."""


class Layer(Enum):
    """Where a failure is told (azure-facts 5.1): in the result body, or by the operation itself."""

    BODY = "body"
    OPERATION = "operation"


class Reboot(Enum):
    """What a reboot does, where there is one."""

    COMPLETES = "completes"
    FAILS = "fails"
    NEVER_RETURNS = "never_returns"
    """rebootStatus stays `Started`, and the agent never answers again."""


class Busy(Enum):
    """What a second installPatches meets while one runs (unknown, azure-facts 11: all three)."""

    OPERATION_NOT_ALLOWED = "operation_not_allowed"
    CONFLICT = "conflict"
    SUPERSEDES = "supersedes"


class Mishap(Enum):
    """What happens in the middle of a run, from outside."""

    SUPERSEDED = "superseded"
    """Azure's own patch run takes precedence in the guest."""
    STOPPED = "stopped"
    DELETED = "deleted"
    AGENT_DIES = "agent_dies"


class PostFault(Enum):
    """What one installPatches POST meets. The `taken_…` ones start the installation first."""

    FINE = "fine"
    THROTTLED = "throttled"
    CUT = "cut"
    ERROR_500 = "500"
    ERROR_503 = "503"
    ERROR_504 = "504"
    PROXY_PAGE = "proxy_page"
    SILENT = "silent"
    EXPIRED = "expired_token"
    CLAIMS_CHALLENGE = "claims_challenge"
    FORBIDDEN = "forbidden"
    LOCKED = "locked"
    PLATFORM_FIRST = "platform_first"
    """Azure starts its own patch run a moment before the request is read."""
    TAKEN_CUT = "taken_cut"
    TAKEN_500 = "taken_500"
    TAKEN_503 = "taken_503"
    TAKEN_504 = "taken_504"
    TAKEN_PROXY_PAGE = "taken_proxy_page"
    TAKEN_SILENT = "taken_silent"
    TAKEN_BARE = "taken_bare"
    """202 without operation URLs."""
    TAKEN_FOREIGN_URL = "taken_foreign_url"
    """202 whose operation URLs point to another host."""


class PollFault(Enum):
    """What one read meets. None of them ends, or says anything about, the operation."""

    FINE = "fine"
    NOT_FOUND = "404"
    THROTTLED = "throttled"
    FORBIDDEN = "forbidden"
    EXPIRED = "expired_token"
    CLAIMS_CHALLENGE = "claims_challenge"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    ERROR_504 = "504"
    HTML = "html"
    BROKEN_JSON = "broken_json"
    WRONG_TYPE = "wrong_type"
    """The right JSON under `text/plain`."""
    EMPTY = "empty"
    CUT = "cut"
    SILENT = "silent"
    ODD_WORD = "odd_word"
    """A status word that is neither InProgress nor an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """How one machine behaves; `Temper()` is a steady one. Raises ImpossibleTemperError.

    `takes` whole length of a run (None: drawn) · `patches` how many are on offer (None: drawn) ·
    `needs_reboot` whether they need one (None: as the patches say) · `error_code` of a failed
    operation · `bad_runs` only the first n runs go wrong (None: all) · `overruns` the window is
    exceeded whatever the duration · `truncated` the list in the result is cut at 128 KB · `posts`,
    `polls` what the first ones meet, in order (`polls` for each operation anew) ·
    `restarts` what the first restart POSTs meet · `forgets` how
    long after its end the operation's status can be read · `view_lag` how far the instance view
    trails the operation (None: the mood's) · `blind` the view never tells ·
    `graph_lag`, `blind_graph` the same of Resource Graph.
    """

    takes: timedelta | None = None
    patches: int | None = None
    needs_reboot: bool | None = None
    ending: Ending = Ending.SUCCEEDS
    layer: Layer = Layer.BODY
    error_code: str | None = None
    bad_runs: int | None = None
    failing_patches: int = 0
    reboot: Reboot = Reboot.COMPLETES
    overruns: bool = False
    truncated: bool = False
    hangs: bool = False
    mishap: Mishap | None = None
    busy: Busy | None = None
    posts: tuple[PostFault, ...] = ()
    every_post: PostFault | None = None
    restarts: tuple[PostFault, ...] = ()
    polls: tuple[PollFault, ...] = ()
    every_poll: PollFault | None = None
    forgets: timedelta | None = None
    view_lag: timedelta | None = None
    blind: bool = False
    graph_lag: timedelta | None = None
    blind_graph: bool = False

    def __post_init__(self) -> None:
        """Refuse what no machine could do."""
        wrong = impossibilities(self)
        if wrong:
            raise ImpossibleTemperError("; ".join(wrong))


class ImpossibleTemperError(ValueError):
    """No machine could behave like this; the text says why."""


def impossibilities(temper: Temper) -> tuple[str, ...]:
    """Say what contradicts itself in a temper; nothing for a possible one."""
    checks = {**_endings(temper), **_contents(temper), **_answers(temper)}
    return tuple(sentence for sentence, wrong in checks.items() if wrong)


def _endings(temper: Temper) -> dict[str, bool]:
    fails = temper.ending is Ending.FAILS
    by_operation = fails and temper.layer is Layer.OPERATION
    troubled = temper.ending is not Ending.SUCCEEDS
    goes_wrong = (
        troubled
        or temper.overruns
        or temper.truncated
        or temper.hangs
        or temper.mishap is not None
        or temper.reboot is not Reboot.COMPLETES
    )
    return {
        "a run that hangs has no ending, length or mishap": temper.hangs
        and (troubled or temper.takes is not None or temper.mishap is not None),
        "only a failure is told by the operation": temper.layer is Layer.OPERATION and not fails,
        "an error code needs a failed or canceled operation": temper.error_code is not None
        and not by_operation
        and temper.ending is not Ending.CANCELED,
        "bad_runs needs something that goes wrong, at least once": temper.bad_runs is not None
        and (temper.bad_runs < 1 or not goes_wrong),
        "an exceeded window is an ending of its own": temper.overruns
        and (troubled or temper.hangs or temper.mishap is not None),
        "a mishap is an ending of its own": temper.mishap is not None and troubled,
        "only one can supersede a run": temper.mishap is Mishap.SUPERSEDED
        and temper.busy is Busy.SUPERSEDES,
    }


def _contents(temper: Temper) -> dict[str, bool]:
    nothing = temper.patches == 0
    return {
        "failing patches need a run that fails": temper.failing_patches > 0
        and temper.ending is not Ending.FAILS,
        "more patches fail than there are": temper.patches is not None
        and temper.failing_patches > temper.patches,
        "no patches: nothing to overrun or to truncate": nothing
        and (temper.overruns or temper.truncated),
        "a reboot that goes wrong must be needed": temper.reboot is not Reboot.COMPLETES
        and temper.needs_reboot is False,
        "counts are not negative": (temper.patches or 0) < 0 or temper.failing_patches < 0,
    }


def _answers(temper: Temper) -> dict[str, bool]:
    zero = timedelta(0)
    return {
        "posts and every_post exclude each other": bool(temper.posts)
        and temper.every_post is not None,
        "polls and every_poll exclude each other": bool(temper.polls)
        and temper.every_poll is not None,
        "a blind view has no lag": (temper.blind and temper.view_lag is not None)
        or (temper.blind_graph and temper.graph_lag is not None),
        "a run takes some time": temper.takes is not None and temper.takes <= zero,
        "spans of time are not negative": (temper.forgets or zero) < zero
        or min(temper.view_lag or zero, temper.graph_lag or zero) < zero,
    }
