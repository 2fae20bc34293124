"""Installations as they run, and the record of each machine: what happened to it, and when.

A course is settled at the start in nominal time; here it lies on the world's clock. Nothing is
answered here.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.simulator import draws, endings
from orchestrator.simulator.course import Course
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.orders import Order
from orchestrator.simulator.tempers import Mishap, Reboot


@dataclass(slots=True, kw_only=True)
class Installation:
    """One accepted installation. `started_by` is User, or Platform for Azure's own runs.

    `lag` is how far the instance view trails, `graph_lag` how far Resource Graph does, on the
    world's clock. `answered`: whether a 202 went out.
    """

    id: str
    machine: Machine
    order: Order
    course: Course
    accepted_at: datetime
    speed: float
    lag: timedelta
    graph_lag: timedelta
    started_by: str = "User"
    client_request_id: str | None = None
    answered: bool = False
    polls: int = 0

    @property
    def starts_at(self) -> datetime:
        """When the guest begins: a second or two after the acceptance."""
        return self._at(timedelta(seconds=1 + draws.fraction(self.id, "start")))

    @property
    def ends_at(self) -> datetime | None:
        """When the operation ends, or None if it never does."""
        return None if self.course.lasts is None else self._at(self.course.lasts)

    def begun(self, now: datetime) -> bool:
        """Tell whether it was accepted by now (Azure's own runs are known ahead)."""
        return self.accepted_at <= now

    def ended(self, now: datetime) -> bool:
        """Tell whether the operation has ended."""
        return self.ends_at is not None and self.ends_at <= now

    def running(self, now: datetime) -> bool:
        """Tell whether it runs at this instant."""
        return self.begun(now) and not self.ended(now)

    def quiet(self, now: datetime) -> bool:
        """Tell whether the agent is silent because of this run: it reboots, or it died."""
        if self.course.quiet is None:
            return False
        begin, end = self.course.quiet
        return self._at(begin) <= now and (end is None or now < self._at(end))

    def supersede(self, now: datetime) -> None:
        """Let a newer operation take precedence from now on."""
        at = (now - self.accepted_at) * self.speed
        self.course = endings.superseded(self.course, at)

    def _at(self, offset: timedelta) -> datetime:
        return self.accepted_at + offset / self.speed


@dataclass(slots=True, kw_only=True)
class Restart:
    """One accepted restart. `lasts` is its operation's length, `boots` how long the machine's agent
    is silent after that, in nominal time. `answered`: whether a 202 went out."""

    id: str
    machine: Machine
    accepted_at: datetime
    speed: float
    lasts: timedelta
    boots: timedelta
    client_request_id: str | None = None
    answered: bool = False
    polls: int = 0

    @property
    def ends_at(self) -> datetime:
        """When the operation ends."""
        return self.accepted_at + self.lasts / self.speed

    @property
    def back_at(self) -> datetime | None:
        """When the agent answers again; None: never."""
        if self.machine.temper.reboot is Reboot.NEVER_RETURNS:
            return None
        return self.ends_at + self.boots / self.speed

    @property
    def status(self) -> str:
        """How the operation ends."""
        return "Failed" if self.machine.temper.reboot is Reboot.FAILS else "Succeeded"

    @property
    def error(self) -> dict[str, str]:
        """The error of one that failed."""
        detail = endings.platform_error("InternalExecutionError", self.machine)
        return {"code": detail.code, "message": detail.message}

    def ended(self, now: datetime) -> bool:
        """Tell whether the operation has ended."""
        return self.ends_at <= now

    def running(self, now: datetime) -> bool:
        """Tell whether the operation runs at this instant."""
        return self.accepted_at <= now and not self.ended(now)

    def quiet(self, now: datetime) -> bool:
        """Tell whether the agent is silent because of this restart."""
        return self.accepted_at <= now and (self.back_at is None or now < self.back_at)


@dataclass(slots=True)
class Record:
    """A machine and all that happened to it; `installations` in the order of their beginnings.

    `posts` and `reads` count the requests that met the machine itself; `grown` once it has its
    past.
    """

    machine: Machine
    installations: list[Installation] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    posts: int = 0
    restart_posts: int = 0
    reads: int = 0
    grown: bool = False

    def running(self, now: datetime) -> Installation | None:
        """Return the installation that runs now, if any."""
        return next((one for one in reversed(self.installations) if one.running(now)), None)

    def power(self, now: datetime) -> str:
        """Return the power state, in Azure's word."""
        return "deallocated" if self._befallen(Mishap.STOPPED, now) else self.machine.power

    def deleted(self, now: datetime) -> bool:
        """Tell whether somebody deleted the machine."""
        return self._befallen(Mishap.DELETED, now)

    def agent_ready(self, now: datetime) -> bool:
        """Tell whether the agent answers."""
        rebooting = (one.quiet(now) for one in self.restarts)
        silent = (one.begun(now) and one.quiet(now) for one in self.installations)
        return not (any(rebooting) or any(silent))

    def reboot_pending(self, now: datetime) -> bool:
        """Tell whether patches of an earlier run still need a reboot."""
        ended = [one for one in self.installations if one.ended(now)]
        needed = max(
            (one.ends_at for one in ended if one.course.outcome.reboot_status == "Required"),
            key=lambda at: at or now,
            default=None,
        )
        if needed is None:
            return False
        done = [one.ends_at for one in ended if one.course.outcome.reboot_status == "Completed"]
        done += [one.ends_at for one in self.restarts if one.ended(now)]
        return not any(at is not None and at > needed for at in done)

    def had(self, now: datetime) -> set[str]:
        """Return the ids of the patches that are installed."""
        ended = (one for one in self.installations if one.ended(now))
        return {patch.id for one in ended for patch in one.course.outcome.installed}

    def shown(self, now: datetime) -> Installation | None:
        """Return the installation that the instance view tells of, which trails by its lag."""
        if self.machine.temper.blind:
            return None
        told = (one for one in self.installations if one.begun(now - one.lag))
        return max(told, key=lambda one: one.accepted_at, default=None)

    def _befallen(self, mishap: Mishap, now: datetime) -> bool:
        return any(one.course.mishap is mishap and one.ended(now) for one in self.installations)
