"""What a configuration says, every default filled in: frozen values without YAML or pydantic."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.config.freezing import Freezes
from orchestrator.config.problems import Problem
from orchestrator.domain.model import PlanSpec
from orchestrator.domain.schedule import Schedule
from orchestrator.domain.throttle import RESERVE
from orchestrator.ports import Credential


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
    QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredPlan:
    """One plan: what a run of it does, and when it fires (never by itself without a schedule)."""

    spec: PlanSpec
    schedule: Schedule | None
    overlap: Overlap
    timezone: str
    emergency: bool = False
    """Whether its runs override freezes, each with an approver of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the database and the daemon's door are: all that looking and braking need."""

    path: Path
    """The file or folder it was read from, absolute."""
    database: str = field(repr=False)
    """`sqlite:////absolute/path` or `postgresql://…`; it may hold a password."""
    http_host: str
    http_port: int

    @property
    def folder(self) -> Path:
        """Where the configuration lies."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def high_water(self) -> Path:
        """Where it is kept how far a PostgreSQL database had come: beside the configuration, under
        its name, for each may have another database. SQLite has it beside its file."""
        name = self.path.name if self.path.is_dir() else self.path.stem
        return self.folder / f"{name}.high-water"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Access):
    """A whole configuration that is in order."""

    config_hash: str
    """SHA-256 of the content: the same for other spacing, comments, order of keys and spellings."""
    azure: AzureSettings
    plans: tuple[ConfiguredPlan, ...]
    freezes: Freezes = field(default_factory=Freezes)
    reserve: float = RESERVE
    """The share of Azure's buckets that is left to others, from 0 to less than 1."""
    warnings: tuple[Problem, ...] = ()
    """What is allowed, and seldom meant."""

    def plan(self, name: str) -> ConfiguredPlan | None:
        """Return the plan of this name, if there is one."""
        return next((plan for plan in self.plans if plan.spec.name == name), None)
