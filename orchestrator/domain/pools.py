"""Which of Azure's buckets a request draws from, how large they are, and what an answer says about
them. It counts nothing; `throttle.py` does.

The figures are azure-facts 4.1 (ARM front door), 4.2 (Compute resource provider) and 7 (Resource
Graph, which counts for the credential as a whole).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from orchestrator.domain.buckets import Limit


class Call(StrEnum):
    """A class of request; also how metrics and the client of Azure name it."""

    SUBMIT = "submit"
    RESTART = "restart"
    POLL = "poll"
    LOOK = "look"
    TRACE = "trace"
    LIST = "list"


class Pool(StrEnum):
    """A kind of bucket, as metrics name it."""

    ARM_READS = "arm reads"
    ARM_WRITES = "arm writes"
    PATCHES = "patch operations"
    UPDATES = "update vm"
    OPERATIONS = "get operation"
    CHEAP_READS = "low cost get"
    COSTLY_READS = "high cost get"
    QUERIES = "resource graph"


WITHIN: Final[Mapping[Pool, int]] = {
    Pool.QUERIES: 1,
    Pool.ARM_READS: 2,
    Pool.ARM_WRITES: 2,
    Pool.COSTLY_READS: 2,
    Pool.PATCHES: 3,
    Pool.UPDATES: 3,
    Pool.OPERATIONS: 3,
    Pool.CHEAP_READS: 3,
}
"""How much of (pool, subscription, region) names one bucket. A list of a subscription's VMs tells
no region; Azure counts it somewhere in that subscription."""

DRAWS: Final[Mapping[Call, tuple[Pool, ...]]] = {
    Call.SUBMIT: (Pool.ARM_WRITES, Pool.PATCHES),
    Call.RESTART: (Pool.ARM_WRITES, Pool.UPDATES),
    Call.POLL: (Pool.ARM_READS, Pool.OPERATIONS),
    Call.LOOK: (Pool.ARM_READS, Pool.CHEAP_READS),
    Call.TRACE: (Pool.QUERIES,),
    Call.LIST: (Pool.ARM_READS, Pool.COSTLY_READS),
}
DRAWS_OF_ONE: Final[Mapping[Call, Pool]] = {
    Call.SUBMIT: Pool.PATCHES,
    Call.RESTART: Pool.UPDATES,
    Call.POLL: Pool.OPERATIONS,
    Call.LOOK: Pool.CHEAP_READS,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Azure's figures: of the buckets that many requests share, and of those of a single VM or
    operation."""

    shared: Mapping[Pool, Limit]
    of_one: Mapping[Pool, Limit]


AZURE: Final = Limits(
    shared={
        Pool.ARM_READS: Limit(250, 25, 1),
        Pool.ARM_WRITES: Limit(200, 10, 1),
        Pool.PATCHES: Limit(600, 200, 60),
        Pool.UPDATES: Limit(1_500, 500, 60),
        Pool.OPERATIONS: Limit(15_000, 5_000, 60),
        Pool.CHEAP_READS: Limit(24_000, 8_000, 60),
        Pool.COSTLY_READS: Limit(900, 300, 60),
        Pool.QUERIES: Limit(15, 15, 5),
    },
    of_one={
        Pool.PATCHES: Limit(6, 2, 60),
        Pool.UPDATES: Limit(12, 4, 60),
        Pool.OPERATIONS: Limit(45, 15, 60),
        Pool.CHEAP_READS: Limit(36, 12, 60),
    },
)
"""azure-facts 4.1, 4.2 and 7."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a request was about, as far as its URL tells; empty: it does not."""

    subscription: str = ""
    region: str = ""
    vm_id: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """What the headers of one answer say is left, in requests: in buckets that many share, and in
    those of the one VM or operation that was asked about."""

    shared: tuple[tuple[Pool, int], ...] = ()
    of_one: tuple[tuple[Pool, int], ...] = ()
    empty_for: timedelta | None = None
    """How long a bucket stays closed in which nothing is left; None: the answer does not say."""
