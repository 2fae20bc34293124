"""A run as its driver sees it, for commands that say why it stands where it stands. It changes
nothing."""

from datetime import datetime

from orchestrator.domain.model import RunId
from orchestrator.domain.view import RunView
from orchestrator.ports import Store


async def view_of(store: Store, run_id: RunId, now: datetime) -> RunView:
    """Load a run with what stands above it and beside it. Raises `LookupError` when there is
    none."""
    view = RunView(await store.load(run_id))
    view.brake, view.safe_mode = await store.brake(), await store.safe_mode()
    view.thaw(await store.freezes())
    view.slots.expire(now)
    if kinds := view.slots.shared:
        view.slots.hear(await store.slots_elsewhere(run_id, kinds, now))
    return view
