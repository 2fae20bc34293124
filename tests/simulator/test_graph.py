"""Resource Graph: what it has heard of, how far it trails, its pages, its quota, its refusals."""

import json
from datetime import datetime, timedelta

import pytest

from orchestrator.simulator.exchange import Reply
from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Temper
from tests.simulator.kit import SUBSCRIPTION, Client, decoded, is_cut, replied, vm

URL = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
ALL = "patchinstallationresources"
ORDERED = f"{ALL} | project id, name | order by id asc"
PROMPT = Mood(graph_lag=timedelta(0))


def ask(client, query=ALL, **members):
    options = members.pop("options", None)
    body = {"subscriptions": [SUBSCRIPTION], "query": query, **members}
    if options is not None:
        body["options"] = options
    return replied(client.ask("POST", URL, json.dumps(body).encode()))


def found(client, query=ALL, **members):
    return decoded(ask(client, query, **members))["data"]


def status(client):
    rows = found(client)
    return rows[0]["properties"]["status"] if rows else None


def refused(reply):
    """Return the status, and the code and message that matter."""
    error = json.loads(reply.body)["error"]
    (detail,) = error["details"]
    return reply.status, detail["code"], detail["message"]


# -------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize("os", SYSTEMS)
def test_an_installation_is_a_row_with_the_id_of_its_operation(os):
    client = Client(vm(os=os, temper=Temper(patches=4, needs_reboot=True)))
    started = client.start()
    client.wait(hours=3)
    (row,) = found(client)
    properties = row["properties"]
    assert row["id"] == f"{client.machine.vm_id}/patchInstallationResults/{started.id}"
    assert row["name"] == properties["installationActivityId"] == started.id
    assert row["type"] == "microsoft.compute/virtualmachines/patchinstallationresults"
    assert (row["subscriptionId"], row["resourceGroup"]) == (SUBSCRIPTION.lower(), "rg-mixed")
    assert (properties["status"], properties["startedBy"]) == ("Succeeded", "User")
    assert (properties["installedPatchCount"], properties["rebootStatus"]) == (4, "Completed")
    assert properties["osType"] == os
    assert datetime.fromisoformat(properties["startDateTime"]) < client.now


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(seconds=50), timedelta(minutes=20)])
def test_it_trails_the_operation_by_its_lag_at_both_ends(lag):
    client = Client(vm(temper=Temper(takes=timedelta(minutes=30), graph_lag=lag)))
    client.start()
    began = client.now
    instants = {
        lag - timedelta(seconds=1): None,
        lag: "NotStarted",
        lag + timedelta(seconds=3): "InProgress",
        timedelta(minutes=30) + lag - timedelta(seconds=1): "InProgress",
        timedelta(minutes=30) + lag: "Succeeded",
    }
    for offset, expected in instants.items():
        if offset >= timedelta(0):
            client.now = began + offset
            assert status(client) == expected


def test_what_has_not_begun_has_no_start_yet():
    client = Client(vm(), mood=PROMPT)
    client.start()
    (row,) = found(client)
    assert row["properties"]["startDateTime"] is None
    client.wait(seconds=3)
    (row,) = found(client)
    assert row["properties"]["startDateTime"] is not None


def test_the_mood_has_a_lag_and_the_speed_shortens_it():
    client = Client(vm(), mood=Mood(graph_lag=timedelta(minutes=10)), speed=600)
    client.start()
    client.wait(seconds=0.9)
    assert found(client) == []
    client.wait(seconds=0.1)
    assert len(found(client)) == 1


def test_a_blind_one_never_tells():
    client = Client(vm(temper="blind_graph"))
    client.run()
    assert found(client) == []


def test_a_later_installation_does_not_replace_an_earlier_one():
    client = Client(vm())
    ids = []
    for _ in range(3):
        ids.append(client.start().id)
        client.wait(hours=3)
    assert {row["name"] for row in found(client)} == set(ids)
    assert client.summary()["installationActivityId"] == ids[-1]


def test_azures_own_run_is_told_from_ours():
    client = Client(vm(temper="superseded"))
    client.start()
    client.wait(hours=3)
    by = {row["properties"]["startedBy"]: row["properties"]["status"] for row in found(client)}
    assert by == {"User": "Failed", "Platform": "Succeeded"}


def test_a_row_is_kept_for_thirty_days():
    client = Client(vm())
    client.start()
    client.wait(hours=29 * 24)
    assert len(found(client)) == 1
    client.wait(hours=2 * 24)
    assert found(client) == []


def test_a_machine_that_is_gone_has_no_rows():
    client = Client(vm(temper="deleted"))
    client.start()
    client.wait(minutes=1)
    assert len(found(client)) == 1
    client.wait(hours=3)
    assert found(client) == []


def test_only_the_subscriptions_asked_about_are_seen():
    client = Client(vm(), vm("vm-two", subscription="another"))
    for machine in (vm(), vm("vm-two", subscription="another")):
        client.start(machine)
    client.wait(minutes=1)
    assert len(found(client)) == 1
    assert len(found(client, subscriptions=[SUBSCRIPTION, "ANOTHER"])) == 2
    assert found(client, subscriptions=["nobodys"]) == []
    everything = json.dumps({"query": ALL}).encode()
    assert decoded(replied(client.ask("POST", URL, everything)))["count"] == 2


# ------------------------------------------------------------------------------------------- pages


def fleet(number, **mood):
    machines = [vm(f"vm-{n}") for n in range(number)]
    client = Client(*machines, mood=Mood(graph_lag=timedelta(0), **mood))
    for machine in machines:
        client.start(machine)
    client.wait(minutes=1)
    return client


def test_pages_are_joined_by_a_token_and_repeat_nothing():
    client, names, token, sizes = fleet(7, graph_page_size=3), [], None, []
    while token != "":
        document = decoded(ask(client, ORDERED, options={"$skipToken": token}))
        names += [row["name"] for row in document["data"]]
        sizes.append((document["totalRecords"], document["count"], document["resultTruncated"]))
        token = document.get("$skipToken", "")
    assert len(set(names)) == len(names) == 7
    assert sizes == [(7, 3, "false"), (7, 3, "false"), (7, 1, "false")]


def test_a_client_may_ask_for_smaller_pages_and_begin_later():
    client = fleet(3)
    document = decoded(ask(client, ORDERED, options={"$top": 2, "$skip": 1}))
    assert (document["count"], "$skipToken" in document) == (2, False)
    assert "$skipToken" in decoded(ask(client, ORDERED, options={"$top": 2}))


def test_without_an_id_there_is_no_next_page():
    document = decoded(ask(fleet(3, graph_page_size=2), f"{ALL} | project name"))
    assert document["resultTruncated"] == "true"
    assert "$skipToken" not in document


@pytest.mark.parametrize("token", ["!!", "bm9uZQ==", "MTpub25l"])
def test_a_token_of_somebody_elses_is_refused(token):
    assert refused(ask(fleet(1), ORDERED, options={"$skipToken": token}))[0] == 400


def test_a_token_is_good_for_its_own_query_only():
    client = fleet(3, graph_page_size=2)
    token = decoded(ask(client, ORDERED))["$skipToken"]
    other = ask(client, ORDERED.replace("asc", "desc"), options={"$skipToken": token})
    assert refused(other)[0] == 400


# ------------------------------------------------------------------------------------------- quota


def test_the_sixteenth_query_within_five_seconds_is_refused():
    client = Client(vm())
    left = [ask(client).header("x-ms-user-quota-remaining") for _ in range(15)]
    assert left == [str(n) for n in range(14, -1, -1)]
    reply = ask(client)
    assert refused(reply)[:2] == (429, "RateLimiting")
    assert reply.header("retry-after") == "5"
    assert reply.header("x-ms-user-quota-resets-after") == "00:00:05"
    client.wait(seconds=5)
    assert ask(client).status == 200


def test_each_principal_has_a_quota_of_its_own_and_arms_is_not_charged():
    client = Client(vm())
    for _ in range(15):
        ask(client)
    client.token = "another-token"
    reply = ask(client)
    assert reply.status == 200
    assert reply.header("x-ms-ratelimit-remaining-subscription-writes") is None


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b"{}", "a query"),
        (b'{"query": 3}', "wrong type"),
        (b'{"query": "x", "colour": 1}', "colour"),
        (b'{"query": "x", "facets": [{"expression": "y"}]}', "facets"),
        (b'{"query": "x", "managementGroups": ["m"]}', "subscriptions"),
        (b'{"query": "x", "options": {"$top": 1001}}', "1000"),
        (b'{"query": "x", "options": {"$top": "9"}}', "wrong type"),
        (b'{"query": "x", "options": {"resultFormat": "table"}}', "resultFormat"),
        (b'{"query": "resources"}', "the table resources"),
    ],
)
def test_what_is_not_understood_is_refused_with_a_reason(body, words):
    status_, code, message = refused(replied(Client(vm()).ask("POST", URL, body)))
    assert (status_, code) == (400, "InvalidQuery")
    assert words in message


def test_a_query_meets_the_weather_of_reads():
    client = Client(vm(), mood=Mood(reads={"cut": 0.4, "503": 0.4}))
    body = json.dumps({"query": ALL}).encode()
    answers = []
    for _ in range(60):
        answers.append(client.ask("POST", URL, body))
        client.wait(seconds=1)
    statuses = {answer.status for answer in answers if isinstance(answer, Reply)}
    assert statuses == {200, 503}
    assert any(is_cut(answer) for answer in answers)
    assert client.ledger()["requests"]["POST resources"]["cut"] > 0


# ----------------------------------------------------------------------------------------- queries


BULK = (
    "patchinstallationresources"
    " | where type =~ 'microsoft.compute/virtualmachines/patchinstallationresults'\n"
    "| extend vm=tolower(tostring(split(id,'/patchInstallationResults/')[0])), p=properties\n"
    "| where todatetime(p.startDateTime) > ago(2h)\n"
    "| project vm, runId=name, status=tostring(p.status), reboot=tostring(p.rebootStatus),"
    " failed=toint(p.failedPatchCount), pending=toint(p.pendingPatchCount),"
    " exceeded=tobool(p.maintenanceWindowExceeded), started=todatetime(p.startDateTime),"
    " changed=todatetime(p.lastModifiedDateTime), startedBy=tostring(p.startedBy),"
    " err=p.errorDetails"
)
"""azure-facts 7, to the word."""


def test_the_documented_bulk_query_is_understood():
    client = Client(vm())
    started = client.start()
    client.wait(hours=1)
    (row,) = found(client, BULK)
    assert (row["vm"], row["runId"]) == (client.machine.key, started.id)
    assert (row["status"], row["failed"], row["exceeded"]) == ("Succeeded", 0, False)
    client.wait(hours=2)
    assert found(client, BULK) == []


def test_a_query_for_one_machine_among_many_gives_that_machines_rows_only():
    client = fleet(5)
    machine = vm("VM-3").vm_id.upper()
    query = f"{ALL} | where id startswith '{machine}/patchInstallationResults/' | project id"
    (row,) = found(client, query)
    assert "/vm-3/" in row["id"]
    assert found(client, query.replace("VM-3/", "VM-33/")) == []


FIRST = (
    "tostring(properties.status) !~ 'InProgress' and tostring(properties.status) !~ 'NotStarted'"
)
CHANGED = "todatetime(properties.lastModifiedDateTime) >= ago(30m)"


@pytest.mark.parametrize("condition", [FIRST, CHANGED, f"{FIRST} | where {CHANGED}"])
def test_what_is_left_out_early_is_what_the_whole_rows_would_have_left_out(condition):
    fleet = [vm(f"vm-{n}", temper=Temper(takes=timedelta(minutes=20))) for n in range(6)]
    client = Client(*fleet, mood=PROMPT)
    for machine in fleet:
        client.start(machine)
        client.wait(minutes=13)
    early = found(client, f"{ALL} | where {condition} | project id, properties | order by id asc")
    late = found(
        client,
        f"{ALL} | extend properties = properties | where {condition}"
        " | project id, properties | order by id asc",
    )
    assert early == late
    assert 0 < len(early) < 6
