"""Configured things as JSON text, exactly and back: the resolved plan of a run, the waves in it.

The text is pydantic's JSON of the domain's own dataclasses; a field that is added later with a
default reads from an old document as that default. What reads and writes is made when the first
document is: the views need none.
"""

import json
from datetime import timedelta
from functools import cache, lru_cache
from typing import Final

from pydantic import TypeAdapter

from orchestrator.domain.gate import GateStand
from orchestrator.domain.model import Hours, PlanSpec, Quarantine, Share, VmId, WaveSpec
from orchestrator.domain.window import needed

Tags = tuple[tuple[str, str], ...]
_ALIKE: Final = 10_000
"""Thousands of VMs have the same tags: each spelling is read once, and kept once."""


@cache
def _plan() -> TypeAdapter[PlanSpec]:
    return TypeAdapter(PlanSpec)


@cache
def _wave() -> TypeAdapter[WaveSpec]:
    return TypeAdapter(WaveSpec)


@cache
def _vms() -> TypeAdapter[tuple[VmId, ...]]:
    return TypeAdapter(tuple[VmId, ...])


@cache
def _ramp() -> TypeAdapter[tuple[int, ...]]:
    return TypeAdapter(tuple[int, ...])


@cache
def _gates() -> TypeAdapter[tuple[GateStand, ...]]:
    return TypeAdapter(tuple[GateStand, ...])


@cache
def _share() -> TypeAdapter[Share]:
    return TypeAdapter(Share)


@cache
def _quarantine() -> TypeAdapter[Quarantine]:
    return TypeAdapter(Quarantine)


def plan_text(plan: PlanSpec) -> str:
    """Write a resolved plan."""
    return _plan().dump_json(plan).decode()


def plan_from(text: str) -> PlanSpec:
    """Read a resolved plan. Raises `ValueError` where the text is not one."""
    return _plan().validate_json(text)


def wave_text(wave: WaveSpec) -> str:
    """Write a configured wave."""
    return _wave().dump_json(wave).decode()


def wave_from(text: str) -> WaveSpec:
    """Read a configured wave. Raises `ValueError` where the text is not one."""
    return _wave().validate_json(text)


@cache
def _hours() -> TypeAdapter[tuple[Hours, timedelta]]:
    return TypeAdapter(tuple[Hours, timedelta])


def hours_text(wave: WaveSpec) -> str:
    """Write when the VMs of a wave may start, and the time that each may need."""
    return _hours().dump_json((wave.hours, needed(wave))).decode()


@lru_cache(maxsize=1000)  # each intent asks, and the few waves of open runs have one text each
def hours_from(text: str) -> tuple[Hours, timedelta]:
    """Read when the VMs of a wave may start, and the time that each may need."""
    return _hours().validate_json(text)


def vms_text(vms: tuple[VmId, ...]) -> str:
    """Write the VMs that an act names."""
    return _vms().dump_json(vms).decode()


def vms_from(text: str) -> tuple[VmId, ...]:
    """Read the VMs that an act names. Raises `ValueError` where the text is no such list."""
    return _vms().validate_json(text)


@lru_cache(_ALIKE)
def tags_text(tags: Tags) -> str:
    """Write the tags of a VM."""
    return json.dumps(dict(tags), ensure_ascii=False)


@lru_cache(_ALIKE)
def tags_from(text: str) -> Tags:
    """Read the tags of a VM. Raises `ValueError` where the text is no object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"no tags: {text[:50]}")  # noqa: TRY004 - of the document, not of ours
    return tuple((str(name), str(value)) for name, value in found.items())


def ramp_text(ramp: tuple[int, ...]) -> str | None:
    """Write the steps of a wave's ramp; nothing for none."""
    return _ramp().dump_json(ramp).decode() if ramp else None


def ramp_from(text: str | None) -> tuple[int, ...]:
    """Read the steps of a wave's ramp. Raises `ValueError` where the text is no such list."""
    return _ramp().validate_json(text) if text else ()


def gates_text(gates: tuple[GateStand, ...]) -> str | None:
    """Write how a wave's gates stand; nothing for none."""
    return _gates().dump_json(gates).decode() if gates else None


def gates_from(text: str | None) -> tuple[GateStand, ...]:
    """Read how a wave's gates stand. Raises `ValueError` where the text is no such list."""
    return _gates().validate_json(text) if text else ()


def share_text(share: Share | None) -> str | None:
    """Write a number of VMs; nothing for none."""
    return None if share is None else _share().dump_json(share).decode()


def share_from(text: str | None) -> Share | None:
    """Read a number of VMs. Raises `ValueError` where the text is none."""
    return None if text is None else _share().validate_json(text)


def quarantine_text(group: Quarantine | None) -> str | None:
    """Write the group that a run holds back; nothing for none."""
    return None if group is None else _quarantine().dump_json(group).decode()


@lru_cache(maxsize=100)  # each intent asks, and the few open runs have one text each
def quarantine_from(text: str | None) -> Quarantine | None:
    """Read the group that a run holds back. Raises `ValueError` where the text is none."""
    return None if text is None else _quarantine().validate_json(text)
