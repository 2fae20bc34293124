"""What is told of a group that a run holds back, and of the way back."""

import asyncio

from orchestrator.cli import run
from orchestrator.clock import WallClock
from orchestrator.domain.model import Quarantine, Trait
from orchestrator.domain.operation import Dropped
from orchestrator.domain.record import Change
from orchestrator.domain.states import Why
from orchestrator.store.opening import open_store
from tests.contract.store.kit import NOW, a_fact, a_move, a_run, grown, opened

REASON = "held back: image a:b:old (2 of 2; bad are 2 of 3 there, 0 of 5 elsewhere)"
BACK = 'orchestrator retry run-1 --reason quarantined --because "…"'


def prepared(folder):
    """Write a run that holds a group back, of which one VM is skipped."""

    async def work():
        url = f"sqlite:///{folder / 'status.db'}"
        async with open_store(url, clock=WallClock(), durable=False) as store:
            lease, (first, _) = await opened(store, "vm-1", "vm-2")
            group = Quarantine(kind=Trait.IMAGE, value="a:b:old", reason=REASON)
            held = grown(a_run(), quarantine=group)
            fact = a_fact("run.quarantined", why=Why("quarantined", REASON))
            drop = a_move(first, Dropped(NOW, Why("quarantined", REASON)))
            await store.record(lease, Change(moves=(drop,), run=held, facts=(fact,)))

    asyncio.run(work())
    path = folder / "orchestrator.yaml"
    path.write_text('database: "sqlite:///status.db"\nhttp: {listen: "127.0.0.1:1"}\n')
    return "-c", str(path)


def said(capsys, *words) -> str:
    assert run(list(words)) == 0
    return str(capsys.readouterr().out)


def test_status_says_which_group_is_held_back(tmp_path, capsys):
    config = prepared(tmp_path)
    assert f"  {REASON}\n" in said(capsys, "status", "run-1", *config)


def test_explain_says_it_of_the_run_and_of_the_vm_with_the_way_back(tmp_path, capsys):
    config = prepared(tmp_path)
    for words in (("run-1",), ("run-1", "vm-1")):
        told = said(capsys, "explain", *words, *config)
        assert REASON in told
        assert BACK in told
    assert BACK not in said(capsys, "explain", "run-1", "vm-2", *config)
