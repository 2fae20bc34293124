"""The named tempers: each a documented example of how a machine, or Azure before it, goes wrong.

`TEMPERS["hang"]` is what a fleet file, a command line or a test writes. Moods (mixes for a whole
world) are in `moods.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from orchestrator.simulator.tempers import (
    Busy,
    Ending,
    Layer,
    Mishap,
    PollFault,
    PostFault,
    Reboot,
    Temper,
)

STEADY = Temper()

_ENDS: dict[str, Temper] = {
    # Some patches do not install; the operation is Succeeded and the body says Failed.
    "fails": Temper(ending=Ending.FAILS, failing_patches=1),
    # The same, but only the first time: a retry helps.
    "fails_once": Temper(ending=Ending.FAILS, failing_patches=1, bad_runs=1),
    # The extension fails; the operation itself is Failed.
    "operation_fails": Temper(ending=Ending.FAILS, layer=Layer.OPERATION),
    # Azure's own trouble, told by the operation, gone at the second run.
    "platform_fails_once": Temper(
        ending=Ending.FAILS, layer=Layer.OPERATION, error_code="InternalOperationError", bad_runs=1
    ),
    # The operation is Canceled.
    "canceled": Temper(ending=Ending.CANCELED),
    # CompletedWithWarnings (on Linux: packages that need Ubuntu Pro).
    "warns": Temper(ending=Ending.WARNS),
    # The body's status is Unknown.
    "unknown": Temper(ending=Ending.UNKNOWN),
    # The operation is Succeeded and has no result.
    "no_result": Temper(ending=Ending.NO_RESULT),
    # The list of patches is cut at 128 KB: counts are right, patches[] is short.
    "truncated": Temper(truncated=True, patches=12),
    # Everything is installed already.
    "nothing_to_do": Temper(patches=0),
    # Time runs out: Failed, maintenanceWindowExceeded, the rest is pending.
    "overruns": Temper(overruns=True, patches=6),
    # Never ends.
    "hang": Temper(hangs=True),
}

_IN_THE_GUEST: dict[str, Temper] = {
    # What it installs needs a reboot.
    "needs_reboot": Temper(needs_reboot=True),
    # The reboot fails.
    "reboot_fails": Temper(needs_reboot=True, reboot=Reboot.FAILS),
    # It reboots and is not seen again: rebootStatus Started, agent Not Ready.
    "reboot_loop": Temper(needs_reboot=True, reboot=Reboot.NEVER_RETURNS),
    # Azure's own patch run takes over in the middle.
    "superseded": Temper(mishap=Mishap.SUPERSEDED),
    # Somebody deallocates it in the middle.
    "stopped": Temper(mishap=Mishap.STOPPED),
    # Somebody deletes it in the middle.
    "deleted": Temper(mishap=Mishap.DELETED),
    # The agent dies; Azure gives up after a long wait.
    "agent_dies": Temper(mishap=Mishap.AGENT_DIES),
    # A second request while one runs is taken, and ends the first.
    "superseding": Temper(busy=Busy.SUPERSEDES),
    # A second request while one runs meets the code Conflict.
    "conflict": Temper(busy=Busy.CONFLICT),
}

_STARTS: dict[str, Temper] = {
    # The first request is refused with 429, whatever the buckets hold.
    "throttled": Temper(posts=(PostFault.THROTTLED,)),
    # Taken, and the connection is cut before the answer.
    "swallowed_reply": Temper(posts=(PostFault.TAKEN_CUT,)),
    # Its twin: cut, and nothing was taken.
    "swallowed_request": Temper(posts=(PostFault.CUT,)),
    # Taken, and a gateway answers for it; and the twins, where nothing was taken.
    "accepted_then_500": Temper(posts=(PostFault.TAKEN_500,)),
    "accepted_then_503": Temper(posts=(PostFault.TAKEN_503,)),
    "accepted_then_504": Temper(posts=(PostFault.TAKEN_504,)),
    "refused_500": Temper(posts=(PostFault.ERROR_500,)),
    "refused_503": Temper(posts=(PostFault.ERROR_503,)),
    "refused_504": Temper(posts=(PostFault.ERROR_504,)),
    # Taken, and no answer for two minutes; and its twin.
    "accepted_in_silence": Temper(posts=(PostFault.TAKEN_SILENT,)),
    "silence": Temper(posts=(PostFault.SILENT,)),
    # Taken, and 202 without URLs, or with URLs of another host.
    "accepted_without_url": Temper(posts=(PostFault.TAKEN_BARE,)),
    "accepted_elsewhere": Temper(posts=(PostFault.TAKEN_FOREIGN_URL,)),
    # A proxy's page in place of Azure's answer.
    "proxy_page": Temper(posts=(PostFault.PROXY_PAGE,)),
    # The token is refused once, plainly or with a claims challenge.
    "expired_token": Temper(posts=(PostFault.EXPIRED,)),
    "claims_challenge": Temper(posts=(PostFault.CLAIMS_CHALLENGE,)),
    # No right to install; a lock on the machine.
    "denied": Temper(every_post=PostFault.FORBIDDEN),
    "locked": Temper(every_post=PostFault.LOCKED),
    # Azure starts its own run between the client's look and the client's request.
    "platform_first": Temper(posts=(PostFault.PLATFORM_FIRST,)),
    # Taken, unanswered, and the view never tells: only Resource Graph does.
    "traceless": Temper(posts=(PostFault.TAKEN_CUT,), blind=True),
    # The worst of all for a client: nobody ever tells.
    "untraceable": Temper(posts=(PostFault.TAKEN_CUT,), blind=True, blind_graph=True),
}

_READS: dict[str, Temper] = {
    # May install but not read operations (a role held on the resource group only).
    "forbidden_polls": Temper(every_poll=PollFault.FORBIDDEN),
    # Every kind of trouble a read can meet, once.
    "flaky_polls": Temper(
        polls=tuple(fault for fault in PollFault if fault not in {PollFault.FINE, PollFault.SILENT})
    ),
    # The status is forgotten at once; the instance view still knows.
    "forgotten": Temper(forgets=timedelta(0)),
    # The instance view trails by twenty minutes; or never tells of patches.
    "late_view": Temper(view_lag=timedelta(minutes=20)),
    "blind_view": Temper(blind=True),
    # Resource Graph trails by twenty minutes; or never tells.
    "late_graph": Temper(graph_lag=timedelta(minutes=20)),
    "blind_graph": Temper(blind_graph=True),
}

TEMPERS: Mapping[str, Temper] = MappingProxyType(
    {"steady": STEADY, **_ENDS, **_IN_THE_GUEST, **_STARTS, **_READS}
)
