"""Whether a wave may open or close as far as its approval and its gates are concerned. Pure.

A gate that is green must have been seen green, read after read, for `held_for`. Who stops looking
(a daemon that is restarted, a run that is paused) begins to count anew: nobody knows what was in
between. What is green since when is written down when it changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain.gate import GateKind, GateSpec, GateStand, Moment, Reading
from orchestrator.domain.model import Wave, WaveStatus
from orchestrator.domain.states import Why
from orchestrator.domain.words import spanned

READ_EVERY: Final = timedelta(seconds=30)
READ_AT_MOST: Final = timedelta(seconds=1)
"""How often a gate is read: a quarter of what it must hold, within these bounds."""
UNSEEN: Final = timedelta(minutes=2)
"""Reads further apart than this do not count as one look."""

Key = tuple[int, Moment, int]
"""The wave's position, the list, the place in the list."""


@dataclass(frozen=True, slots=True)
class AskApproval:
    """It is the wave's turn, and a person must approve first."""

    wave: int


@dataclass(frozen=True, slots=True)
class TurnGates:
    """Gates have changed their colour, or are counted anew."""

    wave: int
    turned: tuple[GateStand, ...]


@dataclass(frozen=True, slots=True)
class ReadGate:
    """Ask now how a gate stands."""

    key: Key
    gate: GateSpec


@dataclass(frozen=True, slots=True)
class Refused:
    """The wave does not go on by itself: a gate has been red for too long."""

    why: Why


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nobody has approved in time."""

    why: Why


@dataclass(frozen=True, slots=True)
class Waits:
    """Something is not there yet, and may still come."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing is in the way."""


Standing = AskApproval | TurnGates | Refused | Unanswered | Waits | Clear


@dataclass(frozen=True, slots=True)
class _Latest:
    at: datetime
    reading: Reading
    unbroken: datetime
    """Since when it was read again and again."""


class GateWatch:
    """What this process has read of a run's gates. Forgotten with it: whoever comes next reads
    anew."""

    def __init__(self) -> None:
        self.in_hand: set[Key] = set()
        self._latest: dict[Key, _Latest] = {}

    def heard(self, key: Key, reading: Reading, now: datetime) -> None:
        """Take in what a reading came to."""
        before = self._latest.get(key)
        gone_on = before is not None and now - before.at <= UNSEEN
        self._latest[key] = _Latest(now, reading, before.unbroken if before and gone_on else now)

    def latest(self, key: Key, now: datetime) -> _Latest | None:
        """Return what was read last, unless that is too long ago to count."""
        found = self._latest.get(key)
        return found if found is not None and now - found.at <= UNSEEN else None

    def due_at(self, key: Key, gate: GateSpec) -> datetime | None:
        """Return when a gate is to be read next; None: now."""
        found = self._latest.get(key)
        return None if found is None else found.at + every(gate)


def every(gate: GateSpec) -> timedelta:
    """Return how often a gate is read."""
    return min(READ_EVERY, max(READ_AT_MOST, (gate.held_for or 4 * READ_EVERY) / 4))


# ------------------------------------------------------------------------------------- what holds


def at_the_door(wave: Wave, watch: GateWatch, now: datetime) -> Standing:
    """Tell what is in the way of a wave whose turn has come."""
    approval = wave.spec.approve
    if approval is not None and wave.approved_at is None:
        if wave.status is not WaveStatus.AWAITING_APPROVAL or wave.asked_at is None:
            return AskApproval(wave.position)
        if approval.timeout is not None and now >= wave.asked_at + approval.timeout:
            text = (
                f"wave {wave.spec.name} waited {spanned(approval.timeout)} for an approval by"
                f" {approval.group}"
            )
            return Unanswered(Why("not_approved", text))
        return Waits()
    return _gates(wave, Moment.BEFORE, watch, wave.asked_at, now)


def at_the_end(wave: Wave, watch: GateWatch, now: datetime) -> Standing:
    """Tell what is in the way of a wave that bakes, or whose bake is over."""
    return _gates(wave, Moment.CHECK, watch, wave.baking_until, now)


def _gates(
    wave: Wave, moment: Moment, watch: GateWatch, wanted: datetime | None, now: datetime
) -> Standing:
    """`wanted` is since when nothing but the gates is waited for."""
    turned, held = [], True
    for key, gate in listed(wave, moment):
        stand, latest = _stand(wave, key), watch.latest(key, now)
        fresh = None if latest is None else _turned(key, stand, latest)
        if fresh is not None:
            turned.append(fresh)
        elif (late := _late(wave, gate, stand, _since(wanted, latest), now)) is not None:
            return Refused(late)
        held = held and _holds(gate, stand, latest, now)
    if turned:
        return TurnGates(wave.position, tuple(turned))
    return Clear() if held else Waits()


def listed(wave: Wave, moment: Moment) -> Iterator[tuple[Key, GateSpec]]:
    """Yield a wave's gates of one kind, with their keys."""
    gates = wave.spec.before if moment is Moment.BEFORE else wave.spec.check
    for number, gate in enumerate(gates, 1):
        yield (wave.position, moment, number), gate


def _stand(wave: Wave, key: Key) -> GateStand | None:
    return next((each for each in wave.gates if (each.moment, each.number) == key[1:]), None)


def _turned(key: Key, stand: GateStand | None, latest: _Latest) -> GateStand | None:
    """Return how a gate stands anew; None: as it is written."""
    green = latest.reading.green
    if stand is not None and stand.green == green and (not green or stand.since >= latest.unbroken):
        return None
    anew = stand is not None and stand.green and green
    since = latest.unbroken if anew else latest.at
    return GateStand(
        moment=key[1], number=key[2], green=green, since=since, said=latest.reading.said
    )


def _holds(gate: GateSpec, stand: GateStand | None, latest: _Latest | None, now: datetime) -> bool:
    if stand is None or latest is None or not stand.green:
        return False
    return now >= stand.since + gate.held_for


def _since(wanted: datetime | None, latest: _Latest | None) -> datetime | None:
    """Return since when a gate was waited for and looked at: nobody is late for whom nobody looked
    out."""
    if latest is None:
        return None
    return latest.at if wanted is None else max(wanted, latest.unbroken)


def _late(
    wave: Wave, gate: GateSpec, stand: GateStand | None, since: datetime | None, now: datetime
) -> Why | None:
    """Tell whether a gate is waited for no longer: red for its whole time-out, or never green for
    long enough until that was over."""
    if stand is None or since is None:
        return None
    name = f"gate {told(gate)} of wave {wave.spec.name}"
    if not stand.green and now >= stand.since + gate.timeout:
        return Why("gate_red", f"{name} is red since {stand.since:%Y-%m-%d %H:%M}Z: {stand.said}")
    held = stand.green and now >= stand.since + gate.held_for
    if not held and now >= since + gate.held_for + gate.timeout:
        whole = spanned(gate.held_for + gate.timeout)
        return Why("gate_red", f"{name} was not green for {spanned(gate.held_for)} within {whole}")
    return None


def told(gate: GateSpec) -> str:
    """Name a gate as people know it: by its URL without what may be secret, or by its query."""
    if gate.kind is GateKind.PROMETHEUS:
        return f"{gate.query} {gate.bound}"
    return gate.url.partition("?")[0]


def described(wave: Wave, moment: Moment | None = None) -> Iterator[str]:
    """Say how each gate of a wave stands that was read, or each of one kind, red ones first."""
    gates = {Moment.BEFORE: wave.spec.before, Moment.CHECK: wave.spec.check}
    for stand in sorted(wave.gates, key=lambda each: each.green):
        if moment not in {None, stand.moment}:
            continue
        name = told(gates[stand.moment][stand.number - 1])
        colour = "green" if stand.green else "red"
        yield f"gate {name} is {colour} since {stand.since:%Y-%m-%d %H:%M}Z: {stand.said}"


def taken_in(wave: Wave, turned: tuple[GateStand, ...]) -> tuple[GateStand, ...]:
    """Return a wave's stands with those that have turned."""
    stands = {(each.moment, each.number): each for each in (*wave.gates, *turned)}
    return tuple(stands.values())


# ---------------------------------------------------------------------------------- what to read


def _asked(wave: Wave) -> Moment | None:
    """Return which gates of the current wave are read at this time."""
    if wave.status is WaveStatus.BAKING:
        return Moment.CHECK
    approved = wave.spec.approve is None or wave.approved_at is not None
    return Moment.BEFORE if wave.status is WaveStatus.PENDING and approved else None


def due(wave: Wave, watch: GateWatch, now: datetime) -> Iterator[ReadGate]:
    """Yield the gates of the current wave that are to be read now."""
    moment = _asked(wave)
    for key, gate in listed(wave, moment) if moment else ():
        at = watch.due_at(key, gate)
        if key not in watch.in_hand and (at is None or at <= now):
            yield ReadGate(key, gate)


def wakes(wave: Wave, watch: GateWatch) -> Iterator[datetime]:
    """Yield the instants at which the current wave's gates or its approval may change what is
    done."""
    approval = wave.spec.approve
    awaits = wave.status is WaveStatus.AWAITING_APPROVAL
    if awaits and approval is not None and approval.timeout and wave.asked_at:
        yield wave.asked_at + approval.timeout
    moment = _asked(wave)
    for key, gate in listed(wave, moment) if moment else ():
        at, stand = watch.due_at(key, gate), _stand(wave, key)
        if at is not None:
            yield at
        if stand is not None:
            yield stand.since + (gate.held_for if stand.green else gate.timeout)


def renewed(wave: Wave, now: datetime) -> Wave:
    """Return a wave whose waits begin anew: somebody let its run go on."""
    waiting = wave.asked_at is not None and wave.opened_at is None
    return replace(wave, asked_at=now if waiting else wave.asked_at, gates=())
