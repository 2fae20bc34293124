"""What ARM's headers say is left in its buckets, and whose buckets they are.

Pure; it never raises. A value that is no plain number says nothing.

Which bucket is meant: ARM's own are those of the subscription in the URL. Compute names the policy
(`Microsoft.Compute/GetOperationSubscriptionMaximum;14996`), but never the region, and each region
has a bucket of that name. The URL of an operation has its region; that of a VM has not, and the
meter is told the VM instead: whoever asked about it knows where it is.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote

from orchestrator.arm import headers
from orchestrator.arm.exchange import HttpReply
from orchestrator.arm.replies import TOO_MANY
from orchestrator.domain.pools import Call, Left, Place, Pool
from orchestrator.ports import Meter

_RESOURCE: Final = "x-ms-ratelimit-remaining-resource"
_READS: Final = "x-ms-ratelimit-remaining-subscription-reads"
_WRITES: Final = "x-ms-ratelimit-remaining-subscription-writes"
_ALL_READS: Final = "x-ms-ratelimit-remaining-subscription-global-reads"
_ALL_WRITES: Final = "x-ms-ratelimit-remaining-subscription-global-writes"
_QUERIES: Final = "x-ms-user-quota-remaining"
_RESETS: Final = "x-ms-user-quota-resets-after"

_COUNTS: Final[Mapping[str, Pool]] = {
    _READS: Pool.ARM_READS,
    _ALL_READS: Pool.ARM_READS,
    _WRITES: Pool.ARM_WRITES,
    _ALL_WRITES: Pool.ARM_WRITES,
    _QUERIES: Pool.QUERIES,
}
"""azure-facts 4.1 and 7. `global` is the subscription's limit for all principals together: the
less of the two is what is left for us."""
_NAMES: Final[Mapping[str, Pool]] = {
    "vmguestpatchoperation": Pool.PATCHES,
    "updatevm": Pool.UPDATES,
    "getoperation": Pool.OPERATIONS,
    "lowcostget": Pool.CHEAP_READS,
    "highcostget": Pool.COSTLY_READS,
}
_SHARED: Final[Mapping[str, Pool]] = {
    f"microsoft.compute/{name}subscriptionmaximum": pool for name, pool in _NAMES.items()
}
_OF_ONE: Final[Mapping[str, Pool]] = {
    f"microsoft.compute/{name}resource": pool for name, pool in _NAMES.items()
}
"""azure-facts 4.2. The policies of 2021 (`LowCostGet3Min`) counted otherwise and are none of
these."""

_LONGEST_NUMBER: Final = 9
_SPAN = re.compile(r" *([0-9]{1,2}):([0-5][0-9]):([0-5][0-9]) *")
_PLACE = re.compile(
    r"(?P<vm>/subscriptions/(?P<subscription>[^/?]{1,64})(?:/resourcegroups/[^/?]{1,300})?"
    r"/providers/microsoft\.compute"
    r"(?:/locations/(?P<region>[^/?]{1,64})|/virtualmachines/(?P<name>[^/?]{1,300}))?)",
    re.IGNORECASE,
)
_NONE_SAID: Final = 10**_LONGEST_NUMBER
_LONGEST: Final = 2048
"""Characters of a list of policies; Azure's has two, in some 120."""


def tell(meter: Meter, call: Call, url: str, reply: HttpReply, now: datetime) -> None:
    """Tell the meter what an answer says is left, if it says anything."""
    said = left(reply)
    if said is not None:
        meter.heard(call, place(url), said, now)


def left(reply: HttpReply) -> Left | None:
    """Return what an answer's headers say is left (azure-facts 4, 7); None when they say
    nothing."""
    given = reply.headers
    shared: dict[Pool, int] = {}
    of_one: dict[Pool, int] = {}
    for name, pool in _COUNTS.items():
        value = given.get(name)
        if value is not None:
            _note(shared, pool, value)
    policies = given.get(_RESOURCE)
    if policies is not None and len(policies) <= _LONGEST:
        _read_policies(policies, shared, of_one)
    if not shared and not of_one:
        return None
    return Left(tuple(shared.items()), tuple(of_one.items()), _empty_for(reply))


def _read_policies(value: str, shared: dict[Pool, int], of_one: dict[Pool, int]) -> None:
    """Read `Microsoft.Compute/<policy>;<n>`, several with commas between them."""
    for part in value.lower().split(","):
        name, _, count = part.partition(";")
        name = name.strip()
        if name in _SHARED:
            _note(shared, _SHARED[name], count)
        elif name in _OF_ONE:
            _note(of_one, _OF_ONE[name], count)


def _note(counts: dict[Pool, int], pool: Pool, value: str) -> None:
    """Keep the least that was said."""
    digits = value.strip()
    if len(digits) <= _LONGEST_NUMBER and digits.isdecimal() and digits.isascii():
        count = int(digits)
        if count < counts.get(pool, _NONE_SAID):
            counts[pool] = count


def _empty_for(reply: HttpReply) -> timedelta | None:
    """Return how long an empty bucket stays so: a 429 asks for it, Resource Graph always says."""
    if reply.status == TOO_MANY:
        return headers.retry_after(reply.headers) or headers.DEFAULT_WAIT
    found = _SPAN.fullmatch(reply.headers.get(_RESETS, ""))
    if not found:
        return None
    hours, minutes, seconds = (int(each) for each in found.groups())
    return min(timedelta(hours=hours, minutes=minutes, seconds=seconds), headers.LONGEST)


def place(url: str) -> Place:
    """Return what a URL that we asked was about."""
    found = _PLACE.search(url)
    if not found:
        return Place()
    vm = unquote(found["vm"]).lower() if found["name"] else ""
    region = unquote(found["region"] or "").lower()
    return Place(found["subscription"].lower(), region, vm)
