"""Where Azure is, and what an endpoint of one's own may be (design 14, azure-facts 8)."""

import pytest

from orchestrator.arm.clouds import CLOUDS, custom


@pytest.mark.parametrize(
    ("name", "endpoint", "scope", "authority"),
    [
        (
            "public",
            "https://management.azure.com",
            "https://management.azure.com/.default",
            "login.microsoftonline.com",
        ),
        (
            "usgov",
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
            "login.microsoftonline.us",
        ),
        (
            "china",
            "https://management.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
            "login.chinacloudapi.cn",
        ),
    ],
)
def test_a_cloud_is_where_azures_own_client_looks_for_it(name, endpoint, scope, authority):
    cloud = CLOUDS[name]
    assert (cloud.endpoint, cloud.scope, cloud.authority) == (endpoint, scope, authority)


def test_an_endpoint_is_enough_for_a_cloud_of_ones_own():
    cloud = custom("HTTP://127.0.0.1:8471/")
    assert cloud.endpoint == "http://127.0.0.1:8471"
    assert cloud.scope == "http://127.0.0.1:8471/.default"


def test_audience_and_authority_can_be_given():
    cloud = custom("https://arm.stack.example", "https://audience.example/", "login.example")
    assert (cloud.scope, cloud.authority) == ("https://audience.example/.default", "login.example")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_plain_http_is_for_this_machine(host):
    assert custom(f"http://{host}:8471").endpoint == f"http://{host}:8471"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.1",
        "http://management.azure.com",
        "http://localhost.evil.example",
        "http://[::2]:80",
        "https://user@arm.example",
        "https://arm.example/path",
        "https://arm.example?x=1",
        "https://arm.example:0",
        "https://arm.example:65536",
        "https://arm.example:x",
        "https://ärm.example",
        "https://arm example",
        "https://arm.example\n",
        "arm.example",
        "ftp://arm.example",
        "",
    ],
)
def test_anything_else_is_refused_with_a_sentence(endpoint):
    with pytest.raises(ValueError, match="the endpoint must"):
        custom(endpoint)
