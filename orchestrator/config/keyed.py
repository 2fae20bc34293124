"""A configuration as its keys with their values, every default filled in and each key named as a
file names it: what two files write differently and mean alike is alike here. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from orchestrator.config.keyed_waves import of_wave, shared, tolerated
from orchestrator.config.settings import AzureSettings, ConfiguredPlan, Settings
from orchestrator.config.writing import Value
from orchestrator.domain.foreign import REDACTED
from orchestrator.domain.model import Limits, PlanSpec
from orchestrator.domain.schedule import Cron, PatchTuesday, Schedule
from orchestrator.ports import Credential, CredentialKind

Keyed = Mapping[str, Value]
_SQLITE: Final = "sqlite:///"
_PASSWORD: Final = re.compile(r"(://[^:@/?#]*:).*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Database:
    """Where the database is; two that differ in the password alone differ, and look alike."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        return _PASSWORD.sub(rf"\1{REDACTED}@", self.url)


def of_all_plans(settings: Settings, now: datetime) -> Keyed:
    """Return what holds for every plan. Of freezes it is what has not ended at `now`."""
    spec = settings.plans[0].spec
    pairs = (
        *_azure(settings.azure),
        ("database", _Database(_database(settings))),
        ("http.listen", _listen(settings)),
        *_fields("tracking", spec.tracking),
        ("throttle.reserve", f"{settings.reserve * 100:g}%"),
        *_limits(spec.limits),
        *_freezes(settings, now),
    )
    return _set(pairs)


def of_plan(plan: ConfiguredPlan) -> Keyed:
    """Return what a plan says of itself and of its waves, which are called by their names."""
    spec = plan.spec
    pairs = (
        ("emergency", plan.emergency),
        ("timezone", plan.timezone),
        *_schedule(plan),
        ("overlap", plan.overlap),
        ("deadline", spec.deadline),
        ("min_interval", spec.min_interval),
        ("carry_over", spec.carry_over),
        ("allow_failures", tolerated(spec.allow_failures)),
        *_patches(spec),
        ("waves", tuple(wave.name for wave in spec.waves)),
        *(
            (f"waves[{wave.name}].{key}", each)
            for wave in spec.waves
            for key, each in of_wave(wave)
        ),
    )
    return _set(pairs)


def _set(pairs: Sequence[tuple[str, Value]]) -> Keyed:
    """Leave out what is not set."""
    return {key: value for key, value in pairs if value is not None and value != ()}


def _fields(key: str, value: Any) -> Iterator[tuple[str, Value]]:  # noqa: ANN401 - a dataclass whose fields have the names of keys
    return ((f"{key}.{each.name}", getattr(value, each.name)) for each in fields(value))


# -------------------------------------------------------------------------- for every plan


def _azure(azure: AzureSettings) -> Iterator[tuple[str, Value]]:
    own = (("endpoint", azure.endpoint), ("audience", azure.audience))
    cloud = {name: each for name, each in (*own, ("authority", azure.authority)) if each}
    yield "azure.cloud", cloud or azure.cloud
    yield "azure.credential", _credential(azure.credential)
    yield "azure.api_version", azure.api_version
    yield "azure.subscriptions", azure.subscriptions


def _credential(credential: Credential) -> Value:
    """Say as whom. A fixed token is named by the variable that holds it."""
    named = credential.client_id or credential.variable
    is_mapping = credential.client_id or credential.kind is CredentialKind.FIXED_TOKEN
    return {credential.kind.value: named} if is_mapping else credential.kind


def _database(settings: Settings) -> str:
    """Return the URL; a file beside the configuration is named as from there, so that a copy of
    the configuration elsewhere has the same."""
    url = settings.database
    beside = f"{_SQLITE}{settings.folder}/"
    return f"{_SQLITE}{url.removeprefix(beside)}" if url.startswith(beside) else url


def _listen(settings: Settings) -> str:
    host = settings.http_host
    return f"[{host}]:{settings.http_port}" if ":" in host else f"{host}:{settings.http_port}"


def _limits(limits: Limits) -> Iterator[tuple[str, Value]]:
    yield "limits.in_flight", limits.in_flight
    for limit in limits.per:
        yield f"limits.per.{limit.kind}", shared(limit.most)


def _freezes(settings: Settings, now: datetime) -> Iterator[tuple[str, Value]]:
    """Say from when to when, in UTC, each lasts: a calendar's file may stay and its days change."""
    spans: dict[str, tuple[Value, ...]] = {}
    for freeze in settings.freezes.from_(now):
        span = {"from": f"{freeze.begins:%Y-%m-%d %H:%M}Z", "to": f"{freeze.ends:%Y-%m-%d %H:%M}Z"}
        spans[freeze.name] = (*spans.get(freeze.name, ()), span)
    for name, each in spans.items():
        yield f"freezes[{name}]", each if len(each) > 1 else each[0]


# -------------------------------------------------------------------------- for one plan


def _schedule(plan: ConfiguredPlan) -> Iterator[tuple[str, Value]]:
    if (schedule := plan.schedule) is None:
        return
    yield from _rule(schedule)
    yield "schedule.offset", schedule.offset or None
    if schedule.timezone != plan.timezone:
        yield "schedule.timezone", schedule.timezone
    yield "missed.policy", schedule.missed.policy
    yield "missed.grace", schedule.missed.grace


def _rule(schedule: Schedule) -> Iterator[tuple[str, Value]]:
    match schedule.rule:
        case Cron(expression=expression):
            yield "schedule.cron", expression
        case PatchTuesday(days=days, at=at):
            yield "schedule.patch_tuesday", f"{days:+}d"
            yield "schedule.at", at


def _patches(spec: PlanSpec) -> Iterator[tuple[str, Value]]:
    for system in ("windows", "linux"):
        if (asked := getattr(spec.patches, system)) is not None:
            yield from _fields(f"patches.{system}", asked)
