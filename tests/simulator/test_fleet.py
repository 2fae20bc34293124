"""Fleets, drawn and read."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.simulator.faults import TEMPERS
from orchestrator.simulator.fleet import fleet
from orchestrator.simulator.fleetfile import (
    machine_to_json,
    machines_from_json,
    temper_from_json,
    temper_to_json,
)
from orchestrator.simulator.machines import Machine
from orchestrator.simulator.tempers import PostFault, Temper
from tests.simulator.kit import vm


def test_a_fleet_is_mixed_and_named_once_each():
    machines = fleet(300, seed=3, subscriptions=2)
    assert len({machine.key for machine in machines}) == 300
    assert len({machine.subscription for machine in machines}) == 2
    assert {machine.region for machine in machines} == {"westeurope", "northeurope"}
    assert len({machine.resource_group for machine in machines}) == 4
    systems = Counter(machine.os for machine in machines)
    assert all(100 < count < 200 for count in systems.values())
    assert Counter(machine.tags["ring"] for machine in machines) == {
        "canary": 15,
        "early": 60,
        "broad": 225,
    }
    assert any(machine.vm_id != machine.key for machine in machines)


def test_the_same_arguments_give_the_same_fleet():
    assert fleet(50, seed=1) == fleet(50, seed=1) != fleet(50, seed=2)


@pytest.mark.parametrize("count", [0, 1, 2, 19])
def test_a_small_fleet_has_a_canary_if_it_has_anybody(count):
    rings = Counter(machine.tags["ring"] for machine in fleet(count))
    assert rings["canary"] == min(count, 1)
    assert sum(rings.values()) == count


def test_tempers_are_dealt_by_number_and_by_share():
    machines = fleet(200, tempers={"fails": 3, "hang": 0.1})
    dealt = Counter(next(n for n, t in TEMPERS.items() if t == one.temper) for one in machines)
    assert dealt == {"steady": 177, "fails": 3, "hang": 20}


@pytest.mark.parametrize(
    "tempers", [{"nice": 1}, {"fails": 11}, {"fails": 6, "hang": 0.5}, {"hang": -1}]
)
def test_impossible_tempers_are_refused(tempers):
    with pytest.raises(ValueError, match="temper"):
        fleet(10, tempers=tempers)


def test_a_fleet_survives_being_written_and_read():
    machines = fleet(20, tempers={"fails": 2, "late_view": 1})
    documents = [machine_to_json(machine) for machine in machines]
    as_list = json.dumps(documents)
    as_object = json.dumps({"machines": documents})
    as_lines = "\n".join(json.dumps(document) for document in documents) + "\n\n"
    assert (
        machines_from_json(as_list)
        == machines_from_json(as_object)
        == machines_from_json(as_lines)
        == machines
    )


def test_one_machine_on_one_line_is_a_fleet():
    assert machines_from_json(
        json.dumps({"vm_id": vm().vm_id, "os": "Linux", "location": "x"})
    ) == (Machine(vm().vm_id, "Linux", "x"),)


@pytest.mark.parametrize("name", TEMPERS)
def test_a_temper_survives_as_a_name_and_as_fields(name):
    assert temper_from_json(temper_to_json(TEMPERS[name])) == TEMPERS[name]


def test_a_temper_without_a_name_survives_as_fields():
    temper = temper_from_json(
        {"takes": 90, "posts": ["cut", "fine"], "busy": "conflict", "patches": 3}
    )
    assert temper.posts == (PostFault.CUT, PostFault.FINE)
    machine = vm(temper=temper, zone="2", image="a:b:c")
    assert machines_from_json(json.dumps([machine_to_json(machine)])) == (machine,)
    assert temper != Temper()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("7", "a fleet is a list"),
        ("[7]", "machine 1: a machine is an object"),
        ('[{"os": "Linux"}]', "machine 1: not the resource id"),
        ('{"id": "x"}\n{', "machine 1"),
    ],
)
def test_what_is_no_fleet_is_refused_with_a_reason(text, match):
    with pytest.raises(ValueError, match=match):
        machines_from_json(text)


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"os": "BeOS"}, "os must be"),
        ({"power": "off"}, "power must be"),
        ({"size": 3}, "has no size"),
        ({"zone": "4"}, "zone must be"),
        ({"zone": "1", "availability_set": "/x"}, "not in both"),
        ({"image": "ubuntu"}, "publisher:offer:sku"),
        ({"temper": "nice"}, "unknown temper"),
        ({"temper": 3}, "a temper is a name"),
        ({"temper": {"mad": 1}}, "a temper has no mad"),
        ({"temper": {"takes": "1h"}}, "number of seconds"),
        ({"temper": {"busy": "no"}}, "not a valid Busy"),
        ({"temper": {"bad_runs": 1}}, "bad_runs needs"),
    ],
)
def test_what_is_no_machine_is_refused_with_its_number(members, match):
    good = machine_to_json(vm())
    with pytest.raises(ValueError, match=f"machine 2: .*{match}"):
        machines_from_json(json.dumps([good, {**machine_to_json(vm("vm-two")), **members}]))


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text):
    try:
        machines_from_json(text)
    except ValueError:
        return
