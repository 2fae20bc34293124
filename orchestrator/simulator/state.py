"""The world's memory: machines, installations, buckets, ledger.

A request costs O(1), however large the fleet. It answers nothing itself; `world.py` and the
handlers do. All luck is hashed from the seed (`draws.py`).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from orchestrator.simulator import draws, endings, errors, guest, stamps
from orchestrator.simulator.exchange import Header, Reply, Request
from orchestrator.simulator.faults import STEADY, TEMPERS
from orchestrator.simulator.installations import Installation, Record, Restart
from orchestrator.simulator.ledger import Ledger
from orchestrator.simulator.limits import Policy
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.orders import Order
from orchestrator.simulator.patches import offered
from orchestrator.simulator.routes import Route
from orchestrator.simulator.signing import Signer
from orchestrator.simulator.tempers import Mishap
from orchestrator.simulator.tolls import Tolls

PLATFORM_ORDER = Order(classifications=frozenset({"critical", "security"}))


@dataclass(slots=True)
class Visit:
    """One request on its way through the world; `headers` gathers what its answer will carry."""

    request: Request
    route: Route
    now: datetime
    number: int
    base_url: str
    headers: list[Header] = field(default_factory=list)


class State:
    """All that changes. Raises ValueError for a VM id that comes twice."""

    def __init__(self, machines: Iterable[Machine], seed: int, mood: Mood, speed: float) -> None:
        self.seed = seed
        self.mood = mood
        self.speed = speed
        self.signer = Signer(seed)
        self.ledger = Ledger()
        self.tolls = Tolls(mood.limits, speed)
        self.records: dict[str, Record] = {}
        self.subscriptions: defaultdict[str, list[Record]] = defaultdict(list)
        self.groups: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
        self.installations: dict[str, Installation] = {}
        self.restarts: dict[str, Restart] = {}
        self._born: datetime | None = None
        for machine in machines:
            self._add(machine)

    def find(self, visit: Visit) -> Record | Reply:
        """Return the record of the machine that a path names, or the 404."""
        route = visit.route
        record = self.records.get(route.machine_key)
        if record is not None and not record.deleted(visit.now):
            return self.grown(record, visit.now)
        if route.subscription not in self.subscriptions:
            return errors.no_subscription(route.subscription)
        if (route.subscription, route.group.lower()) not in self.groups:
            return errors.no_group(route.group)
        return errors.no_machine(route.names["vm"], route.group)

    def listed(self, visit: Visit) -> list[Record] | Reply:
        """Return the records that a list's path covers, in the order of the fleet, or the 404."""
        route = visit.route
        if route.subscription not in self.subscriptions:
            return errors.no_subscription(route.subscription)
        if not route.group:
            return self.subscriptions[route.subscription]
        place = (route.subscription, route.group.lower())
        return self.groups[place] if place in self.groups else errors.no_group(route.group)

    def charge(self, visit: Visit, policy: Policy, region: str, resource: str) -> Reply | None:
        """Charge the Compute buckets; return the 429 if one is empty."""
        place = (visit.route.subscription, region)
        toll = self.tolls.compute(policy, place, resource, stamps.micros(visit.now))
        visit.headers += toll.headers
        if toll.refused is None:
            return None
        wrapped = draws.pick((True, False), self.seed, "429 shape", visit.number)
        window = (visit.now, visit.now + timedelta(seconds=toll.refused.retry_after))
        start, end = (stamps.seven_digits(at) for at in window)
        return errors.compute_throttled(toll.refused, (start, end), wrapped=wrapped)

    def start(
        self, record: Record, order: Order, now: datetime, client_request_id: str | None
    ) -> Installation:
        """Start a client's installation."""
        runs = sum(one.started_by == "User" for one in record.installations)
        machine = endings.after_bad_runs(record.machine, runs)
        installation = self._begin(record, machine, order, now)
        installation.client_request_id = client_request_id
        self.ledger.accepted(installation)
        if installation.course.mishap is Mishap.SUPERSEDED and installation.ends_at:
            self.start_platform_run(record, installation.ends_at)
        return installation

    def start_platform_run(self, record: Record, at: datetime) -> None:
        """Let Azure start a run of its own at this instant."""
        machine = replace(record.machine, temper=STEADY)
        self._begin(record, machine, PLATFORM_ORDER, at).started_by = "Platform"

    def supersede(self, running: Installation, now: datetime) -> None:
        """End a running installation because a newer one takes precedence."""
        if running.started_by == "User":
            self.ledger.superseding(running, now)
        running.supersede(now)

    def retry_after(self, nominal: float) -> str:
        """Return a Retry-After of so many nominal seconds: real ones, whole, at least 1."""
        return str(max(1, ceil(nominal / self.speed)))

    def _begin(self, record: Record, machine: Machine, order: Order, at: datetime) -> Installation:
        number = len(record.installations)
        luck = (self.seed, machine.key, number)
        on_offer = offered(record.machine, self.seed, at, record.had(at))
        lag, graph_lag = machine.temper.view_lag, machine.temper.graph_lag
        installation = Installation(
            id=draws.guid(*luck, "operation"),
            machine=machine,
            order=order,
            course=guest.settle(
                machine, order, on_offer, luck, reboot_pending=record.reboot_pending(at)
            ),
            accepted_at=at,
            speed=self.speed,
            lag=(self.mood.view_lag if lag is None else lag) / self.speed,
            graph_lag=(self.mood.graph_lag if graph_lag is None else graph_lag) / self.speed,
        )
        record.installations.append(installation)
        self.installations[installation.id] = installation
        return installation

    def _add(self, machine: Machine) -> None:
        if machine.key in self.records:
            raise ValueError(f"two machines have the id {machine.vm_id}")
        if machine.temper == STEADY:
            name = draws.share(self.mood.mix, self.seed, "mix", machine.key)
            machine = machine if name is None else replace(machine, temper=TEMPERS[name])
        record = Record(machine)
        self.records[machine.key] = record
        self.subscriptions[machine.subscription].append(record)
        self.groups[machine.subscription, machine.resource_group.lower()].append(record)

    def grown(self, record: Record, now: datetime) -> Record:
        """Give a machine its past when it is first looked at: a run of an earlier month."""
        self._born = self._born or now
        if record.grown:
            return record
        record.grown = True
        machine = replace(record.machine, temper=STEADY)
        if draws.fraction(self.seed, "history", machine.key) < self.mood.history:
            days = draws.whole(35, 60, self.seed, "history days", machine.key)
            past = self._begin(record, machine, PLATFORM_ORDER, self._born - timedelta(days=days))
            past.started_by, past.speed = "Platform", 1.0
            del self.installations[past.id]
        return record
