"""From the keys of a file to settings: the nearest of wave, plan and `defaults` holds. Pure."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from orchestrator.config.azure_keys import Azure, CloudKeys, CredentialKeys
from orchestrator.config.budgets import resolve_limits, tolerance
from orchestrator.config.freezing import Freezes, resolve_freezes
from orchestrator.config.gate_keys import ApprovalKeys, GateKeys
from orchestrator.config.keys import Keys
from orchestrator.config.models import (
    Config,
    Defaults,
    ForWaves,
    PlanKeys,
    Selector,
    ThrottleKeys,
    WaveKeys,
)
from orchestrator.config.patch_keys import PatchesKeys
from orchestrator.config.reboot_keys import RebootKeys
from orchestrator.config.settings import (
    AzureSettings,
    ConfiguredPlan,
    Overlap,
)
from orchestrator.config.time_keys import ScheduleKeys, WindowKeys
from orchestrator.domain.gate import PATIENCE, Approval, GateKind, GateSpec
from orchestrator.domain.model import (
    Hours,
    Limits,
    LinuxPatches,
    Order,
    Patches,
    PlanSpec,
    Reboot,
    Selection,
    Share,
    StagedReboot,
    Tracking,
    Warnings,
    WaveSpec,
    Window,
    WindowsPatches,
)
from orchestrator.domain.schedule import Cron, Missed, MissedPolicy, PatchTuesday, Schedule
from orchestrator.domain.throttle import RESERVE
from orchestrator.ports import Credential, CredentialKind

Made = TypeVar("Made")
_FOR_A_REBOOT: Final = timedelta(minutes=15)


def resolve_azure(keys: Azure) -> AzureSettings:
    """Tell a cloud of one's own from those with a name."""
    own = keys.cloud if isinstance(keys.cloud, CloudKeys) else None
    return AzureSettings(
        cloud="custom" if own else str(keys.cloud),
        endpoint=own.endpoint if own else None,
        audience=own.audience if own else None,
        authority=own.authority if own else None,
        credential=_credential(keys),
        api_version=keys.api_version,
        subscriptions=tuple(dict.fromkeys(keys.subscriptions or ())),
    )


def _credential(keys: Azure) -> Credential:
    match keys.credential:
        case CredentialKeys(fixed_token=str(name)):
            return Credential(kind=CredentialKind.FIXED_TOKEN, variable=name)
        case CredentialKeys(managed_identity=client_id):
            return Credential(kind=CredentialKind.MANAGED_IDENTITY, client_id=client_id)
        case name:
            return Credential(kind=CredentialKind(str(name)))


def resolve_reserve(keys: ThrottleKeys) -> float:
    """Return the share that is left to others."""
    return RESERVE if keys.reserve is None else keys.reserve / 100


def resolve_plans(config: Config) -> tuple[ConfiguredPlan, ...]:
    """Fill in every default of every plan."""
    tracking = _given(Tracking, config.tracking)
    limits = resolve_limits(config.limits)
    return tuple(_plan(plan, config.defaults, tracking, limits) for plan in config.plans)


def _plan(plan: PlanKeys, defaults: Defaults, tracking: Tracking, limits: Limits) -> ConfiguredPlan:
    layers = (plan, defaults)
    zone = _first("timezone", layers, "UTC")
    waves = [_wave(wave, n, layers, zone) for n, wave in enumerate(plan.waves, 1)]
    spec = PlanSpec(
        name=plan.name,
        waves=tuple(waves),
        patches=_patches(plan.patches),
        tracking=tracking,
        allow_failures=tolerance(plan.allow_failures),
        limits=limits,
        deadline=_first("deadline", layers, timedelta(days=14)),
        min_interval=_first("min_interval", layers, timedelta(hours=12)),
        carry_over=_first("carry_over", layers, 2),
    )
    return ConfiguredPlan(
        spec=spec,
        schedule=_schedule(plan.schedule, zone, _missed(layers)) if plan.schedule else None,
        overlap=Overlap(_first("overlap", layers, "skip")),
        timezone=zone,
        emergency=plan.emergency,
    )


def _wave(wave: WaveKeys, position: int, above: Sequence[ForWaves], zone: str) -> WaveSpec:
    layers = (wave, *above)
    reboot, staged = _reboot(layers, zone)
    at_last, ramp = _parallel(_first("max_parallel", layers, None))
    return WaveSpec(
        name=wave.name or str(position),
        select=_selection(wave.select),
        exclude=_selection(wave.exclude) if wave.exclude else Selection(),
        max_parallel=at_last,
        ramp=ramp,
        allow_failures=tolerance(wave.allow_failures),
        order=Order(_first("order", layers, Order.AS_LISTED)),
        bake=_first("bake", layers, timedelta(0)),
        allow_empty=wave.allow_empty,
        max_duration=_first("max_duration", layers, timedelta(minutes=90)),
        reboot=reboot,
        staged=staged,
        warnings=Warnings(_first("warnings", layers, Warnings.PASS)),
        hours=_hours(layers, reboot, zone, staged=staged is not None),
        approve=_approval(wave.approve),
        before=tuple(_gate(keys) for keys in wave.before or ()),
        check=tuple(_gate(keys) for keys in wave.check or ()),
    )


def _parallel(
    written: float | list[int | float] | None,
) -> tuple[Share | None, tuple[Share, ...]]:
    """Return what holds at last, and the steps to it."""
    if not isinstance(written, list):
        return _share(written), ()
    steps = tuple(_one(each) for each in written)
    return steps[-1], steps


def _approval(written: str | ApprovalKeys | None) -> Approval | None:
    match written:
        case None:
            return None
        case ApprovalKeys(group=group, timeout=timeout):
            return Approval(group=group, timeout=timeout)
        case str():
            return Approval(group=written)


def _gate(keys: GateKeys) -> GateSpec:
    asked = keys.prometheus
    return GateSpec(
        kind=GateKind.PROMETHEUS if asked else GateKind.HTTP,
        url=asked.url if asked else keys.http or "",
        held_for=keys.held_for or timedelta(0),
        timeout=keys.timeout or PATIENCE,
        expect=keys.expect or 200,
        query=asked.query if asked else "",
        bound=asked.expect if asked else None,
    )


def _reboot(layers: Sequence[ForWaves], zone: str) -> tuple[Reboot, StagedReboot | None]:
    """Return what the installation may do, and the phase of reboots where there is one."""
    given = _first("reboot", layers, Reboot.IF_REQUIRED)
    keys = given if isinstance(given, RebootKeys) else RebootKeys(policy=given)
    if keys.policy != "staged":
        return Reboot(keys.policy), None
    windows = _first("window", layers, []) if keys.window is None else keys.window
    staged = StagedReboot(
        hours=_open(windows, _first("reboot_reserve", layers, _FOR_A_REBOOT), zone),
        max_parallel=_share(keys.max_parallel),
        allow_failures=_share(keys.allow_failures),
    )
    return Reboot.NEVER, staged


def _hours(layers: Sequence[ForWaves], reboot: Reboot, zone: str, *, staged: bool) -> Hours:
    """Give a wave its windows; an installation that does not reboot needs no room for it."""
    reserve = timedelta(0) if reboot is Reboot.NEVER else _FOR_A_REBOOT
    if not staged:
        reserve = _first("reboot_reserve", layers, reserve)
    return _open(_first("window", layers, []), reserve, zone)


def _open(given: WindowKeys | list[WindowKeys], reserve: timedelta, zone: str) -> Hours:
    """Return windows as the domain knows them; without one, the rest has no meaning."""
    windows = tuple(
        Window(start=each.start, length=each.length, days=tuple(sorted(set(each.days or ()))))
        for each in (given if isinstance(given, list) else [given])
    )
    return Hours(windows=windows, timezone=zone, reserve=reserve) if windows else Hours()


def resolve_config_freezes(config: Config) -> Freezes:
    """Return when nothing may start; days belong to the zone of `defaults`."""
    return resolve_freezes(config.freezes, config.defaults.timezone or "UTC")


def _first(key: str, layers: Sequence[ForWaves], otherwise: Any) -> Any:  # noqa: ANN401 - any key
    """Return the nearest value of a key."""
    given = (getattr(layer, key) for layer in layers)
    return next((value for value in given if value is not None), otherwise)


def _missed(layers: Sequence[ForWaves]) -> Missed:
    given = [keys for layer in layers if (keys := getattr(layer, "missed", None))]
    policy = next((MissedPolicy(keys.policy) for keys in given if keys.policy), MissedPolicy.SKIP)
    grace = next((keys.grace for keys in given if keys.grace is not None), Missed().grace)
    return Missed(policy=policy, grace=grace)


def _schedule(keys: ScheduleKeys, zone: str, missed: Missed) -> Schedule:
    rule: Cron | PatchTuesday
    if keys.patch_tuesday is not None and keys.at is not None:
        rule = PatchTuesday(days=keys.patch_tuesday.days, at=keys.at)
    else:
        rule = Cron(expression=keys.cron or "")
    offset = keys.offset or timedelta(0)
    return Schedule(rule=rule, timezone=keys.timezone or zone, offset=offset, missed=missed)


def _selection(keys: Selector) -> Selection:
    return Selection(
        ids=tuple(dict.fromkeys((*(keys.ids or ()), *(keys.file or ())))),
        subscriptions=tuple(dict.fromkeys(keys.subscriptions or ())),
        resource_groups=tuple(dict.fromkeys(keys.resource_groups or ())),
        tags=tuple((name, tuple(values)) for name, values in (keys.tags or {}).items()),
    )


def _share(written: float | None) -> Share | None:
    match written:
        case None:
            return None
        case int():
            return Share(count=written)
        case _:
            return _one(written)


def _one(written: float) -> Share:
    return Share(count=written) if isinstance(written, int) else Share(percent=written)


def _patches(keys: PatchesKeys | None) -> Patches:
    windows = keys and keys.windows and _given(WindowsPatches, keys.windows)
    linux = keys and keys.linux and _given(LinuxPatches, keys.linux)
    return Patches(windows=windows or None, linux=linux or None)


def _given(make: Callable[..., Made], keys: Keys) -> Made:
    """Make a value from the keys that were given; they have the names of its fields."""
    given = ((name, getattr(keys, name)) for name in type(keys).model_fields)
    listed = ((name, tuple(v) if isinstance(v, list) else v) for name, v in given)
    return make(**{name: value for name, value in listed if value is not None})
