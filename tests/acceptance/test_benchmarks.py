"""The benchmarks count right, at tiny sizes. How fast anything is, nothing here says."""

import json
import re
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from benchmarks import fake_arm
from benchmarks.chart import draw
from benchmarks.figures import Finding, Sizes, middle, number, table
from benchmarks.fleet import Member, fleet
from benchmarks.loads import submitted
from benchmarks.planning import measure as planning
from benchmarks.polling import polled
from benchmarks.race import bound_s, race
from orchestrator.simulator.limits import Limit
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import Temper

VMS = 20


def asked(arm: fake_arm.FakeArm, method: str, path: str) -> tuple[int, dict[str, str], str]:
    connection = HTTPConnection(arm.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers={"authorization": "Bearer token"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_the_fake_server_tells_an_operation_s_state_by_its_url_alone():
    vm = Member(7, "0de30000-0000-4000-8000-000000000001")
    with fake_arm.serving() as arm:
        runs = fake_arm.operation_urls(arm.url, vm, takes_s=3600)
        ended = fake_arm.operation_urls(arm.url, vm, takes_s=0)
        arm.epoch(takes_s=3600)
        running, over = (
            json.loads(asked(arm, "GET", operation.status_url.removeprefix(arm.url))[2])
            for operation in (runs, ended)
        )
        assert (running["status"], running["name"]) == ("InProgress", runs.activity)
        assert over["status"] == "Succeeded"
        assert over["properties"]["output"]["installationActivityId"] == ended.activity
        assert asked(arm, "GET", runs.location_url.removeprefix(arm.url))[0] == 202


def test_the_fake_server_counts_who_was_asked_for_twice():
    with fake_arm.serving() as arm:
        for number_ in (1, 2, 1):
            path = f"{Member(number_, '0de30000-0000-4000-8000-000000000001').vm_id}/installPatches"
            status, headers, _ = asked(arm, "POST", path)
            assert status == 202
            assert len(headers["Azure-AsyncOperation"]) > 3_000
        stats = arm.stats()
    assert (stats["posts"], stats["posted_twice"]) == (3, 1)


@pytest.mark.parametrize(("rival", "ends"), [("product", 1), ("bare", 1), ("sdk", 2)])
def test_every_rival_polls_every_operation_to_its_end(rival, ends):
    """The SDK asks for the result once more, at the other URL."""
    found = polled(rival, VMS, takes_s=1.2)
    assert found["ends"] == ends * VMS
    assert found["requests"] >= (ends + 1) * VMS
    assert found["cpu_s"] > 0
    if rival == "product":
        assert found["reached"] == {"verifying": VMS, "succeeded": VMS}


def test_submits_are_counted_by_the_server_and_not_by_the_product(sqlite_url):
    found = submitted(sqlite_url, VMS)
    assert found["reached"]["in_progress"] == VMS


@pytest.mark.parametrize("client", ["product", "sdk"])
def test_a_race_without_throttling_ends_with_every_vm_patched_once(client):
    found = race(client, VMS)
    assert (found["installed"], found["installed_twice"], found["lost"]) == (VMS, 0, 0)
    assert (found["calls"]["submit"], found["throttled"]) == (VMS, 0)
    assert found["makespan_s"] >= found["bound_s"]


def test_a_race_counts_what_azure_refuses():
    """A burst beyond the bucket of the mood `throttled`, which the SDK does not know of."""
    found = race("sdk", 40, "throttled")
    assert found["throttled"] > 0
    assert found["installed"] + found["lost"] >= 40


def test_the_bound_is_the_slot_and_the_time_of_the_last():
    machines = [
        Machine(f"{group()}/vm-{n}", "Linux", temper=Temper(takes=timedelta(seconds=takes)))
        for n, takes in enumerate((500, 10, 10, 70))
    ]
    assert bound_s(machines, Limit(2, 1, every=60)) == 500
    assert bound_s(machines[1:], Limit(2, 1, every=60)) == 130
    assert bound_s(machines[1:], Limit(1, 1, every=60)) == 190


def group() -> str:
    return "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines"


def test_planning_measures_one_event_at_a_time():
    found = planning(Sizes(planned=500))
    assert found.raw["events"] >= 5_000


def test_a_fleet_is_dealt_out_evenly():
    names = [vm.subscription for vm in fleet(6, 3)]
    assert [names.count(name) for name in sorted(set(names))] == [2, 2, 2]


def test_a_figure_is_met_when_it_stays_within_its_bar():
    rows = [{"x": 3.0}, {"x": 1.0}, {"x": 2.0}]
    assert middle(rows, "x") == 2.0
    kept = Finding(part="a", figure="cost", seen=1.25, bar=1.25)
    broken = Finding(part="a", figure="rate", seen=2_999, bar=3_000, at_least=True, unit="/s")
    told = Finding(part="b", figure="size", seen=12_345.6)
    assert [kept.met, broken.met, told.met] == [True, False, None]
    assert table([kept, broken, told]).splitlines()[1:] == [
        "a  cost     ≤ 1.25      1.25  yes",
        "a  rate    ≥ 3,000  2,999 /s  NO",
        "b  size               12,346",
    ]
    assert number(0.12345) == "0.123"


def test_the_chart_shows_what_was_measured_and_leaves_out_the_rest():
    drawn = draw({"CPU per request: sdk": 1_000.0, "CPU per request: product": 150.0})
    shown = re.findall(r">([^<]+)</text>", drawn)
    assert {"azure-mgmt-compute", "1,000 µs", "this product, durable", "150 µs"} <= set(shown)
    assert not [words for words in shown if "memory" in words]
