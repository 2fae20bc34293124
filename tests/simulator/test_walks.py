"""Laws that hold on every walk through the world, in every mood."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.simulator.exchange import Reply
from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.moods import MOODS
from tests.simulator.kit import VERSION, Client, decoded, vm

GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
NAMES = ("vm-a", "vm-b", "vm-c")
steps = st.lists(
    st.tuples(
        st.sampled_from(["post", "poll", "monitor", "view", "list", "graph"]),
        st.sampled_from(NAMES),
        st.sampled_from([0, 0.2, 5, 61, 400, 4000, 90_000]),
    ),
    max_size=40,
)
worlds = st.fixed_dictionaries(
    {
        "mood": st.sampled_from(sorted(MOODS)),
        "seed": st.integers(0, 5),
        "speed": st.sampled_from([1.0, 60.0]),
        "tempers": st.tuples(*[st.sampled_from(sorted(TEMPERS))] * len(NAMES)),
    }
)


class Walk:
    """A client that does as the steps say, and remembers what it was answered."""

    def __init__(self, world):
        machines = [
            vm(name, "Windows" if number % 2 else "Linux", temper)
            for number, (name, temper) in enumerate(zip(NAMES, world["tempers"], strict=True))
        ]
        self.client = Client(
            *machines, mood=MOODS[world["mood"]], seed=world["seed"], speed=world["speed"]
        )
        self.urls: dict[str, tuple[str, str]] = {}

    def take(self, step):
        kind, name, seconds = step
        self.client.wait(seconds=seconds)
        machine = vm(name)
        if kind == "post":
            answer = self.client.post(machine, {"rebootSetting": "IfRequired"})
            if isinstance(answer, Reply) and (status := answer.header("azure-asyncoperation")):
                self.urls[name] = (status, answer.header("location") or "")
            return answer
        if kind == "graph":
            query = b'{"query": "patchinstallationresources | order by id asc"}'
            return self.client.ask("POST", GRAPH, query)
        group = machine.vm_id.removesuffix(f"/{name}")
        paths = {"view": f"{machine.vm_id}/instanceView", "list": group}
        if kind in paths:
            return self.client.ask("GET", f"{paths[kind]}?api-version={VERSION}")
        status, monitor = self.urls.get(name, ("/nothing", "/nothing"))
        return self.client.ask("GET", status if kind == "poll" else monitor)


@given(worlds, steps)
@settings(max_examples=60)
def test_the_same_calls_at_the_same_instants_get_the_same_answers(world, path):
    one, other = Walk(world), Walk(world)
    assert [one.take(step) for step in path] == [other.take(step) for step in path]
    assert one.client.ledger() == other.client.ledger()


@given(worlds, steps)
@settings(max_examples=60)
def test_no_machine_runs_two_installations_at_once(world, path):
    walk = Walk(world)
    for step in path:
        walk.take(step)
    walk.client.wait(hours=24 * 400)
    runs: dict[str, list[tuple[str, str]]] = {}
    for one in walk.client.installations():
        ends_at = one["ends_at"] or "for ever"
        runs.setdefault(one["vm_id"], []).append((one["accepted_at"], ends_at))
    for spans in runs.values():
        for (_, ends), (begins, _) in pairwise(sorted(spans)):
            assert ends <= begins


@given(worlds, steps)
@settings(max_examples=60)
def test_an_end_once_read_is_never_taken_back(world, path):
    walk = Walk(world)
    ended: dict[str, str] = {}
    for step in path:
        walk.take(step)
        for one in walk.client.installations():
            known = ended.setdefault(one["activity_id"], one["status"])
            if known != "InProgress":
                assert one["status"] == known
            ended[one["activity_id"]] = one["status"]


@given(worlds, steps)
@settings(max_examples=60)
def test_every_202_is_in_the_ledger_and_every_request_is_counted(world, path):
    walk = Walk(world)
    answers = [walk.take(step) for step in path]
    accepted = [a for a in answers if isinstance(a, Reply) and a.status == 202 and not a.body]
    ledger = walk.client.ledger()
    posts = sum(kind == "post" for kind, _, _ in path)
    assert sum(ledger["posts"].values()) == posts
    assert sum(sum(counts.values()) for counts in ledger["requests"].values()) == len(path)
    answered = sum(one["answered"] for one in ledger["installations"])
    monitored = ledger["requests"].get("GET operation monitor", {}).get("202", 0)
    assert len(accepted) == answered + monitored


def test_our_own_pages_count_for_nothing():
    client = Client(vm())
    decoded(client.get("/_sim/ledger"))
    assert client.ledger()["requests"] == {}
