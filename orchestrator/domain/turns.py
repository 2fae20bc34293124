"""Whose turn it is at a bucket that several want more of than it gives. It knows no rates.

Each claimant has a score: how many requests of its passed, counted from when it came. Who is behind
is owed the difference: nobody passes unless what is left then is enough for those behind to draw
level. So whoever comes for its share gets it, and who does not come holds up nobody for long.
"""

from dataclasses import dataclass
from typing import Final

_LATE: Final = 2.0
"""Seconds for which a claimant still counts after the instant at which it was to come back."""


@dataclass(slots=True)
class _Place:
    score: float
    until: float


class Turns:
    """The claimants of one bucket that were held back lately."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    @property
    def waiting(self) -> bool:
        """Whether anybody counts."""
        return bool(self._places)

    def owed(self, claimant: str, t: float, most: float) -> float:
        """Return how many requests must be left for others when this one passes: `most` for all of
        them together."""
        places = self._places
        if len(places) == 1 and claimant in places:
            return 0.0
        gone = [name for name, place in places.items() if place.until + _LATE < t]
        for name in gone:
            del places[name]
        mine = self._score(claimant)
        behind = (mine - place.score for place in places.values() if place.score < mine)
        return min(most, sum(behind))

    def held(self, claimant: str, until: float) -> None:
        """Note that this one wants to pass, and was told to come back then."""
        place = self._place(claimant)
        place.until = max(place.until, until)

    def served(self, claimant: str, t: float, most: float) -> None:
        """Note that this one passed. Nobody falls behind by more than `most`."""
        place = self._place(claimant)
        place.until = max(place.until, t)
        place.score += 1
        least = place.score - most
        for other in self._places.values():
            other.score = max(other.score, least)

    def _place(self, claimant: str) -> _Place:
        place = self._places.get(claimant)
        if place is None:
            place = self._places[claimant] = _Place(self._score(claimant), 0.0)
        return place

    def _score(self, claimant: str) -> float:
        """Who comes new is level with the last: it has no claim to what passed before."""
        place = self._places.get(claimant)
        if place is not None:
            return place.score
        return min((each.score for each in self._places.values()), default=0.0)
