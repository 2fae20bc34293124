"""Moods: how a whole world behaves, as named mixes.

A mood is the service's weather (rates of faults on any request), its limits, its habits, and a mix
of tempers for the machines that have none of their own. A machine with a temper keeps it under
every mood.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from orchestrator.simulator.limits import SMALL, Limits
from orchestrator.simulator.tempers import Busy

_LARGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How Azure behaves today. Shares and rates lie from 0 to 1; the speed divides spans.

    `mix` temper name -> share of the machines without a temper · `posts` PostFault value -> rate
    per POST · `reads` PollFault value -> rate per poll, view, list or query · `view_lag` how far
    the instance view trails, `graph_lag` how far Resource Graph does · `retry_after` seconds on the
    202 and on running polls (None: absent, as recorded) · `page_size` machines per page of a list,
    `graph_page_size` rows per page of a query (Azure's are 1,000 at most) · `busy` what a second
    request meets · `history` share of machines that were patched before.
    """

    mix: Mapping[str, float] = field(default_factory=dict)
    posts: Mapping[str, float] = field(default_factory=dict)
    reads: Mapping[str, float] = field(default_factory=dict)
    limits: Limits = field(default=Limits())
    view_lag: timedelta = timedelta(seconds=20)
    graph_lag: timedelta = timedelta(seconds=30)
    retry_after: int | None = None
    page_size: int = 100
    graph_page_size: int = 1000
    busy: Busy = Busy.OPERATION_NOT_ALLOWED
    history: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        for shares in (self.mix, self.posts, self.reads, {"history": self.history}):
            if min(shares.values(), default=0.0) < 0 or sum(shares.values()) > 1:
                raise ValueError(
                    f"shares must lie between 0 and 1 and add up to at most 1: {dict(shares)}"
                )
        pace = 1 if self.retry_after is None else self.retry_after
        if min(self.page_size, self.graph_page_size, pace) < 1 or self.graph_page_size > _LARGEST:
            raise ValueError("pages and retry_after are at least 1, a query's page 1,000 at most")
        if min(self.view_lag, self.graph_lag) < timedelta(0):
            raise ValueError("a lag is at least 0")


CALM = Mood()
"""Azure as documented and recorded, and nothing goes wrong by itself."""

REALISTIC = Mood(
    mix={
        "needs_reboot": 0.05,
        "nothing_to_do": 0.06,
        "warns": 0.05,
        "fails": 0.02,
        "operation_fails": 0.005,
        "overruns": 0.005,
        "throttled": 0.02,
        "swallowed_reply": 0.005,
        "accepted_then_503": 0.005,
    },
    posts={"503": 0.002, "taken_504": 0.002},
    reads={"500": 0.002, "503": 0.003, "cut": 0.002, "404": 0.001},
    view_lag=timedelta(seconds=90),
    graph_lag=timedelta(minutes=2),
    history=0.6,
)
"""A large fleet on an ordinary night: mostly well, a little of everything."""

THROTTLED = Mood(limits=SMALL)
"""Small buckets, as when other tools of the customer use up the limits."""

FLAKY = Mood(
    posts={
        "cut": 0.05,
        "taken_cut": 0.05,
        "500": 0.03,
        "503": 0.05,
        "504": 0.03,
        "taken_500": 0.03,
        "taken_503": 0.05,
        "taken_504": 0.03,
        "taken_proxy_page": 0.01,
    },
    reads={
        "cut": 0.05,
        "500": 0.05,
        "502": 0.03,
        "503": 0.05,
        "504": 0.03,
        "html": 0.02,
        "broken_json": 0.02,
        "empty": 0.02,
        "404": 0.03,
    },
    view_lag=timedelta(minutes=2),
    graph_lag=timedelta(minutes=4),
    history=0.5,
)
"""A bad network and a bad region: a third of all answers is lost or wrong."""

SICK = Mood(
    mix={
        "fails": 0.3,
        "operation_fails": 0.1,
        "reboot_loop": 0.05,
        "hang": 0.02,
        "agent_dies": 0.03,
    },
    view_lag=timedelta(seconds=60),
)
"""The month's update is bad: half of the machines do not take it."""

MOODS: Mapping[str, Mood] = MappingProxyType(
    {"calm": CALM, "realistic": REALISTIC, "throttled": THROTTLED, "flaky": FLAKY, "sick": SICK}
)
