"""Which addresses a gate may be read from: the corpus of those that would be a way in."""

import pytest

from orchestrator.domain.addresses import is_allowed, is_literal

ALLOWED = ("127.0.0.1", "::1", "10.0.0.7", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd12::7",
           "2603:1030::1", "100.64.0.1", "::ffff:10.0.0.7")  # fmt: skip
REFUSED = (
    "169.254.169.254", "169.254.0.1", "168.63.129.16", "0.0.0.1", "0.1.2.3", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::", "fe80::1", "fe80::1%eth0", "ff02::1",
    "fd00:ec2::254", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254",
    "64:ff9b::a83f:8110", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0", "169.254.169.254.", "x", "",
    "0251.0376.0251.0376", "2852039166", "0xa9fea9fe",
)  # fmt: skip


@pytest.mark.parametrize("address", ALLOWED)
def test_machines_of_one_s_own_network_may_be_asked(address):
    assert is_allowed(address)


@pytest.mark.parametrize("address", REFUSED)
def test_what_gives_out_credentials_or_is_no_machine_may_not_however_it_is_spelled(address):
    assert not is_allowed(address)


@pytest.mark.parametrize(
    ("host", "literal"),
    [("127.0.0.1", True), ("::1", True), ("2852039166", True), ("x.example", False), ("", False)],
)
def test_an_address_is_told_from_a_name(host, literal):
    assert is_literal(host) is literal
