"""The ledger: what was really started."""

from datetime import datetime, timedelta

import pytest

from orchestrator.simulator.tempers import Temper
from orchestrator.simulator.world import Azure
from tests.simulator.kit import EVENING, Client, vm

AN_HOUR = Temper(takes=timedelta(hours=1))


def test_an_installation_is_entered_when_accepted_and_closed_when_it_ends():
    client = Client(vm(temper=AN_HOUR))
    started = client.start()
    [entry] = client.installations()
    ends = EVENING + timedelta(hours=1)
    assert entry == {
        "vm_id": client.machine.vm_id.lower(),
        "activity_id": started.id,
        "client_request_id": None,
        "accepted_at": EVENING.isoformat(),
        "ends_at": ends.isoformat(),
        "ended_at": None,
        "status": "InProgress",
        "result": None,
        "answered": True,
        "started_by": "User",
    }
    client.wait(hours=1)
    [entry] = client.installations()
    assert datetime.fromisoformat(entry["ended_at"]) == ends
    assert (entry["status"], entry["result"]) == ("Succeeded", "Succeeded")


def test_every_post_is_counted_even_a_refused_one():
    client = Client(vm(), vm("vm-two", power="stopped"))
    client.post()
    client.post()
    client.post(vm("vm-two"))
    client.post(headers={"authorization": "none"})
    assert client.ledger()["posts"] == {vm().key: 3, vm("vm-two").key: 1}
    assert client.ledger()["requests"]["POST installPatches"] == {"202": 1, "409": 2, "401": 1}


def test_requests_are_counted_by_kind_and_answer():
    client = Client(vm(temper="swallowed_reply"), vm("vm-two"))
    client.post()
    started = client.start(vm("vm-two"))
    started.poll()
    client.get(started.location)
    client.view()
    assert client.ledger()["requests"] == {
        "POST installPatches": {"cut": 1, "202": 1},
        "GET operation": {"200": 1},
        "GET operation monitor": {"202": 1},
        "GET instanceView": {"200": 1},
    }


def test_the_high_water_mark_is_of_what_ran_at_once():
    machines = [vm(f"vm-{number}", temper=AN_HOUR) for number in range(4)]
    client = Client(*machines, vm("vm-far", temper=AN_HOUR, subscription="another"))
    for machine in machines[:3]:
        client.start(machine)
    client.wait(minutes=30)
    client.start(vm("vm-far", subscription="another"))
    client.wait(minutes=30)
    client.start(machines[3])
    assert client.ledger()["high_water"] == {
        "in_flight": 4,
        "subscription": {machines[0].subscription: 3, "another": 1},
        "subscription_region": {
            f"{machines[0].subscription}/westeurope": 3,
            "another/westeurope": 1,
        },
        "tag": {"ring=canary": 4},
    }


def test_the_high_water_mark_is_told_for_whatever_a_machine_is_one_of():
    set_id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/availabilitySets/Web"
    zoned = [vm(f"vm-{n}", temper=AN_HOUR, zone="1", tags={"cluster": "sql"}) for n in range(2)]
    alone = vm("vm-set", temper=AN_HOUR, availability_set=set_id, tags={"cluster": "sql"})
    client = Client(*zoned, alone)
    for machine in (*zoned, alone):
        client.start(machine)
    marks = client.ledger()["high_water"]
    assert marks["zone"] == {f"{alone.subscription}/westeurope/1": 2}
    assert marks["availability_set"] == {set_id.lower(): 1}
    assert marks["tag"] == {"cluster=sql": 3}


def test_two_machines_with_one_id_are_refused():
    with pytest.raises(ValueError, match="two machines"):
        Azure([vm("vm-one"), vm("VM-ONE")])


def test_a_speed_of_nothing_is_refused():
    with pytest.raises(ValueError, match="speed"):
        Azure([vm()], speed=0)
