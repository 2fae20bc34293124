"""Restarts: taken, followed, refused; and the reboot that patches leave pending."""

from orchestrator.simulator.tempers import Reboot, Temper
from tests.simulator.kit import VERSION, Client, Started, decoded, refusal, replied, vm

NEEDY = Temper(needs_reboot=True, patches=3)


def restart(client: Client) -> Started:
    url = f"{client.machine.vm_id}/restart?api-version={VERSION}"
    reply = replied(client.ask("POST", url, headers={"x-ms-client-request-id": "ours"}))
    assert reply.status == 202, reply.body
    return Started(client, reply)


def agent(client: Client) -> str:
    (status,) = client.view()["vmAgent"]["statuses"]
    return str(status["displayStatus"])


def test_a_restart_is_an_operation_without_a_result_and_the_agent_is_silent_meanwhile():
    client = Client(vm())
    begun = restart(client)
    assert begun.status()["status"] == "InProgress"
    assert agent(client) == "Not Ready"
    assert client.view()["statuses"][-1]["code"] == "PowerState/running"
    client.wait(minutes=2)
    ended = begun.status()
    assert (ended["status"], ended["name"]) == ("Succeeded", begun.id)
    assert "properties" not in ended
    client.wait(minutes=5)
    assert agent(client) == "Ready"
    assert replied(client.get(begun.location)).body == b""
    (entry,) = client.ledger()["restarts"]
    assert (entry["operation_id"], entry["client_request_id"]) == (begun.id, "ours")


def test_a_restart_that_fails_tells_it_by_its_operation_and_one_that_never_returns_by_the_agent():
    failing = Client(vm(temper=Temper(reboot=Reboot.FAILS)))
    begun = restart(failing)
    failing.wait(minutes=5)
    assert (begun.status()["status"], "code" in begun.status()["error"]) == ("Failed", True)
    lost = Client(vm(temper=Temper(reboot=Reboot.NEVER_RETURNS)))
    begun = restart(lost)
    lost.wait(hours=3)
    assert begun.status()["status"] == "Succeeded"
    assert agent(lost) == "Not Ready"
    assert lost.ledger()["restarts"][0]["back_at"] is None


def test_a_restart_needs_a_running_machine_with_nothing_under_way():
    url = f"{vm().vm_id}/restart?api-version={VERSION}"
    off = Client(vm(power="deallocated"))
    assert refusal(off.ask("POST", url))[:2] == (409, "OperationNotAllowed")
    busy = Client(vm())
    busy.start()
    assert refusal(busy.ask("POST", url))[:2] == (409, "OperationNotAllowed")
    twice = Client(vm())
    restart(twice)
    assert refusal(twice.ask("POST", url))[:2] == (409, "OperationNotAllowed")
    assert len(twice.ledger()["restarts"]) == 1


def test_restarts_draw_from_a_bucket_of_their_own():
    client = Client(vm())
    held = restart(client).reply.header("x-ms-ratelimit-remaining-resource")
    assert held == (
        "Microsoft.Compute/UpdateVMSubscriptionMaximum;1499,Microsoft.Compute/UpdateVMResource;11"
    )


def test_a_reboot_that_was_withheld_stays_pending_until_it_is_made():
    client = Client(vm(temper=NEEDY))
    assert reboot(client.run(rebootSetting="Never")) == "Required"
    again = client.run(rebootSetting="Never")["properties"]["output"]
    assert (again["installedPatchCount"], again["rebootStatus"]) == (0, "Required")
    restart(client)
    client.wait(minutes=30)
    assert reboot(client.run(rebootSetting="Never")) == "NotNeeded"


def test_an_installation_that_may_reboot_makes_the_one_that_is_pending():
    client = Client(vm(temper=NEEDY))
    client.run(rebootSetting="Never")
    assert reboot(client.run(rebootSetting="IfRequired")) == "Completed"
    assert reboot(client.run(rebootSetting="Never")) == "NotNeeded"


def reboot(ended) -> str:
    return str(ended["properties"]["output"]["rebootStatus"])


def test_an_operation_that_was_spoilt_by_a_wrong_signature_is_no_restart():
    client = Client(vm())
    begun = restart(client)
    assert replied(client.ask("GET", begun.url.replace("&s=", "&s=x"))).status == 400
    assert decoded(begun.poll())["status"] == "InProgress"
