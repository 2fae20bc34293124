"""What is wrong with a configuration, said so that a person can mend it. Knows no YAML."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from orchestrator.domain.foreign import redact

_LONGEST_FOUND = 80
_IN_URL = re.compile(r"://.*@")


class Wrong(ValueError):  # noqa: N818 - a value that is wrong, told by whoever reads it
    """A value cannot be used: what is wrong in a few words, and what to write instead.

    With `secret` the value itself is never shown.
    """

    def __init__(self, message: str, fix: str | Callable[[], str], *, secret: bool = False) -> None:
        """Keep the two sentences apart; a fix that takes a search is found only to be shown."""
        super().__init__(message)
        self.message = message
        self.secret = secret
        self._fix = fix

    @property
    def fix(self) -> str:
        """What to write instead."""
        return self._fix if isinstance(self._fix, str) else self._fix()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong. Line and column count from 1; line 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    key: str = ""
    message: str
    found: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Say it on one line: `file:line:column: key: message (found …). Fix: …`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        found = f" (found {self.found})" if self.found else ""
        end = "" if self.fix.endswith("?") else "."
        fix = f" Fix: {self.fix}{end}" if self.fix else ""
        return f"{place}: {key}{self.message}{found}.{fix}"


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in reading order, each once."""
        self.problems = tuple(sorted({_safe(problem) for problem in problems}))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _safe(problem: Problem) -> Problem:
    """Return the problem without a secret that stands where nobody expects one: a key, a word."""
    key, message = redact(problem.key), redact(problem.message)
    return replace(problem, key=key, message=message, found=redact(problem.found))


def quoted(text: str) -> str:
    """Show a value as it was written: in quotes, not too long, without a password in a URL."""
    safe = _IN_URL.sub("://…@", text)
    short = safe if len(safe) <= _LONGEST_FOUND else safe[:_LONGEST_FOUND] + "…"
    return f'"{short}"'
