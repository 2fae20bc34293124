"""Bugs in who may write what: leases, versions, locks over runs, grants, repeated transactions."""

from typing import Final

from tests.mutants.mutant import Edit, Mutant

_INTENTS: Final = "orchestrator/store/intents.py"
_ATTEMPTS: Final = "orchestrator/store/attempts.py"
_OPERATIONS: Final = "orchestrator/store/operations.py"
_LEASES: Final = "orchestrator/store/leases.py"
_BOOK: Final = "orchestrator/engine/book.py"
_SUBMIT: Final = "orchestrator/engine/submit.py"

_NO_CAS: Final = (
    Edit(
        _OPERATIONS,
        "        if now != move.before.version:\n",
        "        if now is None:\n",
    ),
    Edit(
        _OPERATIONS,
        '        _operation.c.version == bindparam("row_version"),\n',
        '        _operation.c.version >= 0 * bindparam("row_version"),\n',
    ),
)
_NO_FENCE: Final = Edit(
    _LEASES,
    "    return connection.execute(_HELD, _key(lease)).scalar_one_or_none() is not None\n",
    "    return connection.execute(_HELD, _key(lease)).scalar_one_or_none() != -1\n",
)
_NO_HOLDER: Final = Edit(
    _INTENTS,
    "        if other is None:\n",
    "        if other is None or op:\n",
)

_NOT_USED_UP: Final = Edit(
    _INTENTS,
    "        if (op.target.vm_id, op.attempt) in self.taken:\n",
    "        if (op.target.vm_id, op.attempt) in self.taken and not op:\n",
)

MUTANTS: Final = (
    Mutant(
        "unguarded updates",
        "a row is written over whatever somebody else made of it",
        _NO_CAS,
    ),
    Mutant(
        "a lease is not checked",
        "a daemon that lost its run goes on deciding in it",
        (_NO_FENCE,),
    ),
    Mutant(
        "neither leases nor versions are checked",
        "two daemons write over each other",
        (*_NO_CAS, _NO_FENCE),
    ),
    Mutant(
        "the epoch is not compared",
        "a lease of before counts as one of now",
        (
            Edit(
                _LEASES,
                '    _lease.c.epoch == bindparam("the_epoch"),\n',
                '    _lease.c.epoch >= 0 * bindparam("the_epoch"),\n',
            ),
        ),
        masked_by="each process has a holder's name of its own, which is compared too",
    ),
    Mutant(
        "an expired lease is never taken over",
        "the runs of a dead daemon stay where they are",
        (
            Edit(
                _LEASES,
                "_lease.c.expires_at <= _after(dialect, _NOW[dialect])",
                "_lease.c.expires_at < _lease.c.expires_at",
            ),
        ),
    ),
    Mutant(
        "a lost book goes on deciding",
        "what was written without our knowing is not in the view that is planned by",
        (
            Edit(
                "orchestrator/engine/driver.py",
                "        while self.book.lost is None:\n            now",
                "        while True:\n            now",
            ),
        ),
    ),
    Mutant(
        "a lost book goes on starting",
        "a driver that lost its run prepares more intents",
        (
            Edit(
                _SUBMIT,
                "        if self._book.stopping or self._book.lost is not None:\n",
                "        if self._book.stopping:\n",
            ),
        ),
        masked_by="the intent's transaction checks the lease and the row's version",
    ),
    Mutant(
        "a VM in flight in another run is not looked at",
        "two runs start the same VM, or one that a person should look at",
        (_NO_HOLDER,),
    ),
    Mutant(
        "a VM that needs a person is free for other runs",
        "its installation may still be under way",
        (
            Edit(
                _OPERATIONS,
                "row.locked_until > at[row.vm_id]",
                "row.locked_until < at[row.vm_id]",
            ),
        ),
    ),
    Mutant(
        "a grant is not kept",
        "a person's retry is forgotten, and the VM waits for ever",
        (
            Edit(
                "orchestrator/store/decisions.py",
                "    attempts.grant(connection, [move.grant for",
                "    attempts.grant(connection, [move.grant for move in moves[:0] for",
            ),
        ),
    ),
    Mutant(
        "a grant is neither kept nor required",
        "one more request goes out than anybody allowed",
        (
            Edit(
                "orchestrator/store/decisions.py",
                "    attempts.grant(connection, [move.grant for",
                "    attempts.grant(connection, [move.grant for move in moves[:0] for",
            ),
            Edit(
                _ATTEMPTS,
                "    return op.attempt == 1 or bool(",
                "    return op.attempt > 0 or bool(",
            ),
        ),
    ),
    Mutant(
        "no grant is required",
        "the attempt's number is believed",
        (
            Edit(
                _ATTEMPTS,
                "    return op.attempt == 1 or bool(",
                "    return op.attempt > 0 or bool(",
            ),
        ),
        masked_by="the number grows only in the transaction that keeps its grant",
    ),
    Mutant(
        "a grant is not used up",
        "an attempt that Azure may have taken does not bar the next one of its number",
        (_NOT_USED_UP,),
        masked_by="a VM is queued again only after its attempt was proved not to be taken, and a"
        " unique index stands behind that",
    ),
    Mutant(
        "what became of an attempt is not written",
        "the attempt stays open, and bars the VM",
        (
            Edit(
                "orchestrator/store/decisions.py",
                "    attempts.learn(connection, [move.attempt for",
                "    attempts.learn(connection, [move.attempt for move in moves[:0] for",
            ),
        ),
    ),
    Mutant(
        "an intent whose COMMIT was in doubt is written again",
        "the answer to the COMMIT was lost, not the intent",
        (
            Edit(
                _INTENTS,
                "        if (stale := operations.stale(self.versions, [move])) is not None:",
                "        stale = operations.stale(self.versions, [move])\n"
                "        if stale and not attempts.is_there(connection, event.attempt):",
            ),
            _NOT_USED_UP,
        ),
    ),
    Mutant(
        "an intent that came too late counts as written",
        "the row has moved on, and the request is sent all the same",
        (
            Edit(
                _INTENTS,
                "Saved() if attempts.is_there(connection, event.attempt) else stale",
                "Saved()",
            ),
        ),
        masked_by="the lease is checked first: with it, nobody else moves the row",
    ),
    Mutant(
        "a write whose COMMIT was in doubt is believed lost",
        "what has happened must be written, however often the database goes away",
        (
            Edit(
                _BOOK,
                "                self._tries_left -= self.stopping\n",
                "                self._tries_left -= _LAST_TRIES + 1\n",
            ),
        ),
    ),
)
