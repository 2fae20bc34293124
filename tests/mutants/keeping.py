"""Bugs in what is kept: the log and its chain, acts, the writer, what a restart finds."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_DECISIONS: Final = "orchestrator/store/decisions.py"
_ROWS: Final = "orchestrator/store/operation_rows.py"
_EVENTS: Final = "orchestrator/store/events.py"
_CHAIN: Final = "orchestrator/store/chain.py"
_LINES: Final = "orchestrator/store/lines.py"
_ACTS: Final = "orchestrator/store/acts.py"
_WRITER: Final = "orchestrator/store/writer.py"

MUTANTS: Final = (
    Mutant(
        "an intent leaves no line in the log",
        "the log does not say why the VM was started",
        (
            Edit(
                "orchestrator/store/intents.py",
                "[move_line(move) for move in moves])\n",
                "[move_line(move) for move in moves[:0]])\n",
            ),
        ),
    ),
    Mutant(
        "moves leave no line in the log",
        "the log does not give the rows",
        (
            Edit(
                _LINES,
                "    return [*(move_line(move) for move in change.moves), *brought]\n",
                "    return [*(move_line(move) for move in change.moves[1:]), *brought]\n",
            ),
        ),
    ),
    Mutant(
        "what changed of the run is not logged",
        "the log does not give the run's row",
        (
            Edit(
                _DECISIONS,
                "    changes = {**run_changes(before, change.run), **wave_changes(befores, "
                "change.waves)}\n",
                "    changes = {**run_changes(None, change.run), **wave_changes(befores, "
                "change.waves)}\n",
            ),
        ),
    ),
    Mutant(
        "the hash of the chain's head does not move",
        "lines can be cut off its end unseen",
        (
            Edit(
                _EVENTS,
                '"hash": head.hash}',
                '"hash": before.hash}',
            ),
        ),
    ),
    Mutant(
        "the lines of the log do not hang together",
        "a line can be changed unseen",
        (
            Edit(
                _CHAIN,
                '        row["hash"] = digest(head.hash, row)\n',
                '        row["hash"] = digest(FIRST, row)\n',
            ),
        ),
    ),
    Mutant(
        "acts are applied again and again",
        "a pause of before pauses a run that was resumed",
        (
            Edit(
                _ACTS,
                ", ~is_answered)",
                ")",
            ),
        ),
    ),
    Mutant(
        "the writer answers although the COMMIT failed",
        "what is believed to be on disk is not",
        (
            Edit(
                _WRITER,
                "                gone = error\n                _fail(job, error)\n",
                "                gone = error\n                _answer(job, Saved())\n",
            ),
            Edit(
                _WRITER,
                "from orchestrator.ports import Clock, StoreSlowError, StoreUnavailableError\n",
                "from orchestrator.ports import Clock, StoreSlowError, StoreUnavailableError\n"
                "from orchestrator.ports import Saved\n",
            ),
        ),
    ),
    Mutant(
        "the writer drops a unit of a group",
        "only the first of those who wait is written, and all are told so",
        (
            Edit(
                _WRITER,
                "run_together(connection, units), None",
                "run_together(connection, units[:1]) * len(units), None",
            ),
        ),
    ),
    Mutant(
        "the writer forgets whoever waits behind a failure",
        "units of a group that failed together are not repeated",
        (
            Edit(
                _WRITER,
                "        for job in sorted(group, key=lambda job: _kind(job) == self._slow):\n",
                "        for job in group[:1]:\n",
            ),
        ),
    ),
    Mutant(
        "a restart forgets the baseline",
        "the VM's installation of before looks new",
        (
            Edit(
                _ROWS,
                '        "baseline_id": state.baseline,\n',
                '        "baseline_id": None,\n',
            ),
            Edit(
                "orchestrator/domain/following.py",
                "    return begun_from <= found.started_at <= state.settle_at\n",
                "    return True\n",
            ),
        ),
    ),
    Mutant(
        "a restart forgets how many attempts there were",
        "a VM that was granted another one asks for its first again",
        (Edit(_ROWS, '        attempt=row["attempt"],\n', "        attempt=1,\n"),),
    ),
)
