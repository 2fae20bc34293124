"""May the token go there? (design 19, reliability E S1 and S3)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from orchestrator.arm import guard
from orchestrator.arm.clouds import CLOUDS, custom
from tests.contract.arm.bench import LOCATION_URL, OPERATIONS, PUBLIC, STATUS_URL, SUBSCRIPTION
from tests.contract.arm.strangers import GOOD, HOST, HOSTILE

OURS = guard.compute(SUBSCRIPTION)
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg%20(%C3%B6)._-"
IN_A_GROUP = f"{GROUP}/providers/Microsoft.Compute"


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE)
def test_the_token_does_not_go_there(url):
    assert isinstance(guard.check(url, PUBLIC, OURS), guard.Refused)


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE)
def test_a_refusal_shows_nothing_of_a_query(url):
    secret = url.replace("?", "?sig=s3cr3t&") + "&sig=s3cr3t"
    decision = guard.check(secret, PUBLIC, OURS)
    assert isinstance(decision, guard.Refused)
    assert "s3cr3t" not in repr(decision)
    assert decision.reason.isprintable()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (HOSTILE["plain http"], "the URL is not https"),
        (HOSTILE["a user"], "the URL carries a user name"),
        (HOSTILE["another host"], f"the URL is not at https://{HOST} but at evil.example"),
        (
            HOSTILE["a Cyrillic look-alike"],
            "the URL holds a character that no URL of Azure's holds",
        ),
        (HOSTILE["an encoded host"], f"the URL is not at https://{HOST}"),
        (HOSTILE["dot segments"], "the URL's path hides another path"),
        (HOSTILE["an empty segment inside"], "the URL's path is malformed"),
        (HOSTILE["another subscription"], "the URL's path is not one that we asked about"),
        (HOSTILE["too long"], "the URL is longer than 16384 characters"),
        (HOSTILE["not a URL"], "that is not an absolute URL with a path"),
    ],
)
def test_a_refusal_says_what_is_wrong(url, reason):
    assert guard.check(url, PUBLIC, OURS) == guard.Refused(reason)


@pytest.mark.parametrize(
    "url",
    [
        STATUS_URL,
        LOCATION_URL,
        f"https://{HOST}:443{GOOD}",
        f"HTTPS://Management.Azure.COM{GOOD}",
        f"https://{HOST}{GOOD.upper()}",
        f"https://{HOST}{GOOD}&%24skiptoken=a%2Fb..%2f",
        f"https://{HOST}{GOOD}&x=https://evil.example/@/../",
        f"https://{HOST}{IN_A_GROUP}/virtualMachines?$skiptoken=1",
        f"https://{HOST}{GOOD}&c=".ljust(guard.LONGEST, "c"),
    ],
)
def test_azures_own_urls_pass_to_the_byte(url):
    assert guard.check(url, PUBLIC, OURS) == guard.Allowed(url)


def test_a_decision_does_not_show_the_url():
    assert "t=6386" not in repr(guard.check(STATUS_URL, PUBLIC, OURS))


def test_any_subscription_still_means_compute():
    anyone = guard.compute(None)
    assert isinstance(guard.check(STATUS_URL, PUBLIC, anyone), guard.Allowed)
    tenants = f"https://{HOST}/subscriptions/x/resourceGroups/y"
    assert isinstance(guard.check(tenants, PUBLIC, anyone), guard.Refused)


def test_the_list_of_subscriptions_is_a_path_of_its_own():
    url = f"https://{HOST}/subscriptions?api-version=2022-12-01&%24skiptoken=x"
    assert isinstance(guard.check(url, PUBLIC, guard.SUBSCRIPTIONS), guard.Allowed)
    assert isinstance(guard.check(url, PUBLIC, OURS), guard.Refused)
    assert isinstance(guard.check(STATUS_URL, PUBLIC, guard.SUBSCRIPTIONS), guard.Refused)


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_each_cloud_has_its_own_host(cloud):
    homes = [c for c in CLOUDS.values() if isinstance(check(c.endpoint, cloud), guard.Allowed)]
    assert homes == [cloud]


@pytest.mark.parametrize(
    ("endpoint", "origins", "strangers"),
    [
        (
            "http://127.0.0.1:8471",
            ["http://127.0.0.1:8471"],
            [
                "https://127.0.0.1:8471",
                "http://127.0.0.1",
                "http://127.0.0.1:80",
                "http://127.0.0.1:8472",
                "http://localhost:8471",
                "http://127.1:8471",
                "http://2130706433:8471",
                "http://[::1]:8471",
                "http://x@127.0.0.1:8471",
            ],
        ),
        ("http://[::1]:8471", ["http://[::1]:8471"], ["http://[::1]", "http://127.0.0.1:8471"]),
        ("http://localhost", ["http://localhost", "http://localhost:80"], ["http://127.0.0.1"]),
        (
            "https://arm.stack.example/",
            ["https://arm.stack.example", "https://arm.stack.example:443"],
            ["https://arm.stack.example:8443", "http://arm.stack.example"],
        ),
        (
            "https://arm.stack.example:443",
            ["https://arm.stack.example", "https://arm.stack.example:443"],
            ["https://arm.stack.example:44"],
        ),
        (
            "https://[2001:db8::7]",
            ["https://[2001:db8::7]", "https://[2001:db8::7]:443"],
            ["https://[2001:db8::8]"],
        ),
    ],
)
def test_an_endpoint_of_ones_own_is_exactly_its_origin(endpoint, origins, strangers):
    cloud = custom(endpoint)
    assert [o for o in origins if isinstance(check(o, cloud), guard.Refused)] == []
    assert [s for s in strangers if isinstance(check(s, cloud), guard.Allowed)] == []


def check(origin, cloud):
    return guard.check(origin + GOOD, cloud, OURS)


PIECES = ["https", "http", "://", "//", HOST, "evil.example", "@", ":443", ":80", ":", ".", "/"]
PIECES += ["?", "#", "\\", "%40", "%2e", "[", "]", "::1", " ", "\t", "\n", "xn--"]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@example("https://management.azure.com")
@example("https://management.azure.com:443")
def test_what_passes_goes_to_our_host_whoever_parses_it(prefix):
    url = prefix + GOOD
    if isinstance(guard.check(url, PUBLIC, OURS), guard.Allowed):
        parsed = URL(url, encoded=True)
        assert (parsed.scheme, parsed.host, parsed.port) == ("https", HOST, 443)
        assert parsed.user is None
        assert parsed.raw_path_qs == GOOD


@given(st.text(max_size=200))
def test_any_text_gets_a_decision(text):
    for url in (text, OPERATIONS + text):
        decision = guard.check(url, PUBLIC, OURS)
        assert isinstance(decision, guard.Refused) or decision.url == url
