"""What happens on the wire, as data. Sockets and memory both play it (`carriers.py`).

One play answers one request; the last of a script answers whatever comes after it. It says what
the other side does, never what a client makes of that.
"""

from dataclasses import dataclass
from enum import Enum, auto

Line = tuple[str, str]


class Pace(Enum):
    """When the first byte of an answer comes."""

    AT_ONCE = auto()
    SLOW = auto()
    """Late, and within the time-out."""
    DRIPPING = auto()
    """In many small pieces, within the time-out."""
    NEVER = auto()
    """Not within any time-out."""


class Framing(Enum):
    """How an answer says where its body ends."""

    LENGTH = auto()
    CHUNKED = auto()
    TO_THE_END = auto()
    """With the connection."""


class Tear(Enum):
    """How a body breaks off, or cannot be read, behind a good head."""

    SHORT = "closed before its last byte"
    RESET = "reset before its last byte"
    NO_LAST_CHUNK = "closed before its last chunk"
    NOT_GZIP = "called gzip and is none"
    HALF_A_GZIP = "a gzip cut in half"
    STALLED = "stalled beyond the time-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A well-formed HTTP answer. `ahead` are interim answers (1xx) before it."""

    status: int
    lines: tuple[Line, ...] = ()
    body: bytes = b""
    ahead: tuple[int, ...] = ()
    framing: Framing = Framing.LENGTH
    gzip: bool = False
    pace: Pace = Pace.AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """An answer whose head is good, and whose body is not."""

    answer: Answer
    tear: Tear


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The connection ends before a whole head came; `said` are the bytes that did come.

    `reset`: by RST instead of FIN. `unread`: as soon as it was opened, before the request is read.
    """

    said: bytes = b""
    reset: bool = False
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Babble:
    """Bytes that are no HTTP answer."""

    said: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """Some bytes, less than a head, and then nothing until the client goes away."""

    said: bytes = b""


@dataclass(frozen=True, slots=True)
class NobodyThere:
    """The connection is refused."""


Play = Answer | Torn | Cut | Babble | Hung | NobodyThere


def outlasts(play: Play) -> bool:
    """Tell whether a play ends only by the client's time-out."""
    match play:
        case Hung():
            return True
        case Torn(tear=tear):
            return tear is Tear.STALLED
        case Answer(pace=pace):
            return pace is Pace.NEVER
        case _:
            return False
