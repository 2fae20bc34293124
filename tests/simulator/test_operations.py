"""Operation URLs: long, signed, verbatim."""

from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.simulator.signing import Place, Signer
from tests.simulator.kit import EVENING, Client, refusal, replied, vm


def parameters(url):
    return dict(pair.split("=", 1) for pair in urlsplit(url).query.split("&"))


def test_urls_have_the_shape_and_the_length_of_2024():
    started = Client(vm()).start()
    assert len(started.url) >= 3400
    assert len(started.location) >= 3400
    assert list(parameters(started.url)) == ["p", "api-version", "t", "c", "s", "h"]
    assert list(parameters(started.location)) == ["p", "monitor", "api-version", "t", "c", "s", "h"]
    assert len(parameters(started.url)["s"]) == 342
    assert len(parameters(started.url)["h"]) == 43
    assert parameters(started.url)["t"] == "639309672000000000"
    assert urlsplit(started.url).path == (
        "/subscriptions/0B1F6471-1BF0-4DDA-AEC3-111111111111/providers/Microsoft.Compute/locations/"
        f"westeurope/operations/{started.id}"
    )


def test_one_partition_serves_all_operations_of_a_subscription_and_region():
    client = Client(vm(), vm("vm-two"), vm("vm-three", subscription="another"))
    partitions = [
        parameters(client.start(machine).url)["p"]
        for machine in (vm(), vm("vm-two"), vm("vm-three", subscription="another"))
    ]
    assert partitions[0] == partitions[1] != partitions[2]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_url_changed_in_any_character_is_refused(data):
    client = Client(vm())
    started = client.start()
    url = data.draw(st.sampled_from([started.url, started.location]))
    base = len("https://azure.test/subscriptions/x/")
    at = data.draw(st.integers(base, len(url) - 1))
    other = data.draw(st.sampled_from("aZ07_-").filter(lambda new: new.lower() != url[at].lower()))
    answer = client.get(url[:at] + other + url[at + 1 :])
    assert answer.status in {400, 404}


@pytest.mark.parametrize("name", ["p", "api-version", "t", "c", "s", "h"])
def test_a_url_without_one_of_its_parameters_is_refused(name):
    client = Client(vm())
    started = client.start()
    kept = [pair for pair in started.url.partition("?")[2].split("&") if pair.split("=")[0] != name]
    url = f"{started.url.partition('?')[0]}?{'&'.join(kept)}"
    assert client.get(url).status == 400


@pytest.mark.parametrize("cut", [1, 100, 1000, 3200])
def test_a_url_cut_by_a_short_column_is_refused(cut):
    client = Client(vm())
    assert client.get(client.start().url[:-cut]).status == 400


def test_the_unsigned_url_of_2021_is_refused():
    client = Client(vm())
    started = client.start()
    url = f"{started.url.partition('?')[0]}?api-version=2020-12-01"
    assert refusal(client.get(url))[:2] == (400, "BadRequest")


def test_a_status_url_is_no_monitor_url_and_the_other_way_round():
    client = Client(vm())
    started = client.start()
    assert (
        client.get(started.url.replace("&api-version", "&monitor=true&api-version")).status == 400
    )
    assert client.get(started.location.replace("monitor=true&", "")).status == 400


def test_parameters_may_come_back_in_another_order():
    client = Client(vm())
    started = client.start()
    pairs = started.url.partition("?")[2].split("&")
    assert client.get(f"{started.url.partition('?')[0]}?{'&'.join(reversed(pairs))}").status == 200


def test_a_url_of_another_world_is_refused_or_unknown():
    stranger = Client(vm(), seed=1).start()
    assert Client(vm(), seed=2).get(stranger.url).status == 400
    assert Client(vm(), seed=1).get(stranger.url).status == 404  # a server that lost its memory


def test_urls_begin_with_the_origin_that_was_asked_when_none_is_given():
    client = Client(vm(), base_url=None)
    answer = client.ask(
        "POST",
        f"{vm().vm_id}/installPatches?api-version=2025-04-01",
        b'{"rebootSetting":"Never"}',
        {"host": "127.0.0.1:4711"},
    )
    location = replied(answer).header("location") or ""
    assert location.startswith("http://127.0.0.1:4711/subscriptions/")
    assert client.get(location).status == 202


def test_signatures_are_the_same_for_the_same_seed_only():
    place = Place("s", "westeurope")
    one, same, other = (Signer(seed).sign(place, "op", "2025-04-01", EVENING) for seed in (1, 1, 2))
    assert one == same != other
