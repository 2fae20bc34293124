"""Header values by the thousand, drawn from a seed: each family knows what its values mean.

A value comes with the wait that it asks for, in seconds: `DEFAULT` where it asks for none that
makes sense, `ANY` where chance decides, `None` where no wait is asked for at all.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

from tests.contract.arm.bench import EVENING

SEED: Final = 20_261_122
SHORTEST, LONGEST, DEFAULT = 1.0, 1200.0, 30.0
ANY: Final = -1.0
MOST: Final = 300
FEW: Final = 20
"""Of those families whose values are long."""
_DATE: Final = format_datetime(EVENING, usegmt=True)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True)
class Case:
    """The headers of one answer, and the wait that they ask for."""

    headers: Mapping[str, str]
    wait: float | None


Draw = random.Random
Family = Callable[[Draw], Case]


def clamped(seconds: float) -> float:
    return DEFAULT if seconds <= 0 else min(max(seconds, SHORTEST), LONGEST)


def said(value: str, wait: float | None = DEFAULT, date: str | None = _DATE) -> Case:
    """Say a value of `Retry-After`, beside a `Date`."""
    headers = {"retry-after": value} | ({} if date is None else {"date": date})
    return Case(headers, wait)


def number(value: str) -> Case:
    return said(value, clamped(float(value)))


def until(at: datetime, write: Callable[[datetime], str], wait: float | None = None) -> Case:
    asked = clamped((at - EVENING).total_seconds()) if wait is None else wait
    return said(write(at), asked)


def instant(draw: Draw) -> datetime:
    """Draw an instant around the evening: before it, soon after it, or far from it."""
    span = draw.choice([60, 1200, 5000, 86_400, 10**8])
    return EVENING + timedelta(seconds=draw.randint(-span, span))


def imf(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


def rfc850(at: datetime) -> str:
    return f"{_DAYS[at.weekday()]}, {at.day:02}-{_MONTHS[at.month - 1]}-{at:%y %H:%M:%S} GMT"


def asctime(at: datetime) -> str:
    month = _MONTHS[at.month - 1]
    return f"{_DAYS[at.weekday()][:3]} {month} {at.day:2} {at:%H:%M:%S} {at.year}"


def elsewhere(hours: int) -> Callable[[datetime], str]:
    """Write an instant as a clock shows it that many hours to the east."""

    def write(at: datetime) -> str:
        shown = at + timedelta(hours=hours)
        return f"{imf(shown).removesuffix(' GMT')} {'-' if hours < 0 else '+'}{abs(hours):02}00"

    return write


def no_such_instant(draw: Draw) -> str:
    """Write a date that no calendar has."""
    day, hour, minute, second = 22, 18, 0, 0
    match draw.randrange(5):
        case 0:
            day = draw.choice([0, 31, 32, 99])
        case 1:
            hour = draw.randint(24, 99)
        case 2:
            minute = draw.randint(60, 99)
        case 3:
            second = draw.randint(61, 99)
        case _:
            return f"Sun, 22 {draw.choice(['Foo', 'Novv', '13', ''])} 2026 18:00:00 GMT"
    return f"Sun, {day:02} Nov 2026 {hour:02}:{minute:02}:{second:02} GMT"


def of_an_era(draw: Draw) -> Case:
    """A date of another era: long gone, or far away, or beyond what a date can be."""
    year = draw.choice([1, 33, 1582, 1601, 1899, 1900, 1970, 1999, 2038, 2106, 3000, 9999, 10_000])
    year = draw.choice([year, draw.randint(2100, 9999), draw.randint(100, 1900)])
    wait = ANY if year < 100 or year > 9999 else LONGEST if year > 2026 else DEFAULT
    return said(f"Thu, 31 Dec {year:04} 23:59:{draw.randint(0, 59):02} GMT", wait)


def letters(draw: Draw, alphabet: str, most: int) -> str:
    return "".join(draw.choice(alphabet) for _ in range(draw.randint(1, most)))


def cased(draw: Draw, word: str) -> str:
    return "".join(draw.choice([each.lower(), each.upper()]) for each in word)


_SCRIPTS = tuple(
    "".join(map(chr, range(first, first + 10)))
    for first in (0x0660, 0x06F0, 0x0966, 0xFF10, 0x2080, 0x2460, 0x1D7CE)
)
"""Digits of other scripts, some of which Python takes for numbers."""
_CONTROLS = "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), 0, 127, 0x85, 0x9B, 0x2028]))
_ZONES = ("+9999", "-9999", "+99999999", "XYZ", "+", "(x)", "Z", "+0a00", "UTC", "EST", "-0000")
_WORDS = (
    *("soon", "later", "never", "null", "None", "undefined", "true", "[5]", '{"seconds": 5}'),
    *("<b>5</b>", "5 seconds", "PT5S", "P1D", "1h", "5m", "5 min", "now", "%35", "&#53;", "$5"),
    *("five", "V", "½", "∞", "5;", ";5", "'5'", '"5"', "5=5", "--5", "++5", "+-5", "5-", "5+"),
)


def _dotted(draw: Draw) -> str:
    return draw.choice([".5", "5.", "5..5", "1.2.3", ".", "..", "5.5.", "0x1.8p3", "1.5e1", "+.5"])


def _noise(draw: Draw) -> str:
    """Any characters of any plane, halves of pairs among them."""
    planes = [(32, 126), (0, 255), (0x300, 0x36F), (0x590, 0x6FF), (0xD800, 0xDFFF), (1, 0x10FFFF)]
    return "".join(chr(draw.randint(*draw.choice(planes))) for _ in range(draw.randint(0, 40)))


def _limits(draw: Draw) -> Case:
    """Answers that tell of buckets and ask for no wait."""
    names = [
        "x-ms-ratelimit-remaining-subscription-reads",
        "x-ms-ratelimit-remaining-subscription-writes",
        "x-ms-ratelimit-remaining-resource",
        "x-ms-ratelimit-remaining-subscription-global-reads",
        "x-ms-user-quota-remaining",
        "ratelimit-reset",
    ]
    values = ["-1", "0", "nan", "", "9" * 400, "Microsoft.Compute/HighCostGet;-46", _noise(draw)]
    return Case({draw.choice(names): draw.choice(values), "date": _DATE}, None)


def _milliseconds(draw: Draw, name: str) -> Case:
    value = draw.choice([draw.randint(0, 3000), draw.randint(0, 10**7), -draw.randint(1, 999)])
    wait = DEFAULT if value <= 0 else clamped(min(float(value) * 0.001, LONGEST))
    return Case({name: str(value)}, wait)


def _several(draw: Draw) -> Case:
    """Seconds come before milliseconds, whatever else is said."""
    seconds = draw.randint(1, 1200)
    also = {"retry-after-ms": str(draw.randint(0, 10**6)), "x-ms-retry-after-ms": _noise(draw)}
    return Case({**also, "retry-after": str(seconds), "date": _noise(draw)}, float(seconds))


def _skewed(draw: Draw) -> Case:
    """Azure's clock is off by up to a century: a date is a wait from its own `Date`."""
    theirs = EVENING + timedelta(seconds=draw.randint(-(10**9), 10**9))
    seconds = draw.randint(-2000, 5000)
    date = imf(theirs + timedelta(seconds=seconds))
    return said(date, clamped(seconds), imf(theirs))


FAMILIES: Final[Mapping[str, Family]] = {
    "whole seconds": lambda d: number(str(d.randint(1, 1200))),
    "too many seconds": lambda d: number(str(d.randint(1201, 10 ** d.randint(4, 20) - 1))),
    "fractions": lambda d: number(f"{d.randint(0, 1300)}.{d.randint(1, 10**6)}"),
    "less than a second": lambda d: number(f"0.{d.randint(1, 999):03}"),
    "nothing at all": lambda d: said(d.choice(["0", "00", "+0", "0.0", "0.000", "0" * 20])),
    "negative": lambda d: said(f"-{d.randint(0, 10**6)}{d.choice(['', '.5', 'e3'])}"),
    "a sign": lambda d: number(f"+{d.randint(1, 5000)}"),
    "leading zeros": lambda d: number(f"{'0' * d.randint(1, 9)}{d.randint(1, 5000)}"),
    "white space around": lambda d: said(
        f"{d.choice([' ', '  ', chr(9)])}{(n := d.randint(1, 1200))}{d.choice(['', ' ', chr(9)])}",
        float(n),
    ),
    "white space within": lambda d: said(f"{d.randint(1, 9)}{d.choice(' _')}{d.randint(0, 999)}"),
    "exponents": lambda d: said(
        f"{d.randint(1, 9)}{d.choice('eE')}{d.choice('+- ')}{d.randint(0, 400)}"
    ),
    "other bases": lambda d: said(f"0{d.choice('xXoObB')}{d.randint(0, 11)}"),
    "thousands": lambda d: said(
        f"{d.randint(1, 9)}{d.choice([',', '_', chr(39)])}{d.randint(100, 999)}"
    ),
    "dots": lambda d: said(_dotted(d)),
    "not a number": lambda d: said(
        cased(d, d.choice(["nan", "snan", "-nan", "nan(5)", "1.#QNAN"]))
    ),
    "for ever": lambda d: said(cased(d, d.choice(["inf", "-inf", "+inf", "infinity", "1.#INF"]))),
    "digits of others": lambda d: said(letters(d, d.choice(_SCRIPTS), 6)),
    "our digits among theirs": lambda d: said(f"5{letters(d, d.choice(_SCRIPTS), 3)}"),
    "units": lambda d: said(
        f"{d.randint(1, 99)}{d.choice(['s', 'ms', 'm', 'h', ' s', 'sec', '%'])}"
    ),
    "words": lambda d: said(d.choice(_WORDS)),
    "lists": lambda d: said(
        d.choice([", ", ",", "; "]).join([str(d.randint(0, 99))] * d.randint(2, 5))
    ),
    "lists of dates": lambda d: said(f"{imf(EVENING)}, {imf(instant(d))}", ANY),
    "nothing said": lambda d: said(d.choice(["", " ", "\t", "  \t "])),
    "controls": lambda d: said(
        f"5{d.choice(_CONTROLS)}{d.choice(['5', 'x', ''.join(_CONTROLS)])}", ANY
    ),
    "a line end": lambda d: said(
        d.choice(["\r\n", "\n", "\r"]).join([str(d.randint(1, 99)), "X: 1"])
    ),
    "noise": lambda d: said(_noise(d), ANY),
    "noise instead of a clock": lambda d: said(imf(instant(d)), ANY, _noise(d)),
    "bytes": lambda d: said(d.randbytes(d.randint(0, 40)).decode("utf-8", "surrogateescape"), ANY),
    "ascii": lambda d: said(letters(d, "".join(map(chr, range(32, 127))), 30), ANY),
    "punctuated digits": lambda d: said(letters(d, "0123456789.+-eE, :/xGMT", 24), ANY),
    "a date": lambda d: until(instant(d), imf),
    "a date of old servers": lambda d: until(
        EVENING + timedelta(seconds=d.randint(-(9**6), 9**6)), rfc850
    ),
    "a date of C": lambda d: until(instant(d), asctime),
    "a date from elsewhere": lambda d: until(instant(d), elsewhere(d.randint(-12, 14))),
    "a date in small letters": lambda d: until(instant(d), lambda at: imf(at).lower()),
    "a date with a wrong weekday": lambda d: until(instant(d), lambda at: f"Foo,{imf(at)[4:]}"),
    "an ISO date": lambda d: until(instant(d), datetime.isoformat, DEFAULT),
    "a Unix time": lambda d: said(str(int(instant(d).timestamp())), LONGEST),
    "a date that is none": lambda d: said(no_such_instant(d)),
    "a date of another era": of_an_era,
    "a piece of a date": lambda d: said(imf(instant(d))[: d.randint(1, 28)], ANY),
    "a shuffled date": lambda d: said(" ".join(d.sample(imf(instant(d)).split(), 6)), ANY),
    "a strange zone": lambda d: said(f"{imf(instant(d))[:-3]}{d.choice(_ZONES)}", ANY),
    "the end of all time": lambda d: said(
        f"Fri, 31 Dec 9999 23:59:{d.randint(0, 59)} -{d.randint(0, 2359):04}", ANY
    ),
    "a date without a clock": lambda d: said(imf(instant(d)), DEFAULT, None),
    "a clock that is off": _skewed,
    "milliseconds": lambda d: _milliseconds(d, "retry-after-ms"),
    "milliseconds of Microsoft": lambda d: _milliseconds(d, "x-ms-retry-after-ms"),
    "senseless milliseconds": lambda d: Case({"retry-after-ms": _noise(d)}, ANY),
    "several at once": _several,
    "buckets": _limits,
}
"""Families of short values."""

LONG: Final[Mapping[str, Family]] = {
    "a thousand digits": lambda d: said(str(d.randint(1, 9)) * d.randint(21, 60_000)),
    "a very long fraction": lambda d: said(f"1.{'3' * d.randint(21, 60_000)}"),
    "a very long word": lambda d: said("x" * d.randint(1000, 60_000)),
    "a very long list": lambda d: said("5, " * 20_000),
    "very many spaces": lambda d: said(f"Sun,{' ' * 30_000}22 Nov 2026 18:00:00 GMT", ANY),
    "very many colons": lambda d: said("1:" * 20_000, ANY),
    "a date of a very late year": lambda d: said(
        f"Sun, 22 Nov {'9' * d.choice([9, 20, 400, 5000])} 18:00:00 GMT"
    ),
    "a zone without end": lambda d: said(f"Sun, 22 Nov 2026 18:00:00 +{'9' * 5000}", ANY),
}


def cases(name: str) -> list[Case]:
    """Draw the cases of a family, always the same ones."""
    draw = random.Random(f"{SEED} {name}")
    if name in LONG:
        return [LONG[name](draw) for _ in range(FEW)]
    return [FAMILIES[name](draw) for _ in range(MOST)]
