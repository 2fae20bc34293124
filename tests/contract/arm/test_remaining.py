"""What Azure's headers say is left: read exactly, and never believed when they make no sense."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.arm import remaining
from orchestrator.arm.client import ArmClient
from orchestrator.arm.exchange import HttpReply, fold
from orchestrator.arm.token import FixedToken
from orchestrator.domain.answer import Tracker
from orchestrator.domain.pools import Call, Left, Place, Pool
from tests.contract.arm.bench import (
    EVENING,
    LOCATION_URL,
    OPERATIONS,
    PUBLIC,
    STATUS_URL,
    SUBSCRIPTION,
    VM,
    VM_URL,
    Clock,
    Memory,
    Script,
    an_order,
    recorded,
    reply,
)
from tests.contract.arm.hostile_headers import FAMILIES, LONG, cases

RESOURCE = "x-ms-ratelimit-remaining-resource"
READS = "x-ms-ratelimit-remaining-subscription-reads"
POLLED = "Microsoft.Compute/GetOperationResource;44,Microsoft.Compute/GetOperationSubscriptionMaximum;14996"  # noqa: E501 - as recorded, on one line
NUMBERS = [
    *(READS, "x-ms-ratelimit-remaining-subscription-global-reads"),
    *("x-ms-ratelimit-remaining-subscription-writes", "x-ms-user-quota-remaining"),
]
NAMES = [*NUMBERS, RESOURCE, "x-ms-user-quota-resets-after"]


def left(status=200, **headers):
    lines = ((name.replace("_", "-"), value) for name, value in headers.items())
    return remaining.left(HttpReply(status=status, headers=fold(lines)))


def of(value: str) -> Left | None:
    """Read a list of policies."""
    return remaining.left(HttpReply(status=200, headers={RESOURCE: value}))


# ------------------------------------------------------------------------------- what they say


def test_a_recorded_poll_tells_of_the_operation_and_of_the_region():
    said = Left(
        shared=((Pool.ARM_READS, 249), (Pool.OPERATIONS, 14_996)),
        of_one=((Pool.OPERATIONS, 44),),
    )
    assert remaining.left(HttpReply(status=200, headers={RESOURCE: POLLED, READS: "249"})) == said


@pytest.mark.parametrize(
    ("policy", "pool"),
    [
        ("VMGuestPatchOperation", Pool.PATCHES),
        ("GetOperation", Pool.OPERATIONS),
        ("LowCostGet", Pool.CHEAP_READS),
        ("HighCostGet", Pool.COSTLY_READS),
    ],
)
def test_each_policy_has_its_bucket(policy, pool):
    shared, own = f"{policy}SubscriptionMaximum;7", f"{policy}Resource;3"
    assert of(f"Microsoft.Compute/{shared}") == Left(shared=((pool, 7),))
    assert of(f"Microsoft.Compute/{own}") == Left(of_one=((pool, 3),))


def test_a_list_may_have_spaces_any_case_and_several_lines():
    lines = [
        (RESOURCE, "microsoft.compute/LOWCOSTGETsubscriptionmaximum; 12 "),
        (RESOURCE, "Microsoft.Compute/LowCostGetResource;9 ,Microsoft.Compute/Other;1"),
    ]
    said = remaining.left(HttpReply(status=200, headers=fold(lines)))
    assert said == Left(shared=((Pool.CHEAP_READS, 12),), of_one=((Pool.CHEAP_READS, 9),))


def test_of_what_is_said_twice_the_less_holds():
    policy = "Microsoft.Compute/GetOperationSubscriptionMaximum"
    assert of(f"{policy};9,{policy};4,{policy};11") == Left(shared=((Pool.OPERATIONS, 4),))


def test_the_limit_for_all_principals_counts_when_it_is_nearer():
    name = "x_ms_ratelimit_remaining_subscription"
    plenty = {f"{name}_reads": "249", f"{name}_global_reads": "3749"}
    assert left(**plenty) == Left(shared=((Pool.ARM_READS, 249),))
    assert left(**plenty | {f"{name}_global_reads": "3"}) == Left(shared=((Pool.ARM_READS, 3),))
    assert left(**{f"{name}_writes": "0"}) == Left(shared=((Pool.ARM_WRITES, 0),))


def test_resource_graph_tells_how_long_an_empty_quota_stays_so():
    said = left(x_ms_user_quota_remaining="0", x_ms_user_quota_resets_after="00:01:05")
    assert said == Left(shared=((Pool.QUERIES, 0),), empty_for=timedelta(seconds=65))


def test_a_429_tells_how_long_its_empty_bucket_stays_so():
    writes = {"x_ms_ratelimit_remaining_subscription_writes": "0"}
    assert left(429, **writes, retry_after="7").empty_for == timedelta(seconds=7)
    assert left(429, **writes).empty_for == timedelta(seconds=30)
    assert left(200, **writes, retry_after="7").empty_for is None


@pytest.mark.parametrize("status", [200, 202, 404, 429, 503])
def test_an_answer_without_such_headers_says_nothing(status):
    assert left(status, retry_after="5", date="Sun, 22 Nov 2026 18:00:00 GMT") is None


@pytest.mark.parametrize(
    "policies",
    [
        "Microsoft.Compute/HighCostGet3Min;46,Microsoft.Compute/HighCostGet30Min;0",
        "Microsoft.Compute/PatchOperation3Min;189,Microsoft.Compute/LowCostGet3Min;1",
        "Microsoft.Network/GetOperationSubscriptionMaximum;1",
        "GetOperationSubscriptionMaximum;1",
        "Microsoft.Compute/GetOperation;1",
        "Microsoft.Compute/SubscriptionMaximum;1",
    ],
)
def test_other_policies_are_passed_over(policies):
    """Those of 2021 counted in windows of 3 and 30 minutes."""
    assert of(policies) is None


# ----------------------------------------------------------------------------------- hostility

NO_COUNTS = [
    *("", " ", "-1", "+1", "1.0", "1e3", "0x1", "nan", "inf", "1_000", "1 000", "\u0665", "\u00b2"),
    *("1,2", "1;2", "many", "9" * 10, "9" * 5_000, "\x00", "5\r\nX: 1", "\ud800"),
]


@pytest.mark.parametrize("value", NO_COUNTS)
def test_what_is_no_plain_number_says_nothing(value):
    for name in NUMBERS:
        assert remaining.left(HttpReply(status=200, headers={name: value})) is None
    if value not in {"1,2", "1 000"}:
        assert of(f"Microsoft.Compute/GetOperationSubscriptionMaximum;{value}") is None


@pytest.mark.parametrize(
    "value",
    [
        *("", ";", ";;;", ",", ",,,,", ";1", "a;1", "Microsoft.Compute/", "Microsoft.Compute/;1"),
        "Microsoft.Compute/GetOperationSubscriptionMaximum",
        "Microsoft.Compute/GetOperationSubscriptionMaximum 1",
        "Microsoft.Compute/Get\u212aOperationSubscriptionMaximum;1",
        "Microsoft.Compute/GetOperationSubscriptionMaximum;1" + "," * 60_000,
        "Microsoft.Compute/GetOperationSubscriptionMaximum;1," * 2_000,
    ],
)
def test_a_list_that_is_none_says_nothing(value):
    assert of(value) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("00:00:05", 5),
        ("99:59:59", 1200),
        ("00:00:60", None),
        ("-0:00:05", None),
        ("5", None),
        ("", None),
        ("00:00:05.5", None),
        ("1.00:00:05", None),
        ("\u0660\u0660:00:05", None),
        ("0" * 9_000 + ":00:05", None),
    ],
)
def test_a_quota_resets_within_twenty_minutes_or_does_not_say(value, seconds):
    said = left(x_ms_user_quota_remaining="3", x_ms_user_quota_resets_after=value)
    assert said.empty_for == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("name", [*FAMILIES, *LONG])
def test_no_hostile_value_is_more_than_a_count_and_a_wait(name):
    for case in cases(name):
        value = next(iter(case.headers.values()))
        lines = dict.fromkeys(NAMES, value)
        for status in (200, 429):
            said = remaining.left(HttpReply(status=status, headers={**lines, **case.headers}))
            believable(said)


def believable(said: Left | None) -> None:
    for _, count in () if said is None else (*said.shared, *said.of_one):
        assert 0 <= count < 10**9
    if said is not None and said.empty_for is not None:
        assert timedelta(0) <= said.empty_for <= timedelta(minutes=20)


@given(st.text(), st.text())
def test_no_header_and_no_url_can_make_us_fail(value, url):
    lines = dict.fromkeys(NAMES, value)
    believable(remaining.left(HttpReply(status=200, headers=lines)))
    place = remaining.place(url)
    assert max(map(len, (place.subscription, place.region))) <= 64


# ------------------------------------------------------------------------------- whose they are


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (STATUS_URL, Place(subscription=SUBSCRIPTION, region="westeurope")),
        (LOCATION_URL.upper(), Place(subscription=SUBSCRIPTION, region="westeurope")),
        (f"{VM_URL}?$expand=instanceView", Place(subscription=SUBSCRIPTION, vm_id=VM)),
        (f"{VM_URL.upper()}/installPatches?x=1", Place(subscription=SUBSCRIPTION, vm_id=VM)),
        (VM_URL.replace("rg-web", "rg%2Dweb"), Place(subscription=SUBSCRIPTION, vm_id=VM)),
        (
            f"https://a/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines?a",
            Place(subscription=SUBSCRIPTION),
        ),
        ("https://management.azure.com/providers/Microsoft.ResourceGraph/resources", Place()),
        ("https://management.azure.com/subscriptions?api-version=1", Place()),
        ("", Place()),
    ],
)
def test_a_url_tells_what_the_answer_is_about(url, place):
    assert remaining.place(url) == place


class Ears:
    """A meter that remembers what it was told."""

    def __init__(self) -> None:
        self.heard_of: list[tuple[Call, Place, Left]] = []

    def heard(self, call: Call, place: Place, left: Left, now: object) -> None:
        assert now == EVENING
        self.heard_of.append((call, place, left))


def a_client(answer: HttpReply, ears: Ears | None) -> ArmClient:
    script = Script(answer)
    return ArmClient(script, FixedToken("a-token"), PUBLIC, Clock(), Memory(), meter=ears)


SAID = Left(shared=((Pool.ARM_READS, 5),))
OF_ARM = {"x_ms_ratelimit_remaining_subscription_reads": "5"}


async def test_the_client_tells_its_meter_what_every_kind_of_answer_says():
    there, in_region = Place(SUBSCRIPTION, vm_id=VM), Place(SUBSCRIPTION, region="westeurope")
    asks = [
        (lambda arm: arm.poll(Tracker(status_url=STATUS_URL)), Call.POLL, in_region),
        (lambda arm: arm.look(VM), Call.LOOK, there),
        (lambda arm: arm.install(an_order()), Call.SUBMIT, there),
        (lambda arm: arm.trace(VM, EVENING), Call.TRACE, Place()),
    ]
    for ask, call, place in asks:
        for status in (200, 429, 500):
            ears = Ears()
            await ask(a_client(reply(status, **OF_ARM, retry_after="9"), ears))
            (heard,) = ears.heard_of
            assert heard[:2] == (call, place)
            assert heard[2].shared == SAID.shared


async def test_the_client_tells_its_meter_of_lists():
    ears = Ears()
    page = reply(200, b'{"value": []}', **OF_ARM)
    assert await a_client(page, ears).list_machines(SUBSCRIPTION, None) == ()
    assert ears.heard_of == [(Call.LIST, Place(SUBSCRIPTION), SAID)]


async def test_a_client_without_a_meter_reads_none_of_it():
    answer = reply(200, recorded("running.json"), **OF_ARM)
    tracker = Tracker(status_url=f"{OPERATIONS}x?api-version=2025-04-01")
    assert await a_client(answer, None).poll(tracker) == await a_client(answer, Ears()).poll(
        tracker
    )
