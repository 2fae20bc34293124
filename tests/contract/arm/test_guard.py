"""May the token go there? (design 19, reliability E S1 and S3)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from orchestrator.arm import guard
from orchestrator.arm.clouds import CLOUDS, custom
from tests.contract.arm.bench import (
    LOCATION_URL,
    OPERATION,
    OPERATIONS,
    PUBLIC,
    STATUS_URL,
    SUBSCRIPTION,
)

OURS = guard.compute(SUBSCRIPTION)
PATH = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg%20(%C3%B6)._-"
IN_A_GROUP = f"{GROUP}/providers/Microsoft.Compute"
GOOD = f"{PATH}/{OPERATION}?api-version=2025-04-01"
HOST = "management.azure.com"

HOSTILE = {
    "plain http": f"http://{HOST}{GOOD}",
    "another scheme": f"ftp://{HOST}{GOOD}",
    "no scheme": f"//{HOST}{GOOD}",
    "a relative URL": GOOD,
    "a scheme without slashes": f"https:{HOST}{GOOD}",
    "a scheme with one slash": f"https:/{HOST}{GOOD}",
    "three slashes": f"https:///{HOST}{GOOD}",
    "another host": f"https://evil.example{GOOD}",
    "our host as a prefix": f"https://{HOST}.evil.example{GOOD}",
    "our host as a suffix": f"https://evil{HOST}{GOOD}",
    "a subdomain": f"https://evil.{HOST}{GOOD}",
    "the parent domain": f"https://azure.com{GOOD}",
    "another cloud's host": f"https://management.chinacloudapi.cn{GOOD}",
    "a trailing dot": f"https://{HOST}.{GOOD}",
    "a user": f"https://user@{HOST}{GOOD}",
    "our host as the user": f"https://{HOST}@evil.example{GOOD}",
    "our host and port as the user": f"https://{HOST}:443@evil.example{GOOD}",
    "an encoded at": f"https://{HOST}%40evil.example{GOOD}",
    "another port": f"https://{HOST}:8443{GOOD}",
    "port 80": f"https://{HOST}:80{GOOD}",
    "an empty port": f"https://{HOST}:{GOOD}",
    "a padded port": f"https://{HOST}:0443{GOOD}",
    "a backslash host": f"https://{HOST}\\@evil.example{GOOD}",
    "a backslash path": f"https://{HOST}\\..{GOOD}",
    "an IPv4 literal": f"https://127.0.0.1{GOOD}",
    "an IPv4 number": f"https://2130706433{GOOD}",
    "the metadata service": f"https://169.254.169.254{GOOD}",
    "an IPv6 literal": f"https://[::1]{GOOD}",
    "a mapped IPv6 literal": f"https://[::ffff:10.0.0.1]{GOOD}",
    "a zone id": f"https://[fe80::1%25eth0]{GOOD}",
    "a Cyrillic look-alike": f"https://m\u0430nagement.azure.com{GOOD}",
    "punycode": f"https://xn--mnagement-63g.azure.com{GOOD}",
    "a full-width dot": f"https://management\uff0eazure\uff0ecom{GOOD}",
    "an ideographic full stop": f"https://management\u3002azure\u3002com{GOOD}",
    "a soft hyphen": f"https://manage\xadment.azure.com{GOOD}",
    "an encoded host": f"https://management%2eazure%2ecom{GOOD}",
    "a line end": f"https://{HOST}{GOOD}\r\nHost: evil.example",
    "a lone newline at the end": f"https://{HOST}{GOOD}\n",
    "a tab in the host": f"https://management\t.azure.com{GOOD}",
    "a NUL": f"https://{HOST}\x00.evil.example{GOOD}",
    "a leading space": f" https://{HOST}{GOOD}",
    "a space in the query": f"https://{HOST}{GOOD}&x=a b",
    "two URLs in one header": f"https://{HOST}{GOOD}, https://evil.example/",
    "a fragment": f"https://{HOST}{GOOD}#@evil.example",
    "a fragment before the path": f"https://{HOST}#{GOOD}",
    "a query before the path": f"https://{HOST}?x={GOOD}",
    "a question mark host": f"https://evil.example?.{HOST}{GOOD}",
    "no path": f"https://{HOST}",
    "the root": f"https://{HOST}/",
    "dot segments": f"https://{HOST}{PATH}/../../../../../tenants?api-version=2020-01-01",
    "encoded dot segments": f"https://{HOST}{PATH}/%2e%2e/%2E%2e/x",
    "half encoded dot segments": f"https://{HOST}{PATH}/.%2e/x",
    "a single dot": f"https://{HOST}{PATH}/./x",
    "an encoded slash": f"https://{HOST}{PATH}%2f..%2f..%2fx",
    "an encoded backslash": f"https://{HOST}{PATH}/%5c..%5cx",
    "a double encoding": f"https://{HOST}{PATH}/%252e%252e/x",
    "an overlong encoding": f"https://{HOST}{PATH}/%c0%ae%c0%ae/x",
    "an encoded NUL": f"https://{HOST}{PATH}/x%00",
    "an encoded line end": f"https://{HOST}{PATH}/x%0d%0aHost:evil",
    "a broken escape": f"https://{HOST}{PATH}/%zz",
    "a matrix parameter": f"https://{HOST}{PATH};a=b/x",
    "an empty segment": f"https://{HOST}/{PATH}/x",
    "an empty segment inside": f"https://{HOST}{PATH}//x",
    "another subscription": f"https://{HOST}{GOOD}".replace(SUBSCRIPTION, OPERATION),
    "an empty subscription": f"https://{HOST}{GOOD}".replace(SUBSCRIPTION, ""),
    "no subscription": f"https://{HOST}/providers/Microsoft.Compute/locations/x/operations/y",
    "another provider": f"https://{HOST}{GOOD}".replace("Compute", "Authorization"),
    "a provider that begins like ours": f"https://{HOST}{GOOD}".replace("Compute", "ComputeX"),
    "a path with ours at its end": f"https://{HOST}/evil{GOOD}",
    "too long": f"https://{HOST}{GOOD}&c=" + "c" * 16_384,
    "nothing": "",
    "not a URL": "8d1ed2fc",
    "a script": "javascript:alert(1)",
    "a file": f"file:///{HOST}{PATH}",
    "half a character": f"https://{HOST}{GOOD}\ud800",
}


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
