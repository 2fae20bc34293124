"""The happy path, as recorded."""

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from orchestrator.simulator.machines import SYSTEMS
from orchestrator.simulator.moods import Mood
from orchestrator.simulator.tempers import Temper
from tests.simulator.kit import EVENING, Client, decoded, vm

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COUNTS = {
    "failedPatchCount": "Failed",
    "installedPatchCount": "Installed",
    "pendingPatchCount": "Pending",
    "excludedPatchCount": "Excluded",
    "notSelectedPatchCount": "NotSelected",
}


def test_an_accepted_installation_answers_202_without_a_body_or_a_retry_after():
    reply = Client(vm()).start().reply
    assert reply.body == b""
    assert reply.header("content-length") == "0"
    assert reply.header("retry-after") is None


def test_header_names_are_lower_case_and_tell_what_the_buckets_hold():
    reply = Client(vm()).start().reply
    assert all(name == name.lower() for name, _ in reply.headers)
    assert reply.header("x-ms-ratelimit-remaining-subscription-writes") == "199"
    assert reply.header("x-ms-ratelimit-remaining-subscription-global-writes") == "2999"
    assert reply.header("x-ms-ratelimit-remaining-resource") == (
        "Microsoft.Compute/VMGuestPatchOperationSubscriptionMaximum;599,"
        "Microsoft.Compute/VMGuestPatchOperationResource;5"
    )
    assert reply.header("date") == "Sun, 22 Nov 2026 18:00:00 GMT"
    assert reply.header("cache-control") == reply.header("pragma") == "no-cache"
    assert re.fullmatch(
        rf"[A-Z]+:20261122T180000Z:{GUID.pattern}", reply.header("x-ms-routing-request-id") or ""
    )


def test_one_guid_names_the_installation_everywhere():
    client = Client(vm())
    started = client.start()
    assert GUID.fullmatch(started.id)
    assert f"/operations/{started.id}?" in started.url
    assert f"/operations/{started.id}?" in started.location
    assert started.reply.header("x-ms-correlation-request-id") != started.id
    client.wait(hours=3)
    document = started.status()
    assert document["name"] == started.id
    assert document["properties"]["output"]["installationActivityId"] == started.id
    assert client.summary()["installationActivityId"] == started.id
    assert client.installations()[0]["activity_id"] == started.id


def test_the_first_poll_in_the_same_second_is_in_progress():
    document = Client(vm()).start().status()
    assert list(document) == ["startTime", "status", "name"]
    assert document["status"] == "InProgress"


def test_an_ended_operation_has_its_keys_in_azures_order():
    document = Client(vm()).run()
    assert list(document) == ["startTime", "endTime", "status", "properties", "name"]
    assert document["status"] == "Succeeded"


def test_the_monitor_url_is_202_while_running_and_then_the_bare_result():
    client = Client(vm())
    started = client.start()
    waiting = client.get(started.location)
    assert (waiting.status, waiting.body) == (202, b"")
    assert waiting.header("location") == started.location
    client.wait(hours=3)
    result = decoded(client.get(started.location))
    assert result == started.status()["properties"]["output"]


@pytest.mark.parametrize("os", SYSTEMS)
def test_the_counts_agree_with_the_patches(os):
    for number in range(20):
        result = Client(vm(f"vm-{number}", os), seed=number).run()["properties"]["output"]
        states = [patch["installationState"] for patch in result["patches"]]
        assert {name: result[name] for name in COUNTS} == {
            name: states.count(state) for name, state in COUNTS.items()
        }


def test_a_windows_result_has_kbs_without_prefix_and_says_success():
    result = Client(vm(os="Windows", temper=Temper(patches=9))).run()["properties"]["output"]
    assert result["error"] == {"details": [], "code": "Success", "message": "0 error/s reported"}
    assert all(re.fullmatch(r"\d{7}", patch["kbId"]) for patch in result["patches"])
    assert not any("version" in patch for patch in result["patches"])
    assert {patch.get("msrcSeverity") for patch in result["patches"]} == {
        "Critical",
        "Important",
        None,
    }
    assert "maintenanceRunId" not in result
    assert re.fullmatch(r"2026-11-22T18:00:0[12]\.\d{7}Z", result["startDateTime"])


def test_a_linux_result_has_versions_a_maintenance_run_and_says_0():
    result = Client(vm(temper=Temper(patches=5))).run()["properties"]["output"]
    assert result["error"] == {"details": [], "code": "0", "message": "0 error/s reported."}
    assert result["maintenanceRunId"] == ""
    for patch in result["patches"]:
        assert patch["patchId"] == f"{patch['name']}_{patch['version']}_Ubuntu_22.04"
        assert "kbId" not in patch
    assert re.fullmatch(r"2026-11-22T18:00:0[12]Z", result["startDateTime"])


def test_bodies_are_crlf_and_the_result_comes_in_three_layouts():
    layouts = set()
    for number in range(30):
        client = Client(vm(f"vm-{number}"))
        started = client.start()
        client.wait(hours=3)
        text = started.poll().body.decode()
        assert text.startswith('{\r\n  "startTime": "')
        output = text.partition('"output": ')[2]
        layouts.add(output[: output.index('"')])
        assert json.loads(text)["status"] == "Succeeded"
    assert layouts == {"{", "{\r\n  ", "{\r\n      "}


def test_operation_times_have_odd_digits_and_offsets_and_name_the_right_instants():
    texts = []
    for number in range(60):
        client = Client(vm(f"vm-{number}"))
        client.now = EVENING + timedelta(microseconds=651686 * (number % 2))
        began = client.now
        document = client.run()
        start, end = (datetime.fromisoformat(document[name]) for name in ("startTime", "endTime"))
        assert start == began
        accounted = datetime.fromisoformat(client.installations()[0]["ended_at"])
        assert end == accounted
        texts.append(document["startTime"])
    assert {text[-6:] for text in texts} == {"+00:00", "-05:00"}
    fractions = {len(text[19:-6]) for text in texts}
    assert 8 in fractions  # seven digits and the point
    assert min(fractions) < 8  # a trailing zero is dropped


def test_runs_take_minutes_each_its_own():
    client = Client(*(vm(f"vm-{number}") for number in range(30)))
    for number in range(30):
        client.start(vm(f"vm-{number}"))
    lengths = sorted(
        datetime.fromisoformat(one["ends_at"]) - EVENING for one in client.installations()
    )
    assert timedelta(minutes=1) < lengths[0]
    assert lengths[-1] < timedelta(minutes=30)
    assert all(one < other for one, other in pairwise(lengths))


def test_speed_shortens_the_run_but_not_the_instants():
    normal, fast = Client(vm()), Client(vm(), speed=60)
    for client in (normal, fast):
        client.start()
    took = [
        datetime.fromisoformat(client.installations()[0]["ends_at"]) - EVENING
        for client in (normal, fast)
    ]
    assert abs(took[0] / 60 - took[1]) < timedelta(milliseconds=1)
    assert fast.installations()[0]["accepted_at"] == EVENING.isoformat()


def test_a_switch_adds_retry_after_in_real_seconds():
    client = Client(vm(), mood=Mood(retry_after=90), speed=60)
    started = client.start()
    assert started.reply.header("retry-after") == "2"
    assert started.poll().header("retry-after") == "2"
    client.wait(hours=3)
    assert started.poll().header("retry-after") is None


def test_what_was_installed_is_not_on_offer_again():
    client = Client(vm(os="Windows", temper=Temper(patches=3)))
    assert client.run()["properties"]["output"]["installedPatchCount"] == 3
    again = client.run()["properties"]["output"]
    assert (again["installedPatchCount"], again["status"]) == (0, "Succeeded")


def test_the_next_month_brings_new_patches():
    client = Client(vm(temper=Temper(patches=3)))
    first = client.run()["properties"]["output"]["patches"]
    client.wait(hours=24 * 30)
    second = client.run()["properties"]["output"]["patches"]
    assert len(second) == 3
    assert not {patch["patchId"] for patch in first} & {patch["patchId"] for patch in second}


def test_the_same_seed_and_calls_give_the_same_world_whatever_the_order():
    machines = [vm(f"vm-{number}") for number in range(8)]
    there, back = Client(*machines, seed=7), Client(*machines, seed=7)
    for machine in machines:
        there.start(machine)
    for machine in reversed(machines):
        back.start(machine)

    def by_vm(client):
        return {
            one["vm_id"]: (one["activity_id"], one["ends_at"]) for one in client.installations()
        }

    assert by_vm(there) == by_vm(back)
    other = Client(*machines, seed=8)
    other.start(machines[0])
    assert not by_vm(other).items() & by_vm(there).items()
