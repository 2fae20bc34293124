"""What is being written at this moment and stands in no row yet, counted by wave: nobody starts a
VM beside a failure on its way to the rows, and no wave ends beside a VM that is. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from orchestrator.domain.model import Wave
from orchestrator.domain.record import Move
from orchestrator.domain.tally import is_bad, is_bad_reboot


class Coming:
    """The moves of one run on their way to the rows."""

    def __init__(self, waves: Mapping[int, Wave]) -> None:
        self._waves = waves
        self._moves: Counter[int] = Counter()
        self._bad: Counter[int] = Counter()
        self._bad_reboots: Counter[int] = Counter()

    def count(self, moves: Iterable[Move], sign: int = 1) -> None:
        """Take in moves that are being written or, with `sign` -1, are not any more."""
        for move in moves:
            wave = move.after.wave
            spec = self._waves[wave].spec
            self._moves[wave] += sign
            self._bad[wave] += sign * (is_bad(move.after, spec) > is_bad(move.before, spec))
            lost = is_bad_reboot(move.after, spec) > is_bad_reboot(move.before, spec)
            self._bad_reboots[wave] += sign * lost

    def any(self, wave: int) -> bool:
        """Tell whether any VM of a wave is on its way to another state."""
        return self._moves[wave] > 0

    def bad(self, wave: int) -> int:
        """Return how many failures of a wave are on their way."""
        return self._bad[wave]

    def bad_reboots(self, wave: int) -> int:
        """Return how many of them are restarts that went wrong, in a phase of their own."""
        return self._bad_reboots[wave]
