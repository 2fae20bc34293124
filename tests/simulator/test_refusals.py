"""What keeps a run from starting, and what does not exist."""

from datetime import timedelta

import pytest

from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Busy, Temper
from tests.simulator.kit import Client, refusal, replied, vm


@pytest.mark.parametrize("power", ["stopped", "deallocated", "unknown"])
def test_a_machine_that_does_not_run_refuses(power):
    client = Client(vm(power=power))
    assert refusal(client.post()) == (
        409,
        "OperationNotAllowed",
        "The operation requires the VM to be running (or set to run).",
    )
    assert client.installations() == []


def test_a_machine_that_is_being_started_refuses():
    status, code, message = refusal(Client(vm(power="starting")).post())
    assert (status, code) == (409, "OperationNotAllowed")
    assert "changing power state" in message


@pytest.mark.parametrize(
    ("busy", "code"),
    [(Busy.OPERATION_NOT_ALLOWED, "OperationNotAllowed"), (Busy.CONFLICT, "Conflict")],
)
def test_a_second_installation_meets_a_409_until_the_first_has_ended(busy, code):
    client = Client(vm(), mood=Mood(busy=busy))
    client.start()
    assert refusal(client.post())[:2] == (409, code)
    assert len(client.installations()) == 1
    client.wait(hours=3)
    assert replied(client.post()).status == 202


def test_a_second_installation_can_supersede_the_first():
    machine = vm(temper=Temper(busy=Busy.SUPERSEDES, takes=timedelta(hours=2)))
    client = Client(machine, speed=2)
    first = client.start()
    client.wait(minutes=10)
    second = client.start()
    assert client.installations()[0]["ended_at"] == client.now.isoformat()
    found = first.status()["properties"]["output"]
    assert found["status"] == "Failed"
    assert found["error"]["details"][0]["code"] == "NEWER_OPERATION_SUPERSEDED"
    assert second.status()["status"] == "InProgress"
    assert client.ledger()["high_water"]["in_flight"] == 1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions/nobody/resourceGroups/rg-Mixed", "SubscriptionNotFound"),
        (
            "/subscriptions/0b1f6471-1bf0-4dda-aec3-111111111111/resourceGroups/x",
            "ResourceGroupNotFound",
        ),
        (
            "/subscriptions/0b1f6471-1bf0-4dda-aec3-111111111111/resourcegroups/rg-mixed",
            "ResourceNotFound",
        ),
    ],
)
def test_what_does_not_exist_is_a_404_of_the_gateway(path, code):
    client = Client(vm())
    url = f"{path}/providers/Microsoft.Compute/virtualMachines/other?api-version=2025-04-01"
    reply = client.get(url)
    assert refusal(reply)[:2] == (404, code)
    assert reply.header("x-ms-failure-cause") == "gateway"
    assert reply.header("x-ms-request-id") == reply.header("x-ms-correlation-request-id")
