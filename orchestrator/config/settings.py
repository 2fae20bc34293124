"""What a configuration says, every default filled in: frozen values without YAML or pydantic."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.config.problems import Problem
from orchestrator.domain.model import PlanSpec
from orchestrator.domain.schedule import Schedule


class CredentialKind(StrEnum):
    """As whom we ask Azure; all but the last are azure-identity's."""

    DEFAULT = "default"
    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    AZURE_CLI = "azure_cli"
    ENVIRONMENT = "environment"
    FIXED_TOKEN = "fixed_token"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """How to get a token. No secret is in here: `variable` is the name of what holds it."""

    kind: CredentialKind = CredentialKind.DEFAULT
    client_id: str | None = None
    """Of a user-assigned managed identity, a guid in lower case."""
    variable: str | None = None
    """The environment variable with a fixed token; it was set when the configuration was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Which Azure, and as whom. Where the clouds with a name are, the ARM client knows."""

    cloud: str
    """`public`, `usgov`, `china` or `custom`; only the last has the three origins below."""
    endpoint: str | None = None
    """An origin without a slash at the end: https, or plain http on loopback."""
    audience: str | None = None
    authority: str | None = None
    credential: Credential
    api_version: str
    subscriptions: tuple[str, ...] = ()
    """Guids in lower case; empty when the configuration lists none here."""


class Overlap(StrEnum):
    """What happens when a plan fires while its previous run is open."""

    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredPlan:
    """One plan: what a run of it does, and when it fires (never by itself without a schedule)."""

    spec: PlanSpec
    schedule: Schedule | None
    overlap: Overlap
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration that is in order."""

    path: Path
    """The file or folder it was read from, absolute."""
    config_hash: str
    """SHA-256 of the content: the same for other spacing, comments, order of keys and spellings."""
    azure: AzureSettings
    database: str = field(repr=False)
    """`sqlite:////absolute/path` or `postgresql://…`; it may hold a password."""
    http_host: str
    http_port: int
    plans: tuple[ConfiguredPlan, ...]
    warnings: tuple[Problem, ...] = ()
    """What is allowed, and seldom meant."""

    def plan(self, name: str) -> ConfiguredPlan | None:
        """Return the plan of this name, if there is one."""
        return next((plan for plan in self.plans if plan.spec.name == name), None)
